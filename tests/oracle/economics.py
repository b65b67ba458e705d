"""What customers are worth and what the business costs, by plain loops over accounts and measurements."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from service.catalog import Window
from tests.oracle.revenue import Accounts
from tests.oracle.stored import Event, nanos
from tests.oracle.wanted import Dims, Filters, Ratio, Wanted, days, elapsed_days
from tests.oracle.world import World, within

ACQUISITION, GOODS_SOLD, BALANCE = "cost.acquisition", "cost.goods_sold", "cash.balance"
NO_CURRENCY = ""
Sums = defaultdict[tuple[Dims, str], Fraction]
"""By the values of the split and the currency."""


def months(window: Window) -> Fraction:
    """Months of the window: a calendar month is one, and so far a part of it."""
    if window.name == "month":
        return elapsed_days(window) / elapsed_days(window, window.end_us)
    return elapsed_days(window) / Fraction("30.4375")


def _booked(window: Window) -> Fraction:
    """How many months' costs a window stands for."""
    return Fraction(1) if window.name == "month" else elapsed_days(window) / Fraction("30.4375")


def _spent(world: World, window: Window, meters: str, by: Sequence[str], filters: Filters) -> Sums:
    sums: Sums = defaultdict(Fraction)
    for event in within(world.of("measurement"), window):
        told = event.data
        if not told["meter"].startswith(meters):
            continue
        values = {
            "account": event.account,
            "tier": told.get("attributes", {}).get("tier", ""),
            "currency": told.get("currency", ""),
        }
        if any(values[name] not in allowed for name, allowed in filters.items()) or any(not values[name] for name in by):
            continue
        amount = Fraction(nanos(told["value"]), 10**9) * told.get("count", 1)
        sums[tuple(values[name] for name in by), values["currency"]] += amount
    return sums


def _held(world: World, window: Window, by: Sequence[str], filters: Filters) -> dict[Dims, list[tuple[str, int] | None]]:
    """The MRR of every customer of the window's end, by row; None: it was told none."""
    accounts = Accounts(world)
    held: defaultdict[Dims, list[tuple[str, int] | None]] = defaultdict(list)
    for account, dims in accounts.rows(window, by, filters).items():
        if accounts.is_customer(account, window.until_us):
            held[dims].append(next(iter(accounts.mrr(account, window.until_us).items()), None))
    return held


def _mrr(world: World, window: Window, by: Sequence[str], filters: Filters) -> Sums:
    sums: Sums = defaultdict(Fraction)
    for dims, held in _held(world, window, by, filters).items():
        for one in held:
            if one is not None and one[0] in filters.get("currency", (one[0],)):
                sums[dims, one[0]] += one[1]
    return sums


def _rows(found: dict[tuple[Dims, str], Ratio | Fraction | None], by: Sequence[str]) -> Wanted:
    rows: Wanted = {((*dims, currency), ""): value for (dims, currency), value in found.items()}
    return rows or ({} if by else {((NO_CURRENCY,), ""): None})


