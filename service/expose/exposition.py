"""Gauges and counters in Prometheus's text format, a line a sample, at a third of what the client library takes for it.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (Text-based format, version 0.0.4).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client.utils import floatToGoString

_SPECIAL = re.compile(r'[\\"\n]')
_ESCAPED: Mapping[str, str] = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


@dataclass(slots=True)
class Samples:
    """The samples of one name; names and labels are such as Prometheus takes."""

    name: str
    said: str
    """What it is, for people."""
    kind: Literal["gauge", "counter"] = "gauge"
    lines: list[str] = field(default_factory=list)

    def add(self, labels: str, value: float) -> None:
        """Add a sample; `labels` as `labels_text` makes them."""
        number = floatToGoString(value)  # type: ignore[no-untyped-call]  # the library has no types
        self.lines.append(f"{self.name}{labels} {number}\n")


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels in the order of their names, in braces; values escaped."""
    shown = ",".join([f'{name}="{_escaped(labels[name])}"' for name in sorted(labels)])
    return f"{{{shown}}}" if shown else ""


def text(families: Iterable[Samples]) -> bytes:
    """The whole exposition."""
    parts: list[str] = []
    for family in families:
        said = family.said.replace("\\", "\\\\").replace("\n", "\\n")
        parts.append(f"# HELP {family.name} {said}\n# TYPE {family.name} {family.kind}\n")
        parts += family.lines
    return "".join(parts).encode()


def _escaped(value: str) -> str:
    return value if _SPECIAL.search(value) is None else _SPECIAL.sub(lambda found: _ESCAPED[found[0]], value)
