"""Rules as data: recordings, alerts and their groups, in the form that Prometheus reads.

The form: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ (`keep_firing_for` since Prometheus 2.42).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

Scope = Literal["slo", "kpi", "service"]
"""What an alert is about: an error budget, a figure of a tenant, or tidegauge itself."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that is computed once for all rules that need it."""

    record: str
    expr: str

    def document(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"record": self.record, "expr": self.expr}


@dataclass(frozen=True, slots=True)
class Alerting:
    """An alert; texts in labels and annotations are templates of Prometheus, literal parts escaped."""

    alert: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    for_: str = ""
    """How long it has to be so; "": it fires at once."""
    keep_firing_for: str = ""
    """How long it stays after it was last so: a value that swings about its limit is one alert."""

    def document(self) -> dict[str, Any]:
        """As it stands in a file."""
        made: dict[str, Any] = {"alert": self.alert, "expr": self.expr}
        if self.for_:
            made["for"] = self.for_
        if self.keep_firing_for:
            made["keep_firing_for"] = self.keep_firing_for
        return made | {"labels": dict(self.labels), "annotations": dict(self.annotations)}


Rule = Recording | Alerting


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates one after the other, at the same instant."""

    name: str
    rules: tuple[Rule, ...]


def yaml_of(groups: Iterable[Group], *, head: str) -> str:
    """A file of rules, with a comment at its head; groups without rules are left out."""
    shown = [{"name": each.name, "rules": [rule.document() for rule in each.rules]} for each in groups if each.rules]
    body: str = yaml.dump({"groups": shown}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return "".join(f"# {line}\n" for line in head.splitlines()) + body


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as blocks, so that expressions can be read."""


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
