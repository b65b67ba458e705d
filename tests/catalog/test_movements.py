"""MRR moves by what its parts say, to the last unit, whatever accounts are told to be; against loops over the same events."""

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Window, resolve_window
from service.clock import DAY, HOUR, to_us
from tests.catalog.accounts import Desk, Said, store_accounts
from tests.catalog.rollups import make_tenant

CATALOG = Catalog.load()
FIRST = to_us(datetime(2025, 9, 1, tzinfo=UTC))
NOW = FIRST + 200 * DAY
CUSTOMER = ("active", "at_risk")
MOVES = ("new", "expansion", "reactivation", "contraction", "churned")
STATUSES = ("prospect", "trial", "active", "active", "at_risk", "churned")


@dataclass
class Book:
    """What was told of accounts, asked the plain way."""

    said: list[Said]

    def __post_init__(self) -> None:
        ordered = sorted(self.said, key=lambda one: one.at_us)
        self.told: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for one in ordered:
            for name, value in one.fields.items():
                self.told[one.account, name].append((one.at_us, value))

    @property
    def accounts(self) -> list[str]:
        return sorted({one.account for one in self.said})

    def as_of(self, account: str, name: str, at_us: int) -> str:
        """The newest value before an instant; of several of one instant the one that was told last."""
        return next((value for moment, value in reversed(self.told[account, name]) if moment < at_us), "")

    def is_customer(self, account: str, at_us: int) -> bool:
        return self.as_of(account, "status", at_us) in CUSTOMER

    def was_customer(self, account: str, before_us: int) -> bool:
        """Whether it was one at some time before."""
        moments = {moment for moment, _ in self.told[account, "status"] if moment < before_us}
        return any(self.as_of(account, "status", moment + 1) in CUSTOMER for moment in moments)

    def mrr(self, account: str, at_us: int) -> dict[str, int]:
        money = self.as_of(account, "mrr", at_us)
        if not money or not self.is_customer(account, at_us):
            return {}
        amount, currency = money.split()
        return {currency: int(amount)}


def random_book(seed: int) -> Book:
    dice = random.Random(seed)
    said = []
    for number in range(40):
        at = FIRST + dice.randrange(40 * DAY)
        for _ in range(dice.randrange(1, 9)):
            fields: dict[str, str] = {}
            if dice.random() < 0.6:
                fields["status"] = dice.choice(STATUSES)
            if dice.random() < 0.7:
                fields["mrr"] = f"{dice.choice((0, 100, 250, 99_999))} {dice.choice(('USD', 'USD', 'EUR'))}"
            if dice.random() < 0.3:
                fields["tier"] = dice.choice(("enterprise", "starter"))
            said.append(Said(at, f"a{number}", fields))
            at += dice.choice((0, HOUR, 5 * DAY, 20 * DAY))
    return Book(said)


def moved(book: Book, window: Window) -> dict[str, dict[str, int]]:
    """The parts of the movement by currency."""
    parts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("", *MOVES), 0))
    for account in book.accounts:
        before, after = book.mrr(account, window.start_us), book.mrr(account, window.until_us)
        was, now = book.is_customer(account, window.start_us), book.is_customer(account, window.until_us)
        for currency in before.keys() | after.keys():
            change = after.get(currency, 0) - before.get(currency, 0)
            if not was:
                kind = "reactivation" if book.was_customer(account, window.start_us) else "new"
            elif not now:
                kind = "churned"
            else:
                kind = "expansion" if change >= 0 else "contraction"
            parts[currency][kind] += abs(change)
            parts[currency][""] += change
    return dict(parts)