def kpi_arpa(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """MRR of each currency over its customers and those without any MRR."""
    sums, found = _mrr(world, window, by, filters), {}
    for dims, held in _held(world, window, by, filters).items():
        for currency in {one[0] for one in held if one is not None} & set(filters.get("currency", ("USD", "EUR"))):
            n = sum(one is None or one[0] == currency for one in held)
            found[dims, currency] = Ratio(sums[dims, currency], n)
    return _rows(dict(found), by)


def kpi_cac(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Costs of acquisition over the accounts that became customers for the first time."""
    accounts, won = Accounts(world), defaultdict[Dims, int](int)
    for account, dims in accounts.rows(window, by, filters).items():
        first = accounts.first_us(account)
        won[dims] += first is not None and window.start_us <= first < window.until_us
    spent = _spent(world, window, ACQUISITION, by, filters)
    return _rows({(dims, currency): Ratio(amount, won[dims]) for (dims, currency), amount in spent.items()}, by)


def kpi_gross_margin(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """MRR less the goods sold of a month, over MRR; no value without either."""
    mrr, spent = _mrr(world, window, by, filters), _spent(world, window, GOODS_SOLD, by, filters)
    found: dict[tuple[Dims, str], Ratio | Fraction | None] = {}
    for key in mrr.keys() | spent.keys():
        cost = spent[key] / _booked(window) if key in spent else None
        found[key] = None if cost is None or not mrr.get(key) else (mrr[key] - cost) / mrr[key]
    return _rows(found, by)


def kpi_burn(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """All costs of a month less MRR, where there are costs."""
    return _rows(dict(_burned(world, window, by, filters)), by)


def _burned(world: World, window: Window, by: Sequence[str], filters: Filters) -> dict[tuple[Dims, str], Fraction]:
    mrr, spent = _mrr(world, window, by, filters), _spent(world, window, "cost.", by, filters)
    return {key: amount / _booked(window) - mrr.get(key, Fraction(0)) for key, amount in spent.items()}


def kpi_runway(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """The newest balances over the burn, where something burns."""
    newest: dict[tuple[object, ...], Event] = {}
    for event in sorted(world.of("measurement"), key=lambda event: event.rank):
        if event.data["meter"] == BALANCE and event.day <= days(window)[1]:
            attributes = tuple(sorted(event.data.get("attributes", {}).items()))
            newest[event.account, event.data.get("currency", ""), attributes] = event
    cash: defaultdict[str, Fraction] = defaultdict(Fraction)
    for event in newest.values():
        cash[event.data["currency"]] += Fraction(nanos(event.data["value"]), 10**9)
    burned = _burned(world, window, by, filters)
    found = {key: cash[key[1]] / amount if amount > 0 else None for key, amount in burned.items() if key[1] in cash}
    return _rows(dict(found), by)


def kpi_customer_churn(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """Of the customers at the start the share that is churned at the end, and of a month as much."""
    groups = _cohort(world, window, by, filters)
    wanted: Wanted = {} if by else {((), ""): None, ((), "per_month"): None}
    for dims, lost in groups.items():
        gone = sum(each[0] for each in lost)
        wanted |= {(dims, ""): Ratio(gone, len(lost)), (dims, "per_month"): gone / (len(lost) * months(window))}
    return wanted


def kpi_revenue_churn(world: World, window: Window, by: Sequence[str], filters: Filters) -> Wanted:
    """The same of their MRR at the start."""
    had: Sums = defaultdict(Fraction)
    lost: Sums = defaultdict(Fraction)
    for dims, cohort in _cohort(world, window, by, filters).items():
        for gone, held in cohort:
            for currency, amount in held.items():
                if currency in filters.get("currency", (currency,)):
                    had[dims, currency] += amount
                    lost[dims, currency] += amount * gone
    wanted = _rows({key: Ratio(lost[key], amount) for key, amount in had.items()}, by)
    for (dims, currency), paid in had.items():
        wanted[(*dims, currency), "per_month"] = lost[dims, currency] / (paid * months(window)) if paid else None
    return wanted if had or by else wanted | {((NO_CURRENCY,), "per_month"): None}


def _cohort(world: World, window: Window, by: Sequence[str], filters: Filters) -> dict[Dims, list[tuple[bool, dict[str, int]]]]:
    """Customers of the window's start, by the tier of then: whether they are churned at its end, and what they paid."""
    accounts = Accounts(world)
    groups: defaultdict[Dims, list[tuple[bool, dict[str, int]]]] = defaultdict(list)
    for account, dims in accounts.rows(window, by, filters, at_us=window.start_us).items():
        if accounts.is_customer(account, window.start_us):
            churned = accounts.as_of(account, "status", window.until_us) == "churned"
            groups[dims].append((churned, accounts.mrr(account, window.start_us)))
    return groups
