"""What is at stake with groups of customers: their number, their MRR, what stayed of it, and risk beside what may be won."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from statistics import median_high
from typing import Any, Final, Literal

from service.domain.churn import BANDS, ChurnRisk
from service.expose.answers import Body, number
from service.store.standings import Standing, Worth

Height = Literal["high", "low", "none"]
HEIGHTS: Final[tuple[Height, ...]] = ("high", "low", "none")
Money = tuple[str, Decimal]
"""A currency and its minor units."""


def part(accounts: Sequence[str], customers: Mapping[str, Standing], first: str | None) -> Body:
    """How many customers of all, and their MRR by currency, that of the tenant `first`, with its share."""
    ours, whole = _by_currency(customers[name] for name in accounts), _by_currency(customers.values())
    return {
        "customers": len(accounts),
        "share": len(accounts) / len(customers) if customers else None,
        "mrr": [
            {"currency": currency, "amount": number(amount), "share": float(amount / total) if total else None}
            for currency, total in _in_order(whole, first)
            for amount in (ours.get(currency, Decimal(0)),)
        ],
    }


def retained(accounts: Sequence[str], then: Mapping[str, Standing], now: Mapping[str, Standing], first: str | None) -> Body:
    """Of customers of an earlier time, those that still are some; of their MRR what they still pay, a rise left out."""
    kept = [name for name in accounts if name in now]
    before = _by_currency(then[name] for name in accounts)
    still: defaultdict[str, Decimal] = defaultdict(Decimal)
    for name in kept:
        was, is_now = _mrr(then[name]), _mrr(now[name])
        if was is not None and is_now is not None and was[0] == is_now[0]:
            still[was[0]] += min(was[1], is_now[1])
    return {
        "customers": len(accounts),
        "retained": len(kept),
        "share": len(kept) / len(accounts) if accounts else None,
        "mrr": [
            {
                "currency": currency,
                "amount": number(amount),
                "retained": number(still[currency]),
                "share": float(still[currency] / amount) if amount else None,
            }
            for currency, amount in _in_order(before, first)
        ],
    }


def matrix(
    risks: Mapping[str, ChurnRisk], customers: Mapping[str, Standing], worths: Sequence[Worth], first: str | None
) -> list[Body]:
    """Customers by band, expansion potential and contract value, the highest risk and the most to lose first.

    `high` is at least the median of the customers that have such a value in the same currency, `low` is less, `none` is no value.
    """
    expansion = heights({one.account: _money(one.expansion_currency, one.expansion) for one in worths})
    value = heights({one.account: _money(one.contract_currency, one.contract_value) for one in worths})
    cells: defaultdict[tuple[str, Height, Height], list[str]] = defaultdict(list)
    for account, risk in risks.items():
        cells[risk.band, value[account], expansion[account]].append(account)
    return [
        {"band": band, "contract_value": worth, "expansion": grows, **part(cells[band, worth, grows], customers, first)}
        for band, _ in BANDS
        for worth in HEIGHTS
        for grows in HEIGHTS
        if (band, worth, grows) in cells
    ]


def heights(values: Mapping[str, Money | None]) -> dict[str, Height]:
    """Each account's value beside the median of those in its currency."""
    by_currency: defaultdict[str, list[Decimal]] = defaultdict(list)
    for told in values.values():
        if told is not None:
            by_currency[told[0]].append(told[1])
    middle = {currency: median_high(amounts) for currency, amounts in by_currency.items()}
    return {
        account: "none" if told is None else "high" if told[1] >= middle[told[0]] else "low" for account, told in values.items()
    }


def money(one: Standing) -> dict[str, Any] | None:
    """A customer's MRR as JSON."""
    told = _mrr(one)
    return None if told is None else {"amount": number(told[1]), "currency": told[0]}


def _money(currency: str | None, amount: Decimal | None) -> Money | None:
    """An amount above 0: nothing to be sold is no potential."""
    return (currency, amount) if currency and amount else None


def _mrr(one: Standing) -> Money | None:
    if not one.mrr:
        return None
    amount, _, currency = one.mrr.partition(" ")
    return currency, Decimal(amount)


def _in_order(sums: Mapping[str, Decimal], first: str | None) -> list[Money]:
    """The currency that a tenant declares (`[tenant] currency`) first, the others by their names."""
    return sorted(sums.items(), key=lambda each: (each[0] != first, each[0]))


def _by_currency(customers: Iterable[Standing]) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in customers:
        if (told := _mrr(one)) is not None:
            sums[told[0]] += told[1]
    return sums
