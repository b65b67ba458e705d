"""Limits, misses and credits as statements compute them, held to the plain rules of service/domain/support."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from service.catalog import Catalog, Question, Window, declared_of, resolve_window, run
from service.catalog.arguments import arguments
from service.catalog.kpi import Head, Kpi
from service.catalog.statement import statement
from service.clock import DAY, to_us
from service.domain.config import TenantConfig
from service.domain.support.credits import TERMS, credit, percent
from service.domain.support.hours import SupportCalendar, hours_over
from service.domain.support.judging import Due, State, judge, settled
from service.domain.support.rules import rules_of
from tests.catalog.people import Told, store_milestones
from tests.catalog.rollups import make_tenant
from tests.catalog.support import ACCOUNTS, TIERS, Dated, Ticket, random_tickets, store_tickets, store_values

SETTLED = Kpi(
    Head(id="s", title="", definition="", family="", unit="", kind="count", better="neither", custom=True),
    """
    select c.tenant, w.win, jsonb_build_object('subject', c.subject, 'measure', m.name) as dims, m.at_us, m.is_met
    from wins w join ticket_dues c on c.tenant = w.tenant
    cross join lateral (
      values ('response', c.response_us, c.response_met), ('resolution', c.resolution_us, c.resolution_met),
             ('both', c.both_us, c.both_met)
    ) as m(name, at_us, is_met)
    where m.at_us is not null
    """,
    file="here",
)
"""Asks for the moments themselves."""


def config_of(dice: random.Random, zone: str, first: date) -> TenantConfig:
    """Some hours, some holidays, some rules of a tenant's own."""
    holidays = sorted({first + timedelta(days=dice.randrange(60)) for _ in range(dice.randrange(6))})
    rules: list[dict[str, Any]] = [
        {"category": "billing", "response": dice.choice(("8h", "2bh")), "resolution": "5bd"},
        {"account": "acme", "priority": dice.choice(("P0", "P2")), "resolution": dice.choice(("90m", "3d", "12bh"))},
        {"within_days_of_go_live": 7, "response": "1bh"},
        {"tier": "starter", "response": "1bd"},
    ]
    tenant = {
        "timezone": dice.choice(("UTC", zone)),
        "support_timezone": zone,
        "support_hours": dice.choice(("09:00-18:00", "09:00-18:00", "00:00-24:00", "07:30-12:15", "20:00-23:30")),
        "holidays": holidays,
    }
    return TenantConfig.model_validate({"tenant": tenant, "sla": dice.sample(rules, k=dice.randrange(5))})


class World:
    """A tenant with tickets around a change of the clocks."""

    def __init__(self, seed: int, zone: str, middle: date) -> None:
        dice = random.Random(seed)
        self.start = to_us(datetime.combine(middle - timedelta(days=20), datetime.min.time(), ZoneInfo(zone)))
        self.config = config_of(dice, zone, middle - timedelta(days=20))
        self.tickets = random_tickets(seed, self.start, count=80, span=30 * DAY)
        self.tiers: Dated = {
            account: [(self.start + dice.randrange(-30 * DAY, 20 * DAY), dice.choice(TIERS)) for _ in range(2)]
            for account in ACCOUNTS
        }
        self.live = {account: self.start + dice.randrange(-5 * DAY, 15 * DAY) for account in ACCOUNTS[:3]}
        self.now = self.start + 35 * DAY + dice.randrange(DAY)
        self.has_known = seed % 2 == 0
        """Their tiers are then so few that all are read; else they are looked up account by account."""

    async def store(self, connection: asyncpg.Connection) -> int:
        tenant = await make_tenant(connection, "pilot")
        await store_tickets(connection, tenant, self.tickets, random.Random(1))
        await store_values(connection, tenant, "tier", self.tiers)
        told = [Told(account, at, "go_live", account) for account, at in self.live.items()]
        if self.has_known:
            told += [Told(account, self.start - 40 * DAY, "~known", account) for account in ACCOUNTS]
        await store_milestones(connection, tenant, told, kind="account")
        return tenant

    def judged(self, ticket: Ticket, now: int) -> list[Due]:
        facts = ticket.facts(self.tiers, self.live)
        hours = hours_over(SupportCalendar.of(self.config), [self.start - DAY])
        return judge(facts, rules_of(self.config.sla_rules), hours, now)

    def settled(self, ticket: Ticket, now: int) -> dict[str, tuple[State, int]]:
        """What was met or missed by now, and when."""
        dues = self.judged(ticket, now)
        named = {
            "response": [due for due in dues if due.measure == "response"],
            "resolution": [due for due in dues if due.measure != "response"],
            "both": dues,
        }
        found = {name: settled(several, now) for name, several in named.items()}
        return {name: how for name, how in found.items() if how is not None}

    def window(self, tenant: int, name: str, end: int) -> Window:
        return resolve_window(tenant, self.config.timezone, now_us=self.now, name=name, end_us=end, key=(name, end))


