"""The durable event log: a port, its codec and its adapters."""
