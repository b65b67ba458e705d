"""Where everything is built and passed in: a module a role."""
