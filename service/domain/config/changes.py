"""When a new version may begin: never in the past, and what folds need only where no figure is cut in two."""

from dataclasses import dataclass
from typing import Final

from service.clock import HOUR, to_datetime, to_us
from service.domain import localtime
from service.domain.config.tenant import TenantConfig
from service.domain.config.versions import FOR_EVER_US, TenantConfigs
from service.domain.foldconfig import FoldConfig

FOLD_LEAD_US: Final = HOUR
"""Events may be an hour ahead of their receipt at the most (`TIDEGAUGE_MAX_SKEW_S`): those are folded already."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A key of the new version that cannot be as it is."""

    path: tuple[str, ...]
    message: str


def beginning(configs: TenantConfigs, new: TenantConfig, *, now_us: int, has_data: bool) -> tuple[int, list[Refusal]]:
    """The instant that a new version counts from, in microseconds, and what speaks against it.

    The first version of a tenant reaches back for ever, whatever its `valid_from` says.
    """
    refusals = []
    if has_data and new.timezone != configs.timezone:
        message = f"the time zone is {configs.timezone} and there are events already: days would be cut anew; it stays"
        refusals.append(Refusal(("tenant", "timezone"), message))
    if configs.version == 0:
        return FOR_EVER_US, refusals
    if new.valid_from is None:
        nearest = _shown(_nearest(configs, new, now_us))
        return now_us, [
            *refusals,
            Refusal(("valid_from",), f"is missing: version {configs.version + 1} has to say when it begins, {nearest} or later"),
        ]
    begins_us = to_us(new.valid_from)
    return begins_us, refusals + _refusals(configs, new, begins_us, now_us)


def _refusals(configs: TenantConfigs, new: TenantConfig, begins_us: int, now_us: int) -> list[Refusal]:
    """What speaks against a beginning: it has passed, or what changes for folds would cut a figure in two."""
    before, after = configs.at(begins_us).to_fold(), new.to_fold()
    unit = _unit(before, after)
    wrong = ""
    if begins_us < now_us:
        wrong = "lies in the past"
    elif before != after and begins_us < now_us + FOLD_LEAD_US:
        wrong = f"changes what events are folded with ({_named(before, after)}) within the hour: such a change is an hour ahead"
    elif unit is not None and begins_us != localtime.bounds_us(begins_us, new.timezone, unit)[0]:
        midnight = "midnight of a Monday" if unit == "week" else "midnight"
        wrong = f"changes {_named(before, after)}, and so has to be a {midnight} in {new.timezone}"
    if not wrong:
        return []
    nearest = _shown(_nearest(configs, new, max(now_us, begins_us)))
    return [Refusal(("valid_from",), f"{_shown(begins_us)} {wrong}; write {nearest}")]


def _nearest(configs: TenantConfigs, new: TenantConfig, from_us: int) -> int:
    """The first instant that the version may begin at, of those at `from_us` or later."""
    before, after = configs.at(from_us).to_fold(), new.to_fold()
    earliest = from_us if before == after else from_us + FOLD_LEAD_US
    unit = _unit(before, after)
    if unit is None:
        return -(-earliest // HOUR) * HOUR
    start, end = localtime.bounds_us(earliest, new.timezone, unit)
    return start if start == earliest else end


def _unit(before: FoldConfig, after: FoldConfig) -> localtime.CalendarUnit | None:
    """The stretch of time that no change may cut: users are counted by days, frequent ones by weeks."""
    if before.frequency_features != after.frequency_features:
        return "week"
    if before.ignore_features != after.ignore_features:
        return "day"
    return None


def _named(before: FoldConfig, after: FoldConfig) -> str:
    """The keys that differ, as the file names them."""
    changed = {
        "features.NAME.frequency": before.frequency_features != after.frequency_features,
        "activity.ignore_features": before.ignore_features != after.ignore_features,
        "integrations.NAME.limit_ms": before.limit_ns != after.limit_ns,
        "properties": before.properties != after.properties,
    }
    return ", ".join(name for name, differs in changed.items() if differs)


def _shown(instant_us: int) -> str:
    return to_datetime(instant_us).isoformat().replace("+00:00", "Z")