@pytest.mark.parametrize("seed", range(6))
async def test_new_expansion_and_reactivation_less_contraction_and_churn_are_the_change_of_mrr(
    connection: asyncpg.Connection, seed: int
) -> None:
    book, desk = await told(connection, seed)
    for name, end in (
        ("month", FIRST + 50 * DAY),
        ("week", FIRST + 30 * DAY),
        ("90d", FIRST + 100 * DAY),
        ("1d", FIRST + 9 * DAY),
    ):
        desk.window = resolve_window(desk.window.tenant, "UTC", now_us=NOW, name=name, end_us=end)
        wanted = moved(book, desk.window)
        found = {statistic: await desk.ask("mrr_movement", "currency", statistic=statistic) for statistic in ("", *MOVES)}
        assert {currency: {s: found[s][currency] for s in found} for currency in found[""]} == wanted
        before = {currency: total(book, desk.window.start_us, currency) for currency in wanted}
        after = {currency: total(book, desk.window.until_us, currency) for currency in wanted}
        for currency, parts in wanted.items():
            gained = parts["new"] + parts["expansion"] + parts["reactivation"]
            assert gained - parts["contraction"] - parts["churned"] == parts[""] == after[currency] - before[currency]
        mrr = await desk.ask("mrr", "currency")
        assert {currency: mrr.get(currency, 0) for currency in wanted} == after


@pytest.mark.parametrize("seed", range(6, 10))
async def test_customers_churn_and_retention_are_those_of_plain_loops(connection: asyncpg.Connection, seed: int) -> None:
    book, desk = await told(connection, seed)
    for name, end in (("month", FIRST + 50 * DAY), ("90d", FIRST + 100 * DAY), ("year", FIRST + 100 * DAY)):
        desk.window = window = resolve_window(desk.window.tenant, "UTC", now_us=NOW, name=name, end_us=end)
        at_end = [account for account in book.accounts if book.is_customer(account, window.until_us)]
        held = [account for account in book.accounts if book.is_customer(account, window.start_us)]
        kept = [account for account in held if account in at_end]
        first = [a for a in at_or_since(book, window) if not book.was_customer(a, window.start_us)]
        assert await desk.one("customers") == len(at_end)
        assert await desk.one("new_customers") == len(first)
        assert await desk.one("customer_retention") == (len(kept) / len(held) if held else None)
        assert await desk.one("customer_churn") == churn(book, window, lambda account, at: int(book.is_customer(account, at)))
        dollars = churn(book, window, lambda account, at: book.mrr(account, at).get("USD", 0))
        assert await desk.one("revenue_churn", currency="USD") == dollars
        tiers: dict[str, int] = defaultdict(int)
        for account in at_end:
            tiers[book.as_of(account, "tier", window.until_us)] += 1
        assert {tier: n for tier, n in (await desk.ask("customers", "tier")).items() if n} == tiers


def at_or_since(book: Book, window: Window) -> list[str]:
    """Accounts that were customers at some time up to the window's end."""
    return [account for account in book.accounts if book.was_customer(account, window.until_us)]


def churn(book: Book, window: Window, worth: Any) -> Any:
    """What was lost over the mean of what was held, of a year month by month."""
    starts = [window.start_us]
    if window.name == "year":
        starts += [s for m in range(2, 13) if (s := to_us(datetime(2025, m, 1, tzinfo=UTC))) < window.until_us]
    ends = [*starts[1:], window.until_us]
    held = [[a for a in book.accounts if book.is_customer(a, start)] for start in starts]
    base = Fraction(sum(worth(a, start) for start, of in zip(starts, held, strict=True) for a in of), len(starts))
    lost = sum(
        worth(a, start)
        for start, end, of in zip(starts, ends, held, strict=True)
        for a in of
        if book.as_of(a, "status", end) == "churned"
    )
    return pytest.approx(float(lost / base), rel=1e-12) if base else None


def total(book: Book, at_us: int, currency: str) -> int:
    return sum(book.mrr(account, at_us).get(currency, 0) for account in book.accounts)


async def told(connection: asyncpg.Connection, seed: int) -> tuple[Book, Desk]:
    tenant, other = await make_tenant(connection, "pilot"), await make_tenant(connection, "other")
    book = random_book(seed)
    await store_accounts(connection, tenant, book.said)
    await store_accounts(connection, other, random_book(seed + 100).said)
    return book, Desk(CATALOG, connection, resolve_window(tenant, "UTC", now_us=NOW, name="month"))
