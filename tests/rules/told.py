"""The rules that the tests are about: of the installation, of a tenant that declares much, and of one that declares nothing."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from service.catalog import Catalog
from service.domain.config import TenantConfig, parse
from service.rules import Links, Made, rule_files
from tests.rules.promtool import groups_in

ACME = (Path(__file__).parent / "acme.toml").read_text()
LINKS = Links("https://runbooks.example", "https://grafana.example")
SHOWN_BY_MONITORING = {
    "prometheus_config_last_reload_successful",
    "prometheus_rule_evaluation_failures_total",
    "alertmanager_config_last_reload_successful",
    "alertmanager_notifications_failed_total",
}
"""What Prometheus and Alertmanager show of themselves, so far as rules read it; `make stack` is asked for it."""


@cache
def catalog() -> Catalog:
    """The catalog, loaded once."""
    return Catalog.load()


@cache
def made() -> Made:
    """Every file."""
    acme = parse(ACME, known_kpis=catalog().shapes())
    return rule_files(catalog(), {"plain": TenantConfig(), "acme": acme}, LINKS)


def group(name: str, only: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> dict[str, str]:
    """A file with one group, by what follows `tidegauge-` in its name, or some of its rules: others cost time."""
    [found] = [each for text in made().files.values() for each in groups_in(text) if each["name"] == f"tidegauge-{name}"]
    rules = [rule for rule in found["rules"] if only(rule)]
    return {f"{name}.yml": yaml.safe_dump({"groups": [found | {"rules": rules}]}, sort_keys=False)}
