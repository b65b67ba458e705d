"""A report's blocks about churn risk: customers by band, why, who moved, who stayed, and what is at stake."""

from collections.abc import Callable, Mapping
from typing import Any

from service.expose.answers import Body
from service.reports.layout import Portfolio
from service.reports.model import Cell, Grid, Picture, Point, Status
from service.reports.numbers import NO_VALUE, readable

MAX_REASONS = 15
MAX_CUSTOMERS = 30
REASONS_SHOWN = 3
"""Of one customer."""


def block(ask: Portfolio, body: Body) -> Grid | Picture:
    """One part of the portfolio."""
    return _PARTS[ask.part](ask, body)


def _picture(ask: Portfolio, body: Body) -> Picture:
    points = tuple(Point(each["band"], float(each["customers"])) for each in body["bands"])
    return Picture("bars", ask.title, points if body["customers"] else ())


def _bands(ask: Portfolio, body: Body) -> Grid:
    rows = tuple((_badge(each["band"]), *_counted(each), _money(each["mrr"])) for each in body["bands"])
    return Grid(
        ask.title, ("band", "customers", "share", "MRR (share)"), rows if body["customers"] else (), "There is no customer."
    )


def _retention(ask: Portfolio, body: Body) -> Grid:
    rows = tuple(
        (
            _badge(each["band"]),
            _number(each["customers"]),
            _number(each["retained"]),
            _share(each["share"]),
            _money([{**one, "amount": one["retained"]} for one in each["mrr"]]),
        )
        for each in body["retention"]
        if each["customers"]
    )
    columns = ("band then", "customers then", "still customers", "retention", "MRR retained (share)")
    return Grid(ask.title, columns, rows, "There was no customer three months earlier.")


def _moves(ask: Portfolio, body: Body) -> Grid:
    rows = tuple((_badge(each["from"]), _badge(each["to"]), _number(each["customers"])) for each in body["moves"])
    return Grid(ask.title, ("from", "to", "customers"), rows, "No customer went from one band to another.")


def _reasons(ask: Portfolio, body: Body) -> Grid:
    reasons = body["reasons"]
    rows = [(Cell(each["reason"]), *_counted(each), _money(each["mrr"])) for each in reasons[:MAX_REASONS]]
    if len(reasons) > MAX_REASONS:
        rows.append((Cell(f"and {len(reasons) - MAX_REASONS} more"), Cell(""), Cell(""), Cell("")))
    return Grid(
        ask.title, ("reason", "customers", "share", "their MRR (share)"), tuple(rows), "Nothing speaks against any customer."
    )


def _matrix(ask: Portfolio, body: Body) -> Grid:
    rows = tuple(
        (
            _badge(each["band"]),
            Cell(each["contract_value"]),
            Cell(each["expansion"]),
            _number(each["customers"]),
            _money(each["mrr"]),
        )
        for each in body["matrix"]
    )
    return Grid(ask.title, ("risk", "contract value", "expansion", "customers", "MRR (share)"), rows, "There is no customer.")


def _customers(ask: Portfolio, body: Body) -> Grid:
    """Those above green, the highest risk first."""
    shown = [each for each in body["accounts"] if each["churn_risk"]["band"] != "green"]
    rows = [_customer(each) for each in shown[:MAX_CUSTOMERS]]
    at_risk = sum(each["customers"] for each in body["bands"] if each["band"] != "green")
    if at_risk > len(rows):
        rows.append((Cell(f"and {at_risk - len(rows)} more"), *(Cell("") for _ in range(6))))
    columns = ("account", "risk", "a week before", "mean of 90 days", "health", "MRR", "because")
    return Grid(ask.title, columns, tuple(rows), "No customer is at risk.")


def _customer(one: Mapping[str, Any]) -> tuple[Cell, ...]:
    risk, health, mrr = one["churn_risk"], one["health"], one["mrr"]
    before = risk["before"]
    because = "; ".join(f"{each['reason']} ({each['points']:+d})" for each in risk["reasons"][:REASONS_SHOWN])
    left = len(risk["reasons"]) - REASONS_SHOWN
    return (
        Cell(one["account"]),
        Cell(str(risk["score"]), risk["band"], is_number=True),
        _number(None if before is None else before["score"]),
        _number(one["mean_90d"]),
        Cell(NO_VALUE if health is None or health["score"] is None else f"{health['score']}", is_number=True),
        Cell(NO_VALUE if mrr is None else readable(mrr["amount"], mrr["currency"]), is_number=True),
        Cell(f"{because}; and {left} more" if left > 0 else because),
    )


def _badge(band: Status) -> Cell:
    return Cell(band, band)


def _counted(each: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return _number(each["customers"]), _share(each["share"])


def _number(value: float | None) -> Cell:
    return Cell(readable(value, ""), is_number=True)


def _share(value: float | None) -> Cell:
    return Cell(readable(value, "ratio"), is_number=True)


def _money(sums: list[dict[str, Any]]) -> Cell:
    """One currency beside the other, each with its share."""
    texts = [
        f"{readable(each['amount'], each['currency'])} ({readable(each['share'], 'ratio')})" for each in sums if each["amount"]
    ]
    return Cell(", ".join(texts) or NO_VALUE, is_number=True)


_PARTS: Mapping[str, Callable[[Portfolio, Body], Grid | Picture]] = {
    "picture": _picture,
    "bands": _bands,
    "retention": _retention,
    "moves": _moves,
    "reasons": _reasons,
    "matrix": _matrix,
    "customers": _customers,
}
