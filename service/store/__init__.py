"""Postgres: tables, and every statement but the catalog's and the log's."""
