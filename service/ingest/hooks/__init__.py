"""Webhooks of the tools that know of incidents: what they say becomes steps of incidents."""
