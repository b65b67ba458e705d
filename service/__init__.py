"""tidegauge: product, SLA and incident events in; exact KPIs in Postgres, seconds later."""

__version__ = "0.1.0"
