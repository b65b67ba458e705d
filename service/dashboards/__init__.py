"""Grafana's dashboards, built from the catalog as code and written to deploy/grafana/dashboards; never needed at run time."""
