"""Customers and their MRR from what accounts were told to be, by plain loops."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from service.catalog import Window
from tests.oracle.stored import Event
from tests.oracle.wanted import Dims, Filters, Ratio, Wanted, elapsed_days
from tests.oracle.world import World

CUSTOMER = ("active", "at_risk")
MOVES = ("new", "expansion", "reactivation", "contraction", "churned")
Held = dict[str, int]
"""MRR by currency, of one account."""


class Accounts:
    """What was told of the accounts of a world, and what they were at an instant."""

    def __init__(self, world: World) -> None:
        self.told: defaultdict[str, list[Event]] = defaultdict(list)
        for event in sorted(world.of("account"), key=lambda event: event.rank):
            self.told[event.subject].append(event)

    def as_of(self, account: str, name: str, at_us: int) -> object:
        """The newest value of a field before an instant."""
        said = [e.data[name] for e in self.told[account] if e.time_us < at_us and e.data.get(name) not in (None, "")]
        return said[-1] if said else ""

    def is_customer(self, account: str, at_us: int) -> bool:
        """Whether its status is a customer's."""
        return self.as_of(account, "status", at_us) in CUSTOMER

    def first_us(self, account: str) -> int | None:
        """When it first was one."""
        moments = sorted({event.time_us for event in self.told[account] if "status" in event.data})
        return next((moment for moment in moments if self.is_customer(account, moment + 1)), None)

    def mrr(self, account: str, at_us: int) -> Held:
        """What it pays, as a customer."""
        money = self.as_of(account, "mrr", at_us)
        return {money["currency"]: money["amount"]} if isinstance(money, dict) and self.is_customer(account, at_us) else {}

    def rows(self, window: Window, by: Sequence[str], filters: Filters, *, at_us: int | None = None) -> dict[str, Dims]:
        """Accounts with a status at an instant (the window's end) that pass the filters, and the row that each shows in."""
        found, at_us = {}, window.until_us if at_us is None else at_us
        for account in list(self.told):
            status = str(self.as_of(account, "status", at_us))
            values = {"account": account, "status": status, "tier": str(self.as_of(account, "tier", at_us))}
            if status and all(values[name] in allowed for name, allowed in filters.items() if name != "currency"):
                found[account] = tuple(values[name] for name in by)
        return found


def kpi_customers(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """How many there are, and how many accounts of any status."""
    accounts = Accounts(world)
    wanted: Wanted = {} if by else {((), ""): 0, ((), "accounts"): 0}
    for account, dims in accounts.rows(window, by, filters).items():
        wanted[dims, "accounts"] = wanted.get((dims, "accounts"), 0) + 1
        wanted[dims, ""] = wanted.get((dims, ""), 0) + accounts.is_customer(account, window.until_us)
    return wanted


def kpi_new_customers(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Those that became one in the window for the first time, and how many they are a month."""
    accounts = Accounts(world)
    counted: dict[Dims, int] = {} if by else {(): 0}
    for account, dims in accounts.rows(window, by, filters).items():
        first = accounts.first_us(account)
        if first is not None and window.start_us <= first < window.until_us:
            counted[dims] = counted.get(dims, 0) + 1
    month = elapsed_days(window, window.end_us) if window.name == "month" else Fraction("30.4375")
    months = elapsed_days(window) / month
    return {(dims, name): n / per for dims, n in counted.items() for name, per in (("", 1), ("per_month", months))}


def kpi_mrr(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Sums by currency, and of usage fees by theirs."""
    accounts = Accounts(world)
    sums: defaultdict[tuple[Dims, str], Held] = defaultdict(lambda: {"": 0, "usage_fees": 0})
    for account, dims in accounts.rows(window, by, filters).items():
        fees = accounts.as_of(account, "usage_fees", window.until_us)
        told = {"": accounts.mrr(account, window.until_us)}
        if isinstance(fees, dict) and accounts.is_customer(account, window.until_us):
            told["usage_fees"] = {fees["currency"]: fees["amount"]}
        for name, held in told.items():
            for currency, amount in held.items():
                if currency in filters.get("currency", (currency,)):
                    sums[(*dims, currency), name] = {"": sums.get(((*dims, currency), name), {"": 0})[""] + amount}
    wanted: Wanted = {key: held[""] for key, held in sums.items()}
    for name in ("", "usage_fees"):
        if not by and not any(key[1] == name for key in wanted):
            wanted[("",), name] = 0
    return wanted


def kpi_movement(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """What MRR moved by, account by account."""
    accounts = Accounts(world)
    wanted: Wanted = {}
    for account, dims in accounts.rows(window, by, filters).items():
        before, after = accounts.mrr(account, window.start_us), accounts.mrr(account, window.until_us)
        was, now = accounts.is_customer(account, window.start_us), accounts.is_customer(account, window.until_us)
        for currency in before.keys() | after.keys():
            if currency not in filters.get("currency", (currency,)):
                continue
            change = after.get(currency, 0) - before.get(currency, 0)
            first = accounts.first_us(account)
            kind = "expansion" if change >= 0 else "contraction"
            if not was:
                kind = "new" if first is not None and first >= window.start_us else "reactivation"
            elif not now:
                kind = "churned"
            for name in ("", *MOVES):
                of = change if not name else abs(change) * (name == kind)
                wanted[(*dims, currency), name] = wanted.get(((*dims, currency), name), 0) + of
    return wanted or ({} if by else {(("",), name): 0 for name in ("", *MOVES)})


def kpi_retention(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Customers of the start who are customers at the end."""
    accounts = Accounts(world)
    groups: defaultdict[Dims, list[bool]] = defaultdict(list, {} if by else {(): []})
    for account, dims in accounts.rows(window, by, filters).items():
        if accounts.is_customer(account, window.start_us):
            groups[dims].append(accounts.is_customer(account, window.until_us))
    return {(dims, ""): Ratio(sum(kept), len(kept)) for dims, kept in groups.items()}
