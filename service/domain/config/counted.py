"""What events are counted with: the keys marked F, whose figures a change may not cut in two."""

from collections.abc import Iterator, Mapping
from typing import Final

from service.domain.config.milestones import Funnel
from service.domain.config.tenant import TenantConfig
from service.domain.localtime import CalendarUnit

UNITS: Final[Mapping[str, CalendarUnit]] = {"features.NAME.frequency": "week", "activity.ignore_features": "day"}
"""Keys that change only where a stretch of time begins, the longest first: users are counted by days, frequent ones by weeks."""
_FEATURE: Final = "feature"


def counted_with(config: TenantConfig) -> dict[str, object]:
    """What decides how events are counted, by key of the file, so that it can be compared."""
    return {
        "activity.ignore_features": config.ignored_features,
        "features.NAME.frequency": frozenset(name for name, each in config.features.items() if each.frequency),
        "integrations.NAME.limit_ms": {name: each.limit_ms for name, each in config.integrations.items() if each.limit_ms},
        "integrations.NAME.tracks_accepted": {name for name, each in config.integrations.items() if each.tracks_accepted},
        "properties": {name: each.values for name, each in config.properties.items()},
        "milestones": {
            name: (each.account, frozenset(each.all_of), frozenset(config.features_of(each.feature) if each.feature else ()))
            for name, each in config.milestones.items()
        },
        "funnel": frozenset(each for funnel in config.funnels for each in _first_uses_of(config, funnel)),
        "completeness": {family: frozenset(fields) for family, fields in config.completeness.items() if fields},
        "slo": frozenset(filter(None, (each.selection(config.features_of) for each in config.slos))),
        "tenant.timezone": config.timezone,
    }


def differing(before: TenantConfig, after: TenantConfig) -> tuple[str, ...]:
    """The keys by which events are counted otherwise; none: they are counted alike."""
    was, becomes = counted_with(before), counted_with(after)
    return tuple(key for key in was if was[key] != becomes[key])


def unit_of(keys: tuple[str, ...]) -> CalendarUnit | None:
    """The stretch of time that a change of these keys may not cut; None: any moment will do."""
    return next((unit for key, unit in UNITS.items() if key in keys), None)


def _first_uses_of(config: TenantConfig, funnel: Funnel) -> Iterator[tuple[str, frozenset[str]]]:
    """Whose first uses a funnel needs: those of its steps where it is ordered, none where each is counted by itself."""
    for step in funnel.steps if funnel.ordered else ():
        if step.users is not None:
            kind, _, name = step.users.partition(":")
            yield step.users, frozenset(config.features_of(name) if kind == _FEATURE else ())
