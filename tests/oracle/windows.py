"""Windows of every kind around the change of a scene."""

from typing import Any

from service.catalog import Window, resolve_window
from service.clock import DAY, HOUR, MINUTE, QUARTER
from tests.oracle.scene import Scene


def windows_of_days(scene: Scene, tenant: int) -> list[Window]:
    """Windows of whole local days around the change, some of them open."""
    change, noon = scene.midnight(), scene.midnight() + 12 * HOUR
    spans: list[dict[str, Any]] = [
        *({"name": name, "end_us": noon} for name in ("day", "7d", "week", "month")),
        *({"name": name, "end_us": scene.now_us} for name in ("28d", "week", "month")),
        {"name": "7d", "end_us": change},
        {"start_us": scene.midnight(-3) + 1, "end_us": change + 1},
    ]
    return [
        resolve_window(tenant, scene.zone, now_us=scene.now_us, whole_days=True, key=(tenant, key), **span)
        for key, span in enumerate(spans)
    ]


def windows_of_weeks(scene: Scene, tenant: int) -> list[Window]:
    """Calendar weeks around the change, one of them open, several together; and windows that are made of none."""
    noon, days = scene.midnight() + 12 * HOUR, scene.change.weekday()
    spans: list[dict[str, Any]] = [
        {"name": "week", "end_us": noon},
        {"name": "week", "end_us": scene.now_us},
        {"start_us": scene.midnight(-days - 14), "end_us": scene.midnight(7 - days)},
        {"name": "7d", "end_us": scene.midnight(1 - days)},
        {"start_us": scene.midnight(-days), "end_us": scene.midnight(8 - days)},
    ]
    return [
        resolve_window(tenant, scene.zone, now_us=scene.now_us, whole_days=True, key=(tenant, key), **span)
        for key, span in enumerate(spans)
    ]


def windows_of_a_day(scene: Scene, tenant: int) -> list[Window]:
    """Days around the change."""
    ends = {day: scene.midnight(day) for day in range(-2, 5)}
    return [
        resolve_window(tenant, scene.zone, now_us=scene.now_us, name="day", end_us=end_us, key=(tenant, day))
        for day, end_us in ends.items()
    ]


def windows_of_quarters(scene: Scene, tenant: int) -> list[Window]:
    """Windows that begin and end on quarters of an hour."""
    change = scene.midnight()
    spans: list[dict[str, Any]] = [
        {"name": "1h", "end_us": change + 3 * HOUR},
        {"name": "24h", "end_us": change + 27 * HOUR},
        *({"name": name, "end_us": change + 1} for name in ("day", "7d", "week", "month")),
        {"name": "28d", "end_us": scene.now_us},
        {"start_us": scene.midnight(-2) + 5 * QUARTER, "end_us": change + 11 * QUARTER},
    ]
    return [resolve_window(tenant, scene.zone, now_us=scene.now_us, key=(tenant, key), **span) for key, span in enumerate(spans)]


def counted_windows(scene: Scene, tenant: int) -> list[Window]:
    """Windows of every kind around the change, cut into minutes, quarters and days."""
    noon, change = scene.midnight() + 12 * HOUR, scene.midnight()
    spans: list[dict[str, Any]] = [
        {"name": "1h", "end_us": change + 3 * HOUR},
        {"name": "5m", "end_us": change + 1},
        {"name": "24h", "end_us": noon + 12 * MINUTE + 1},
        *({"name": name, "end_us": noon} for name in ("day", "1d", "7d", "week", "month")),
        {"name": "28d", "end_us": scene.now_us},
        {"start_us": change - 7 * DAY + QUARTER, "end_us": change + 5 * QUARTER},
        {"start_us": change + 30 * MINUTE + 1, "end_us": change + 25 * HOUR + 7},
        {"start_us": scene.midnight(-40), "end_us": scene.midnight(4)},
    ]
    return [resolve_window(tenant, scene.zone, now_us=scene.now_us, key=(tenant, key), **span) for key, span in enumerate(spans)]


WINDOWS = {
    "any": counted_windows,
    "days": windows_of_days,
    "weeks": windows_of_weeks,
    "day": windows_of_a_day,
    "quarters": windows_of_quarters,
}
