"""The highest rate that everything together sustains: short probes look for it, then it is held while the lag is watched."""

import asyncio
import contextlib
from dataclasses import dataclass
from statistics import median

from loadtests.client import LoadClient
from loadtests.marks import consumed, mark
from loadtests.results import Held, Lag, Sustained
from loadtests.site import Site
from loadtests.stage import Door, Stage, everything
from loadtests.traffic import Population
from loadtests.visible import visible
from service.settings import Settings

HOLD_FLUSHES = 2
"""While it is not known what the machine takes, so much backlog makes the client pause, half of it lets it go on."""
SAMPLE_S = 0.5
UP, DOWN = 1.12, 0.88
"""From one probe's rate to the next one's, until one was too much and one was not."""
HOLDS = 3
HOLD_DOWN = 0.93
PROBED_GROWTH, HELD_GROWTH = 0.05, 0.01
"""Of the rate: a lag that grows by less is flat. Short probes see few flushes, so more is noise there."""
DELIVERED = 0.98
"""Of the rate: a client that delivers less was the limit itself, or was held up."""
MODEST_EVENTS_PER_S = 1_000
LINGER_S = 120.0
"""At most so much longer than measured does a client send."""


@dataclass(frozen=True, slots=True)
class Search:
    """How the rate is looked for, and with what it is compared."""

    door: Door
    seconds: float
    """Of a probe."""
    probes: int
    hold_s: float
    crowd: int
    """Tenants of the last measurement."""


async def sustained(site: Site, population: Population, search: Search) -> Sustained:
    """Look for the rate, hold it, and see how long events take to show at half of it, with one tenant and with a crowd."""
    door, seconds, hold_s = search.door, search.seconds, search.hold_s
    alone = Population(1, population.users, population.accounts, population.features, population.seed)
    crowd = Population(search.crowd, max(search.crowd, population.users), 0, population.features, population.seed)
    async with everything(site, alone if door == "source" else population, door) as stage:
        probes = await _search(stage, seconds, search.probes)
        held = await _held(stage, probes, hold_s)
    # What was sent, not what came through: in a hold of a second there may be no flush at all.
    rate = held.asked_events_per_s
    waits = [
        await visible(site, alone, door, seconds, events_per_s=min(rate / 2, MODEST_EVENTS_PER_S)),
        await visible(site, alone, door, seconds, events_per_s=rate / 2),
        await visible(site, crowd, "http", seconds, events_per_s=rate / 2),
    ]
    return Sustained(door=door, probes=probes, held=held, visible=waits)


async def _search(stage: Stage, seconds: float, most: int) -> list[Held]:
    low, high = 0.0, float("inf")
    rate = await _estimate(stage, seconds)
    probes: list[Held] = []
    for _ in range(most):
        probe = await _at(stage, rate, seconds, growth=PROBED_GROWTH)
        probes.append(probe)
        low, high = (max(low, rate), high) if probe.flat else (low, min(high, rate))
        rate = (low + high) / 2 if low and high < float("inf") else rate * (UP if probe.flat else DOWN)
    return probes


async def _held(stage: Stage, probes: list[Held], hold_s: float) -> Held:
    """The highest rate that a probe found flat, or lower; raises RuntimeError when none of a few is."""
    flat = [probe.asked_events_per_s for probe in probes if probe.flat]
    rate = max(flat) if flat else min(probe.asked_events_per_s for probe in probes) * DOWN
    for _ in range(HOLDS):
        held = await _at(stage, rate, hold_s, growth=HELD_GROWTH)
        if held.flat:
            break
        rate *= HOLD_DOWN
    return held


async def _estimate(stage: Stage, seconds: float) -> float:
    """About what the machine takes: the client sends as fast as it can, and pauses while the backlog is long."""
    loop = asyncio.get_running_loop()
    base = await consumed(stage.connection)
    turn = asyncio.Lock()  # of the connection
    async with stage.load(seconds, events_per_s=None) as client:
        holding = asyncio.create_task(_hold_back(stage, client, base, turn))
        try:
            await client.begun()
            async with turn:
                began_s, first = loop.time(), await consumed(stage.connection)
            await client.outcome()
            async with turn:
                last, took_s = await consumed(stage.connection), loop.time() - began_s
        finally:
            holding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await holding
    await stage.drained()
    # A run of a second may see no flush at all.
    return max(1_000.0, (last - first) / took_s)


async def _hold_back(stage: Stage, client: LoadClient, base: int, turn: asyncio.Lock) -> None:
    most = HOLD_FLUSHES * Settings().flush_events
    held = False
    while True:
        async with turn:
            lag = base + client.acknowledged - await consumed(stage.connection)
        if held != (held := lag > (most / 2 if held else most)):
            await client.say(b"pause" if held else b"go")
        await asyncio.sleep(SAMPLE_S / 5)


async def _at(stage: Stage, rate: float, seconds: float, *, growth: float) -> Held:
    """Send at a fixed rate for so long, and watch the lag."""
    loop = asyncio.get_running_loop()
    base = await consumed(stage.connection)
    lag: list[Lag] = []
    # It goes on until everything is read, however long that takes, and is told to stop then.
    async with stage.load(seconds, events_per_s=rate, linger_s=LINGER_S) as client:
        await client.begun()
        began, client_s, sent = await mark(stage.site, stage.connection, stage.roles), client.cpu_s(), client.acknowledged
        while (at_s := loop.time() - began.at_s) < seconds - SAMPLE_S or not lag:
            behind = base + client.acknowledged - await consumed(stage.connection)
            lag.append(Lag(at_s=round(at_s, 2), events=behind))
            await asyncio.sleep(SAMPLE_S)
        ended = await mark(stage.site, stage.connection, stage.roles)
        used, delivered = client.cpu_s() - client_s, (client.acknowledged - sent) / (ended.at_s - began.at_s)
        await client.say(b"stop")
        await client.outcome()
    await stage.drained()
    events, took_s = ended.events - began.events, ended.at_s - began.at_s
    grew = _growth(lag, took_s)
    kept_up = delivered >= DELIVERED * rate
    return Held(
        asked_events_per_s=rate,
        events_per_s=events / took_s,
        seconds=took_s,
        flat=kept_up and grew <= growth * rate,
        growth_events_per_s=grew,
        lag=lag,
        cpu_us=ended.us_since(began, events) | {"client": used * 1e6 / max(1, events)},
        complaint="" if kept_up else f"only {delivered:,.0f} events a second were taken",
    )


def _growth(lag: list[Lag], took_s: float) -> float:
    """Events a second by which it grew: from the median of its first third to that of its last one."""
    third = max(1, len(lag) // 3)
    if len(lag) < 2:  # noqa: PLR2004
        return 0.0
    first, last = (median(each.events for each in part) for part in (lag[:third], lag[-third:]))
    return (last - first) / (took_s * 2 / 3)