CASES = [
    (1, "America/New_York", date(2025, 11, 2)),
    (2, "America/New_York", date(2026, 3, 8)),
    (3, "Asia/Beirut", date(2026, 3, 29)),
    (4, "Africa/Cairo", date(2025, 10, 31)),
    (5, "Africa/Cairo", date(2026, 4, 24)),
    (6, "Australia/Lord_Howe", date(2026, 4, 5)),
    (7, "America/Havana", date(2025, 11, 2)),
    (8, "UTC", date(2025, 12, 25)),
]


@pytest.mark.parametrize(("seed", "zone", "middle"), CASES)
async def test_every_limit_is_met_or_missed_at_the_very_microsecond_that_the_rules_say(
    connection: asyncpg.Connection, seed: int, zone: str, middle: date
) -> None:
    world = World(seed, zone, middle)
    tenant = await world.store(connection)
    whole = resolve_window(tenant, world.config.timezone, now_us=world.now, start_us=world.start - DAY, end_us=world.now)
    made = statement(SETTLED, (), frozenset(), columns=("at_us", "is_met"))
    bound = arguments(SETTLED, [whole], Question(), (), {tenant: declared_of(world.config)}, frozenset(made.parameters))
    rows = await connection.fetch(made.text, *(bound[name] for name in made.parameters))
    found = {row["dims"]: (row["at_us"], row["is_met"]) for row in rows if row["at_us"] < world.now}
    wanted = {
        f'{{"measure": "{name}", "subject": "{ticket.subject}"}}': (at, state is State.MET)
        for ticket in world.tickets
        for name, (state, at) in world.settled(ticket, world.now).items()
        if at < world.now
    }
    assert found == wanted
    assert {is_met for _, is_met in found.values()} == {True, False}


@pytest.mark.parametrize(("seed", "zone", "middle"), CASES[:2])
async def test_each_window_has_the_tickets_that_were_settled_in_it(
    connection: asyncpg.Connection, seed: int, zone: str, middle: date
) -> None:
    world, catalog = World(seed, zone, middle), Catalog.load()
    tenant = await world.store(connection)
    windows = [world.window(tenant, "day", world.start + day * DAY) for day in range(1, 36)]
    windows += [world.window(tenant, "month", world.now), world.window(tenant, "7d", world.start + 20 * DAY)]
    names = {"": "both", "response": "response", "resolution": "resolution"}
    for by, filters in (((), {}), (("priority",), {}), (("tier", "category"), {}), (("account",), {"tier": ("enterprise",)})):
        question = Question(by=by, filters=filters, statistics=("", "response", "resolution", "missed_resolutions"))
        found = await run(
            connection, catalog.kpis["support_sla"], windows, question, declared={tenant: declared_of(world.config)}
        )
        got = {(v.window, tuple(v.dims[n] for n in by), v.statistic): (v.numerator, v.denominator) for v in found}
        wanted: dict[Any, Any] = {}
        for window in windows:
            met: Counter[tuple[Any, str]] = Counter()
            judged: Counter[tuple[Any, str]] = Counter()
            for ticket in world.tickets:
                settled_ = world.settled(ticket, world.now)
                for dims in ticket.dims(by, filters, world.tiers):
                    for statistic, name in names.items():
                        if name in settled_ and window.start_us <= settled_[name][1] < window.end_us:
                            judged[dims, statistic] += 1
                            met[dims, statistic] += settled_[name][0] is State.MET
            wanted |= {(window.key, *key): (met[key], n) for key, n in judged.items()}
            wanted |= {
                (window.key, dims, "missed_resolutions"): (n - met[dims, "resolution"], None)
                for (dims, statistic), n in judged.items()
                if statistic == "resolution"
            }
        # The whole of a window has a figure though nothing was judged in it.
        assert {key: parts for key, parts in got.items() if parts[1] or parts[0] or key in wanted} == wanted, by


