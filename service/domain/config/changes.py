"""When a new version may begin: never in the past, and what folds need only where no figure is cut in two."""

from dataclasses import dataclass
from typing import Final

from service.clock import HOUR, to_datetime, to_us
from service.domain import localtime
from service.domain.config.counted import differing, unit_of
from service.domain.config.tenant import TenantConfig
from service.domain.config.versions import FOR_EVER_US, TenantConfigs

FOLD_LEAD_US: Final = HOUR
"""Events may be an hour ahead of their receipt at the most (`TIDEGAUGE_MAX_SKEW_S`): those are folded already."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A key of the new version that cannot be as it is."""

    path: tuple[str, ...]
    message: str


def beginning_us(configs: TenantConfigs, new: TenantConfig) -> int | None:
    """The instant that a new version counts from; None where it does not say.

    The first version of a tenant reaches back for ever, whatever its `valid_from` says.
    """
    if configs.version == 0:
        return FOR_EVER_US
    return None if new.valid_from is None else to_us(new.valid_from)


def refusals(configs: TenantConfigs, new: TenantConfig, *, now_us: int, has_data: bool, is_whole: bool = True) -> list[Refusal]:
    """What speaks against a new version; `is_whole` is not so where only its calendar and beginning could be read."""
    found = []
    if has_data and new.timezone != configs.timezone:
        message = f"there are events already, and another zone would cut their days anew: it stays {configs.timezone}"
        found.append(Refusal(("tenant", "timezone"), message))
    begins_us = beginning_us(configs, new)
    counted = new if is_whole else None
    if begins_us is None:
        nearest = _shown(_nearest(configs, counted, now_us))
        message = f"is missing: version {configs.version + 1} has to say when it begins; write {nearest} or a later time"
        found.append(Refusal(("valid_from",), message))
    elif begins_us != FOR_EVER_US and (wrong := _wrong(configs, counted, begins_us, now_us)):
        nearest = _shown(_nearest(configs, counted, max(now_us, begins_us)))
        found.append(Refusal(("valid_from",), f"{_shown(begins_us)} {wrong}; write {nearest}"))
    return found


def _wrong(configs: TenantConfigs, new: TenantConfig | None, begins_us: int, now_us: int) -> str:
    """What is wrong with a beginning: it has passed, or what changes for folds would cut a figure in two."""
    if begins_us < now_us:
        return "lies in the past"
    if new is None:
        return ""
    if counted := _counted_otherwise(configs, new, begins_us, now_us + FOLD_LEAD_US):
        return f"changes {_named(counted)}, and so has to be an hour ahead: events of that hour may be counted already"
    changed = _changed(configs, new, begins_us)
    unit = unit_of(changed)
    if unit is not None and begins_us != localtime.bounds_us(begins_us, configs.timezone, unit)[0]:
        midnight = "midnight of a Monday" if unit == "week" else "midnight"
        return f"changes {_named(changed)}, and so has to be a {midnight} in {configs.timezone}"
    return ""


def _counted_otherwise(configs: TenantConfigs, new: TenantConfig, from_us: int, until_us: int) -> tuple[str, ...]:
    """The keys by which events of a stretch of time may be counted already otherwise than they would be from now on."""
    starts = [from_us, *(each for each in configs.valid_from_us if each > from_us)]
    changes = (differing(configs.at(each), new) for each in starts if each < until_us)
    return next((keys for keys in changes if keys), ())


def _nearest(configs: TenantConfigs, new: TenantConfig | None, from_us: int) -> int:
    """The first instant that the version may begin at, of those from `from_us` on; full hours where any would do."""
    changed = () if new is None else _changed(configs, new, from_us)
    unit = unit_of(changed)
    earliest = from_us + FOLD_LEAD_US if changed else from_us
    if unit is None:
        return -(-earliest // HOUR) * HOUR
    start, end = localtime.bounds_us(earliest, configs.timezone, unit)
    return start if start == earliest else end


def _changed(configs: TenantConfigs, new: TenantConfig, at_us: int) -> tuple[str, ...]:
    """What events are counted with that is another from an instant on at which a version begins."""
    return differing(configs.at(at_us - 1), new)


def _named(keys: tuple[str, ...]) -> str:
    return " and ".join(keys)


def _shown(instant_us: int) -> str:
    return to_datetime(instant_us).isoformat().replace("+00:00", "Z")
