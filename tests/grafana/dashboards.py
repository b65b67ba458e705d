"""Reading the dashboards that are committed, and putting into their queries what Grafana would put in."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "deploy" / "grafana" / "dashboards"
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"
_GIVEN = re.compile(r"\$\{([a-z][a-z_]*)(?::([a-z]+))?\}|\$([a-z][a-z_]*)")
_FILTER = re.compile(r"\$__timeFilter\(([^()]+)\)")


@cache
def dashboards() -> Mapping[str, Any]:
    """Every dashboard by its uid."""
    made = [json.loads(file.read_bytes()) for file in sorted(DIRECTORY.glob("*.json"))]
    return {each["uid"]: each for each in made}


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Its panels, those in folded rows too, without the rows themselves."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def variables(dashboard: Mapping[str, Any]) -> Mapping[str, dict[str, Any]]:
    """Its variables by name."""
    return {each["name"]: each for each in dashboard["templating"]["list"]}


def named_in(text: str) -> set[str]:
    """The variables that a text names, without Grafana's own."""
    return {braced or bare for braced, _, bare in _GIVEN.findall(text)}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a reader chose: a span of time, and a value for each variable (several: a list)."""

    since: datetime
    until: datetime
    values: Mapping[str, str | Sequence[str]]

    def statement(self, text: str) -> str:
        """SQL with macros and variables put in as Grafana's PostgreSQL data source does.

        https://grafana.com/docs/grafana/v11.6/datasources/postgres/#macros
        https://grafana.com/docs/grafana/v11.6/dashboards/variables/variable-syntax/ (sqlstring)
        """
        since, until = (f"'{each:%Y-%m-%dT%H:%M:%SZ}'" for each in (self.since, self.until))
        text = _FILTER.sub(rf"\1 BETWEEN {since} AND {until}", text)
        text = text.replace("$__timeFrom()", since).replace("$__timeTo()", until)
        return _GIVEN.sub(lambda found: self._put_in(found[1] or found[3], found[2]), text)

    def expression(self, text: str) -> str:
        """PromQL likewise: a regular expression of several values, and the intervals of a panel that is looked at closely."""
        text = text.replace("$__rate_interval", "1m").replace("$__interval", "15s")
        return _GIVEN.sub(lambda found: str(self.values[found[1] or found[3]]), text)

    def _put_in(self, name: str, form: str | None) -> str:
        value = self.values[name]
        assert form == "sqlstring", f"${name}: only ${{{name}:sqlstring}} is safe in a statement, whatever is chosen"
        # What `All` stands for is put in as it is.
        if value == "'*'":
            return str(value)
        return ",".join("'" + each.replace("'", "''") + "'" for each in ([value] if isinstance(value, str) else value))
