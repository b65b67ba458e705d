"""Random streams: every event from a number of its own, so that a failing stream can be made smaller event by event."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from service.clock import DAY, HOUR, SECOND
from tests.oracle.bodies import BODIES, WEIGHTS
from tests.oracle.customers import CUSTOMER_BODIES
from tests.oracle.scene import LATENESS_US, SKEW_US, Scene

ALL_BODIES = BODIES | CUSTOMER_BODIES
SOURCES = ("/a", "/B", "/shop/web", "/é")
LIMITS_US = (-LATENESS_US, -LATENESS_US - 1, 1 - LATENESS_US, SKEW_US, SKEW_US + 1, 0)
INITIALS = ("a", "B", "_", "9", "é")
OFFSETS_MIN = (None, 0, 345, -240, 630, -300)


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as it is sent, and by what request."""

    event: dict[str, Any]
    time_us: int | None
    received_us: int
    backfill: bool
    refused: str = ""
    """The reason for which the door refuses it."""

    @property
    def family(self) -> str:
        """The family in the log."""
        return "rejected" if self.refused else str(self.event["type"]).split(".")[2]


def stream(
    seeds: Sequence[int], scene: Scene, *, copies_differ: bool = True, weights: Mapping[str, float] = WEIGHTS
) -> list[Sent]:
    """One event a seed, some of them copies of earlier ones; `weights` says how often each family comes."""
    made: list[Sent] = []
    for number, seed in enumerate(seeds):
        pick = random.Random(seed)
        if made and pick.random() < 0.25:
            of = made[pick.randrange(len(made))]
            made.append(_copy(pick, number, of, scene) if copies_differ else of)
        else:
            made.append(_fresh(pick, number, scene, weights))
    return made


def _fresh(pick: random.Random, number: int, scene: Scene, weights: Mapping[str, float]) -> Sent:
    time_us = _time(pick, scene)
    received_us, backfill = _receipt(pick, time_us, scene)
    is_crowd = pick.random() < 0.25
    family = "usage" if is_crowd else pick.choices(list(weights), list(weights.values()))[0]
    subject, data = ALL_BODIES[family](pick, time_us or received_us)
    event = {
        "specversion": "1.0",
        "id": f"{pick.choice(INITIALS)}{number}",
        "source": pick.choice(SOURCES),
        "type": f"io.tidegauge.{family}.v1",
        "data": data,
    }
    if subject:
        event["subject"] = subject
    if is_crowd:
        # Each of them comes once: more than a block of seats for one account.
        event |= {"subject": f"w{number}", "account": "acme"}
    elif account := pick.choice(("", "", "acme", "beta", "core")):
        event["account"] = account
    if time_us is not None:
        event["time"] = written(time_us, pick)
    sent = Sent(event, time_us, received_us, backfill)
    return _spoilt(pick, sent) if pick.random() < 0.04 else sent


def _time(pick: random.Random, scene: Scene) -> int | None:
    """Mostly near a border, some in between, some at the limits of lateness, some long ago, some none."""
    kind = pick.random()
    if kind < 0.06:
        return None
    if kind < 0.5:
        near = pick.choice((0, 0, -1, 1, 999_999, -SECOND, pick.randrange(-HOUR, HOUR), pick.randrange(-4 * HOUR, 4 * HOUR)))
        return pick.choice(scene.borders()) + near
    if kind < 0.65:
        return pick.choice(scene.receipts()) + pick.choice(
            (-LATENESS_US, -LATENESS_US - 1, SKEW_US, SKEW_US + 1, 0, 1 - LATENESS_US)
        )
    if kind < 0.75:
        return scene.midnight(-6) - pick.randrange(34 * DAY)
    return scene.midnight(-5) + pick.randrange(8 * DAY)


def _receipt(pick: random.Random, time_us: int | None, scene: Scene) -> tuple[int, bool]:
    receipts = scene.receipts()
    after = [received for received in receipts if time_us is None or received >= time_us - SKEW_US]
    received = pick.choice(after or receipts) if pick.random() < 0.97 else pick.choice(receipts)
    is_old = time_us is not None and time_us < received - LATENESS_US
    return received, pick.random() < (0.6 if is_old else 0.15)


def _copy(pick: random.Random, number: int, of: Sent, scene: Scene) -> Sent:
    """A copy as it comes, in another request, with another text or source or time or content, or a twin of the same time."""
    event, kind = dict(of.event), pick.random()
    if of.refused or kind < (0.1 if of.time_us is None else 0.35):
        return of
    if kind < 0.5:
        after = [at for at in scene.receipts() if of.time_us is None or at >= of.time_us - SKEW_US]
        return replace(of, received_us=pick.choice(after or [of.received_us]), backfill=pick.random() < 0.3)
    if kind < 0.6 and of.time_us is not None:
        return replace(of, event=event | {"time": written(of.time_us, pick)})
    if kind < 0.7:
        return replace(of, event=event | {"source": pick.choice(SOURCES)})
    if kind < 0.75 and of.time_us is not None:
        later = of.time_us + pick.choice((-1, 1, HOUR))
        return replace(of, event=event | {"time": written(later, pick)}, time_us=later)
    if kind < 0.94:
        data = BODIES[of.family](pick, of.time_us or of.received_us)[1]
        return replace(of, event=event | {"id": pick.choice(INITIALS) + str(number), "data": data})
    family = pick.choices(list(WEIGHTS), list(WEIGHTS.values()))[0] if kind > 0.98 else of.family
    subject, data = BODIES[family](pick, of.time_us or of.received_us)
    event |= {"type": f"io.tidegauge.{family}.v1", "subject": subject or "s", "data": data, "account": "acme"}
    return replace(of, event=event)


def _spoilt(pick: random.Random, sent: Sent) -> Sent:
    event: dict[str, Any] = dict(sent.event)
    reason = pick.choice(
        ("missing_field", "bad_time", "too_long", "unknown_type", "wrong_type", "out_of_range", "bad_name", "not_allowed")
    )
    usage = {"type": "io.tidegauge.usage.v1", "subject": "u1"}
    match reason:
        case "missing_field":
            event["data"] = {}
        case "bad_time":
            event["time"] = pick.choice(("yesterday", "2025-02-30T00:00:00Z", "2025-11-01T00:00:00"))
        case "too_long":
            event["id"] = "x" * 257
        case "unknown_type":
            event["type"] = "io.tidegauge.nothing.v1"
        case "wrong_type":
            event |= usage | {"data": {"feature": 7}}
        case "out_of_range":
            event |= usage | {"data": {"feature": "audit", "duration_ms": -1}}
        case "bad_name":
            event |= usage | {"data": {"feature": "a,b"}}
        case _:
            event |= usage | {"data": {"feature": "audit", "phase": "start"}}
    return replace(sent, event=event, refused=reason)


def written(instant_us: int, pick: random.Random) -> str:
    """An instant as some client writes it: in some offset, with digits that say nothing past the microsecond."""
    offset = pick.choice(OFFSETS_MIN)
    zone = timezone(timedelta(minutes=offset or 0))
    at = datetime(1970, 1, 1, tzinfo=timezone.utc).astimezone(zone) + timedelta(microseconds=instant_us)  # noqa: UP017
    text = at.strftime("%Y-%m-%dT%H:%M:%S")
    if instant_us % SECOND or pick.random() < 0.5:
        text += f".{instant_us % SECOND:06d}" + pick.choice(("", "", "999"))
    return text + ("Z" if offset is None else f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}")
