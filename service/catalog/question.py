"""What can be asked of a KPI beside its windows, and whether it fits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from json import JSONDecoder

from service.catalog.asked import is_of_account
from service.catalog.kpi import Kpi
from service.errors import InvalidQuery

ACCOUNT = "account"
_ROW = JSONDecoder()
"""Of texts behind which something may stand: what says in which units a row is."""
_WHOLE = re.compile(r"[0-9]{1,9}")
MAX_ROWS = 200_000
"""Most rows that one statement may give: beyond it is an error, never a cut answer."""
MAX_PIECES = 5 * MAX_ROWS
"""Most pieces of rows that one may give where they come so: as many as a window has of minutes, quarters and days."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The accounts from one name on, below another, in the database's order of names."""

    first: str = ""
    below: str | None = None
    """None: it has no end."""

    @property
    def ends(self) -> frozenset[str]:
        """What a statement has to be made for, of `SLICED`."""
        return frozenset({":from"} if self.below is None else {":from", ":below"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a KPI, beside its windows."""

    by: tuple[str, ...] = ()
    """Dimensions to split by."""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Dimension → values allowed."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What the head declares, by name."""
    statistics: tuple[str, ...] = ()
    """Which are wanted; none named: all."""
    within: Fraction | None = None
    """The limit of `share_within`, in the KPI's unit."""
    after: str | None = None
    """Go on behind the row of these dimensions (canonical text of the jsonb)."""
    slice: Slice | None = None
    """Which accounts alone are looked at; the filter by account names those of them that have seats (paging.py)."""
    spread: bool = False
    """Whether means are wanted with their variance."""
    rows: int | None = None
    """Most rows of the statement, for a page; None: all of them, and an error past `MAX_ROWS`."""

    @property
    def filtered(self) -> frozenset[str]:
        """What a statement is made for, beside the split."""
        return frozenset(self.filters) | (self.slice.ends if self.slice else frozenset())


def by_account_first(by: Sequence[str]) -> bool:
    """Whether rows of a split are in the order of their account, then of their text.

    By account alone, or with what groups accounts, an account has one row: nothing stands together that way.
    """
    return ACCOUNT in by and any(name != ACCOUNT and not is_of_account(name) for name in by)


def account_of(after: str | None) -> str | None:
    """The account of a row's text, "" where it names none; raises InvalidQuery for what is no row's text."""
    if after is None:
        return None
    try:
        dims, _ = _ROW.raw_decode(after)
        account: str = dims.get(ACCOUNT, "")
        is_text = b"\0" not in account.encode()
    except (ValueError, AttributeError) as error:
        raise InvalidQuery("cursor", "is of another split: leave it out to begin at the start") from error
    if not is_text:
        raise InvalidQuery("cursor", "names an account that cannot be: leave it out to begin at the start")
    return account


def check(kpi: Kpi, question: Question) -> None:
    """Raise InvalidQuery when a KPI cannot be asked this."""
    known = ", ".join(kpi.dimensions) or "nothing"
    for name in (*question.by, *question.filters):
        if not kpi.splits_by(name):
            raise InvalidQuery("by" if name in question.by else name, f"{kpi.id} has no dimension {name!r}: it has {known}")
    _check_of_users(kpi, question)
    for name in kpi.head.required:
        if name not in question.by and len(question.filters.get(name, ())) != 1:
            raise InvalidQuery(name, f"{kpi.id} is not added up across {name}s: give one {name}=…, or by={name}")
    for name in question.statistics:
        if name not in kpi.statistics:
            known = ", ".join(filter(None, kpi.statistics))
            raise InvalidQuery("stat", f"{kpi.id} has no statistic {name!r}: it has {known or 'its plain value alone'}")
    _check_parameters(kpi, question)


def _check_parameters(kpi: Kpi, question: Question) -> None:
    for name, value in question.parameters.items():
        parameter = kpi.head.parameters.get(name)
        if parameter is None:
            raise InvalidQuery(name, f"is no parameter and no dimension of {kpi.id}: leave it out")
        if parameter.values and value not in parameter.values:
            raise InvalidQuery(name, f"{value!r} is none of {', '.join(parameter.values)}")
        if parameter.most is not None and not (_WHOLE.fullmatch(value) and int(value) <= parameter.most):
            raise InvalidQuery(name, f"{value!r} is no whole number from 0 to {parameter.most}")


def _check_of_users(kpi: Kpi, question: Question) -> None:
    """Of uses whose users are known, feature and account are known alone."""
    asked = dict.fromkeys((*question.by, *question.filters))
    of_users = [name for name in asked if name.startswith("user.") and kpi.head.facts is not None]
    for name in asked if of_users else ():
        if not (name in {ACCOUNT, "feature", *of_users} or is_of_account(name)):
            message = f"{kpi.id} is kept by user, feature and account alone: leave {name} out, or {', '.join(of_users)}"
            raise InvalidQuery("by" if name in question.by else name, message)
