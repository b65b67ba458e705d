"""Selectors: the text that names a KPI, its statistic and a part of it, everywhere the same.

availability
request_latency.p95
meter.p95{meter=page_load.dashboard}
incidents{severity=P0,P1,service=api}
delivery_on_time{account="Smith, Jones"}
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.errors import InvalidText

MAX_SELECTOR_CHARACTERS = 2_000

_HEAD = re.compile(r"\s*(?P<kpi>[a-z][a-z0-9_]*)(?:\.(?P<statistic>[a-z0-9_]+))?\s*(?:\{(?P<where>.*)\})?\s*", re.DOTALL)
_KEY = re.compile(r"\s*(?P<key>[^\s,{}=\"]+)\s*=")
_VALUE = re.compile(r"\s*(?:\"(?P<quoted>(?:[^\"\\]|\\[\"\\])*)\"|(?P<bare>[^,{}=\"]*[^\s,{}=\"]))\s*(?P<end>,|$)")
_BARE = re.compile(r"[^\s,{}=\"\\](?:[^,{}=\"\\]*[^\s,{}=\"\\])?")
_FORM = "write KPI, KPI.STATISTIC or KPI.STATISTIC{DIMENSION=VALUE,VALUE,DIMENSION=VALUE}"


@dataclass(frozen=True, slots=True)
class Selector:
    """A KPI, one of its statistics (None: its main value), and the values that each dimension may have."""

    kpi: str
    statistic: str | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> tuple[str, str | None, frozenset[tuple[str, frozenset[str]]]]:
        """Equal for selectors that mean the same, whatever the order of their dimensions and values."""
        return self.kpi, self.statistic, frozenset((key, frozenset(values)) for key, values in self.where.items())

    def __str__(self) -> str:
        """The text that parse_selector reads back."""
        name = f"{self.kpi}.{self.statistic}" if self.statistic is not None else self.kpi
        if not self.where:
            return name
        return f"{name}{{{','.join(f'{key}={_written(values)}' for key, values in self.where.items())}}}"


def parse_selector(text: str) -> Selector:
    """Read a selector; `str()` of it reads back to an equal one. Raises InvalidText."""
    if len(text) > MAX_SELECTOR_CHARACTERS:
        raise InvalidText(f"a selector of {len(text)} characters is longer than {MAX_SELECTOR_CHARACTERS}")
    head = _HEAD.fullmatch(text)
    if head is None:
        raise InvalidText(f"{text!r} is no selector: {_FORM}")
    where = _parse_where(text, head["where"]) if head["where"] is not None else {}
    return Selector(head["kpi"], head["statistic"], where)


def _parse_where(text: str, body: str) -> dict[str, tuple[str, ...]]:
    where: dict[str, tuple[str, ...]] = {}
    at, key, ended = 0, "", "," if body.strip() else ""
    if not ended:
        raise InvalidText(f"{text!r} has empty braces: name a dimension in them, or leave them out")
    while ended:
        named = _KEY.match(body, at)
        if named is not None:
            key, at = named["key"], named.end()
            if key in where:
                raise InvalidText(f"{text!r} names {key} twice: give it all its values at once, as {key}=A,B")
            where[key] = ()
        value = _VALUE.match(body, at)
        if value is None or not key:
            raise InvalidText(f"{text!r} cannot be read from {body[at:]!r} on: {_FORM}")
        where[key] += (value["bare"] if value["quoted"] is None else re.sub(r"\\(.)", r"\1", value["quoted"]),)
        at, ended = value.end(), value["end"]
    return where


def _written(values: tuple[str, ...]) -> str:
    return ",".join(each if _BARE.fullmatch(each) else '"' + re.sub(r'(["\\])', r"\\\1", each) + '"' for each in values)
