"""Prometheus's rules from the catalog and from what tenants declare: pure, from data to files."""

from service.rules.files import Made, rule_files
from service.rules.links import Links

__all__ = ["Links", "Made", "rule_files"]
