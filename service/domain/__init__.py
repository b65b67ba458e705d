"""Pure rules of the domain: no I/O, no clock, no library that talks to a server."""
