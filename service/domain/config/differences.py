"""What differs between two versions of a configuration, key by key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.domain.config.mistakes import shown
from service.domain.config.tenant import TenantConfig

_NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "funnel": ("name",),
    "target": ("kpi", "where", "window"),
    "incident_limit": ("severity",),
    "alert": ("kpi", "where", "window", "op"),
    "goal": ("kpi", "where", "window"),
    "slo": ("name",),
    "sla": ("category", "tier", "priority", "account", "within_days_of_go_live"),
    "escalation": ("priority", "level"),
    "formula": ("id",),
    "report": ("name",),
    "kafka_source": ("topic",),
}
"""The keys by which an element of a list is the same one in both versions, wherever it stands."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs; None: it is not there, or nothing."""

    path: str
    before: Any
    after: Any


def differences(before: TenantConfig, after: TenantConfig) -> list[Difference]:
    """Every key whose value differs, with defaults filled in, in the order of the file; `valid_from` aside."""
    was, becomes = (each.model_dump(mode="json", by_alias=True, exclude={"valid_from"}) for each in (before, after))
    return _differing("", was, becomes)


def _differing(path: str, was: Any, becomes: Any) -> list[Difference]:
    if was == becomes:
        return []
    if isinstance(was, Mapping) and isinstance(becomes, Mapping):
        return [
            each
            for key in dict.fromkeys((*was, *becomes))
            for each in _differing(_joined(path, key), was.get(key), becomes.get(key))
        ]
    if path in _NAMED_BY and isinstance(was, Sequence) and isinstance(becomes, Sequence):
        ours, theirs = _by_name(path, was), _by_name(path, becomes)
        return [each for name in dict.fromkeys((*ours, *theirs)) for each in _differing(name, ours.get(name), theirs.get(name))]
    return [Difference(path, was, becomes)]


def _joined(path: str, key: str) -> str:
    return f"{path}.{shown((key,))}" if path else shown((key,))


def _by_name(path: str, elements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The elements by their names in brackets; equal names are numbered."""
    found: dict[str, Any] = {}
    for each in elements:
        name = f"{path}[{_name(path, each)}]"
        times = sum(known == name or known.startswith(f"{name} (") for known in found)
        found[f"{name} ({times + 1})" if times else name] = each
    return found


def _name(path: str, element: Mapping[str, Any]) -> str:
    said = []
    for key in _NAMED_BY[path]:
        value = element.get(key)
        if isinstance(value, Mapping):
            said += [f"{name}={','.join(values)}" for name, values in value.items()]
        elif value is not None:
            said.append(str(value))
    return " ".join(said)
