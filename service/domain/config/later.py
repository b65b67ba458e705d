"""What a file may declare already and a later version of tidegauge makes use of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from service.domain.config.base import or_similar
from service.domain.config.tenant import TenantConfig

Form = Literal["table", "named tables", "list of tables"]


@dataclass(frozen=True, slots=True)
class LaterTable:
    """A table whose keys are known and whose values are not checked yet."""

    form: Form
    keys: frozenset[str] | None
    """Keys that it may have; None: any."""


def _of(form: Form, keys: str = "") -> LaterTable:
    return LaterTable(form, frozenset(keys.split()) or None)


LATER: Final[Mapping[str, LaterTable]] = {
    "programme": _of("table", "start weeks"),
    "milestones": _of("named tables", "feature account all_of"),
    "funnel": _of("list of tables", "name ordered within steps"),
    "bands": _of("named tables", "edges names"),
    "freshness": _of("named tables", "limit_s"),
    "incident_limit": _of("list of tables", "severity resolve"),
    "completeness": _of("table"),
    "alert": _of("list of tables", "kpi where window op value level for"),
    "goal": _of("list of tables", "kpi where window op target windows_in_a_row due due_after"),
    "slo": _of("list of tables", "name kind where objective window limit_ms min_events"),
    "health": _of("named tables"),
    "churn": _of("table"),
    "sla": _of("list of tables", "category tier priority account within_days_of_go_live response resolution"),
    "items": _of("table", "colours"),
    "recovery": _of("table", "rate_buckets revenue_buckets"),
    "escalation": _of("list of tables", "priority after level"),
    "formula": _of("list of tables", "id expression unit better"),
    "report": _of("list of tables", "name schedule formats webhook"),
}

_LATER_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "tenant": ("support_timezone", "support_hours", "currency"),
    "activity": ("power_user_uses", "customer_statuses", "postmortem_severities"),
    "features": ("frequency",),
    "integrations": ("tracks_accepted",),
}

Path = tuple[str | int, ...]


def check_later(data: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """The mistakes in those tables, each with its path: another form than theirs, keys that they have not."""
    mistakes: list[tuple[Path, str]] = []
    for name, table in LATER.items():
        if name in data:
            mistakes += _check_form(name, table, data[name])
    return mistakes


def _check_form(name: str, table: LaterTable, value: object) -> list[tuple[Path, str]]:
    match table.form, value:
        case "table", dict():
            return _check_keys((name,), table, value)
        case "named tables", dict():
            return [found for key, each in value.items() for found in _check_table((name, key), table, each)]
        case "list of tables", list():
            return [found for index, each in enumerate(value) for found in _check_table((name, index), table, each)]
    written = {"table": f"[{name}]", "named tables": f"[{name}.NAME]", "list of tables": f"[[{name}]]"}[table.form]
    return [((name,), f"is written as {written}")]


def _check_table(path: Path, table: LaterTable, value: object) -> list[tuple[Path, str]]:
    if isinstance(value, dict):
        return _check_keys(path, table, value)
    return [(path, "is no table")]


def _check_keys(path: Path, table: LaterTable, value: Mapping[str, object]) -> list[tuple[Path, str]]:
    if table.keys is None:
        return []
    known = ", ".join(sorted(table.keys))
    return [
        ((*path, key), f"there is no key {key} here{or_similar(key, table.keys)}; known are {known}")
        for key in value
        if key not in table.keys
    ]


def declared_later(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of tables and keys in a file's data that take no effect yet, in the file's order."""
    found = [f"[{name}]" for name in data if name in LATER]
    for table, keys in _LATER_KEYS.items():
        declared = data.get(table, {})
        parts = [declared] if table in {"tenant", "activity"} else declared.values()
        found += [f"{table}.{key}" for key in keys if any(key in part for part in parts)]
    return tuple(found)


def without_effect(config: TenantConfig) -> tuple[str, ...]:
    """Values that wait for a later version: shares of licensed users."""
    activity = config.activity
    waits = {
        "activity.dau_share_of": activity.dau_share_of == "licensed",
        "activity.wau_share_of": activity.wau_share_of == "licensed",
        "activity.mau_share_of": activity.mau_share_of == "licensed",
    }
    return tuple(name for name, does_wait in waits.items() if does_wait)