@pytest.mark.parametrize(("seed", "zone", "middle"), CASES)
async def test_credits_of_a_month_are_those_of_its_misses(
    connection: asyncpg.Connection, seed: int, zone: str, middle: date
) -> None:
    world, catalog, dice = World(seed, zone, middle), Catalog.load(), random.Random(seed)
    tenant = await world.store(connection)
    fees: dict[str, Sequence[tuple[int, str]]] = {
        account: [
            (world.start + dice.randrange(-DAY, 30 * DAY), f"{dice.choice((0, 990, 12_350, 10**9 + 1))} {currency}") for _ in "ab"
        ]
        for account, currency in zip(ACCOUNTS[1:], ("USD", "EUR", "USD"), strict=True)
    }
    await store_values(connection, tenant, "mrr", fees)
    windows = [world.window(tenant, name, world.now - ago * DAY) for name, ago in (("month", 0), ("month", 31), ("quarter", 0))]
    question = Question(by=("account",))
    found = await run(
        connection, catalog.kpis["support_credits"], windows, question, declared={tenant: declared_of(world.config)}
    )
    got = {(v.window, v.dims["account"], v.statistic): v.value for v in found if v.reason != "mixed_units"}
    wanted: dict[Any, Any] = {}
    for window in windows:
        for account in ACCOUNTS:
            wanted |= {(window.key, account, k): v for k, v in owed(world, window, account, fees.get(account, ())).items()}
    assert got == wanted
    known = {tenant: declared_of(world.config)}
    by = await run(
        connection, catalog.kpis["support_credits"], windows, Question(by=("currency",), statistics=("",)), declared=known
    )
    of_currency = {(v.window, v.dims["currency"]): v.value for v in by if v.dims["currency"]}
    sums: Counter[tuple[Any, str]] = Counter()
    for (key, account, statistic), value in wanted.items():
        if statistic == "" and fees.get(account):
            sums[key, fees[account][0][1].split()[1]] += value
    assert {key: value for key, value in of_currency.items() if value} == {key: n for key, n in sums.items() if n}


def owed(world: World, window: Window, account: str, fees: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """The credit of an account's misses in the months whose fifteenth lies in the window."""
    zone = ZoneInfo(world.config.tenant.support_timezone or "UTC")
    misses: dict[date, list[tuple[int, str, str]]] = defaultdict(list)
    for ticket in world.tickets:
        tier = ticket.tier(world.tiers)
        if ticket.account == account and tier:
            for name, (state, at) in world.settled(ticket, world.now).items():
                if state is State.MISSED and name != "both":
                    local = datetime.fromtimestamp(at // 1_000_000, zone)
                    misses[date(local.year, local.month, 1)].append((at, name, tier))
    found: dict[str, Any] = {}
    money, weighed, weights, count, reviews = 0, 0, 0, 0, 0
    for month, several in misses.items():
        middle = to_us(datetime(month.year, month.month, 15, 12, tzinfo=zone))
        if not window.start_us <= middle < window.end_us:
            continue
        after = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
        end = min(to_us(datetime(after.year, after.month, 1, tzinfo=zone)), world.now)
        known = [value for at, value in sorted(fees) if at < end]
        fee = int(known[-1].split()[0]) if known else None
        quarter = sorted(
            (at, tier)
            for of, all_ in misses.items()
            for at, _, tier in all_
            if (of.year, (of.month - 1) // 3) == (month.year, (month.month - 1) // 3)
        )
        for tier in {tier for _, _, tier in several}:
            ours = Counter(name for _, name, of in several if of == tier)
            share = percent(TERMS[tier], responses=ours["response"], resolutions=ours["resolution"])
            money += credit(share, fee) if fee is not None else 0
            weighed, weights = weighed + share * (fee or 0), weights + (fee or 0)
            count += ours.total()
            at_third = [at for place, (at, of) in enumerate(quarter, start=1) if place == TERMS[tier].review_from and of == tier]
            reviews += any(at in {when for when, _, of in several if of == tier} for at in at_third)
            found.setdefault("shares", []).append(share)
    if not found:
        return {}
    shares = found["shares"]
    mean = weighed / 100 / weights if weighed else sum(shares) / 100 / (weights or len(shares))
    return {"": money, "share": pytest.approx(mean), "misses": count, "reviews": reviews}
