"""Pages of a split: in which order its rows come, and by how many accounts at a time they are made.

Rows come in the order of their text. Where a split names accounts and something beside them, those of an account stand together,
accounts in the database's order of names: so a page needs some accounts alone, and a statement that is asked for a slice of them
costs what the slice does. A slice is a range of names. The accounts that have seats say where it ends; whose seats are looked
up by name get theirs as a filter, and all others are in the range.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from operator import itemgetter
from typing import Final

from service.catalog.asked import is_of_account
from service.catalog.cut import Kept
from service.catalog.declared import Declared
from service.catalog.kpi import MAIN, Kpi
from service.catalog.question import ACCOUNT, Question, Slice, account_of, by_account_first
from service.catalog.runner import run
from service.catalog.statement import comes_in_pieces, reads
from service.catalog.value import EXPIRED, Value, grouped, row_text
from service.catalog.windows import Window
from service.store.engine import Connection
from service.store.snapshots import Snapshot

ROWS_AN_ACCOUNT: Final[Mapping[str, int]] = {"feature": 50, "step": 5, "milestone": 2, "funnel": 1, "weekday": 7}
"""How many rows an account is guessed to have by a dimension, until a slice has shown it."""
ROWS_OF_OTHERS: Final = 4
FEWEST_ACCOUNTS: Final = 32
"""In a slice: what a statement costs before its first row is worth as much."""
MOST_ACCOUNTS: Final = 8_192
GROWTH: Final = 8
"""A slice has at most so many times the accounts of the one before."""
SHY: Final = 0.9
"""What is expected of the next accounts, of what those before them had: to ask once more costs more than some rows too many."""

SLICED: Final = frozenset(
    {
        *("active", "active_daily", "user_days", "user_weekdays", "newcomers", "turnover", "repeat_visits", "user_cohorts"),
        *("facts", "facts_added", "funnel_counts", "milestone_times", "power"),
    }
)
"""Relations that read less for fewer accounts; a KPI that stands on none of them is asked for all of its rows."""

# Some accounts with seats from a name on, in order: one step through the index for each.
_SEATED: Final = """
with recursive named(account, place) as (
  (select account, 1 from seat_block where tenant = $1 and account >= $2 order by account limit 1)
  union all
  select b.account, n.place + 1 from named n
  cross join lateral (
    select account from seat_block where tenant = $1 and account > n.account order by account limit 1
  ) b where n.place < $3
)
select account from named"""
# Some of the accounts that are filtered by, in the same order.
_CHOSEN: Final = "select distinct account from unnest($1::text[]) as a(account) where account >= $2 order by account limit $3"

_ORDER: Final = itemgetter(0, 1)
Ask = Callable[[Question], Awaitable[list[Value]]]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a split with the text that each goes by, in order."""

    rows: list[tuple[str, list[Value]]]
    more: bool
    """Whether there are others behind them."""


def rows_of_a_page(question: Question, statistics: int, most: int) -> int:
    """How many rows a page has where none are asked for: as many as it may have, `most`.

    By account and something beside it, as many as have so many figures, for there are pages whatever they hold: what is waited
    for is the figures.
    """
    return max(most // max(statistics, 1), 1) if by_account_first(question.by) else most


async def read_page(
    connection: Connection,
    kpi: Kpi,
    window: Window,
    question: Question,
    limit: int,
    *,
    declared: Mapping[int, Declared],
    kept: Kept,
    seen: Snapshot | None = None,
) -> Page:
    """The first rows behind `question.after`, at most `limit`; raises InvalidQuery where that is no row's text.

    `seen` as in `run`.
    """

    async def ask(part: Question) -> list[Value]:
        return await run(connection, kpi, [window], part, declared=declared, kept=kept, seen=seen)

    if kpi.head.declared or kpi.head.apart or not kpi.sql or comes_in_pieces(kpi):
        rows = await _whole(kpi, question, ask)
    elif is_sliced(kpi, question):
        rows = await _by_slices(connection, window.tenant, question, limit, ask, rows_each(kpi))
    else:
        rows = list(grouped(await ask(replace(question, rows=(limit + 1) * rows_each(kpi)))).items())
    return Page(rows[:limit], more=len(rows) > limit)


async def _whole(kpi: Kpi, question: Question, ask: Ask) -> list[tuple[str, list[Value]]]:
    """All rows of what cannot be cut before all are there.

    Rows that a statement does not give, declared names without data and what is in several units, have their place among the
    others, those that come in pieces are put together, and those of a formula or a score are made.
    """
    together = by_account_first(question.by)
    found = grouped(await ask(replace(question, after=None))).values()
    rows = [(_place(kpi, question, values), values) for values in found]
    placed = sorted(((values[0].dims.get(ACCOUNT, "") if together else "", text, values) for text, values in rows), key=_ORDER)
    after = ((account_of(question.after) or "") if together else "", question.after)
    return [(text, values) for account, text, values in placed if question.after is None or (account, text) > after]


def _place(kpi: Kpi, question: Question, values: Sequence[Value]) -> str:
    """Where a row stands, once in an answer: by its dimensions, before its units what says that there are several."""
    first = values[0]
    if kpi.head.kind == "score":
        return first.row
    apart = first.row if kpi.head.apart else ""
    return row_text({name: first.dims[name] for name in question.by if name in first.dims}) + apart


def rows_each(kpi: Kpi) -> int:
    """How many rows of a statement a row of an answer has at the most: one for each statistic that its file gives."""
    if kpi.head.kind in {"distribution", "durations"}:
        return 1
    return len([MAIN, *(name for name, statistic in kpi.head.statistics.items() if not statistic.per)])


def is_sliced(kpi: Kpi, question: Question) -> bool:
    """Whether fewer accounts cost less; an operator's own statement may read whatever it wants."""
    return by_account_first(question.by) and not kpi.is_guest and any(reads(kpi, question.by, name) for name in SLICED)


async def _by_slices(
    connection: Connection, tenant: int, question: Question, limit: int, ask: Ask, each: int
) -> list[tuple[str, list[Value]]]:
    """Rows of one slice of accounts after the other, until a page and one row more is there or no account is left."""
    rows: list[tuple[str, list[Value]]] = []
    first = account_of(question.after) or ""
    most, likely = MOST_ACCOUNTS, float(_guess(question))
    while True:
        wanted = limit + 1 - len(rows)
        # One more for the cursor's account, of which some rows or all have been shown.
        count = min(max(ceil(wanted / likely) + bool(first), FEWEST_ACCOUNTS), most)
        names = await _accounts(connection, tenant, question, first, count + 1)
        below = names.pop() if len(names) > count else None
        part = question if below is None and not first else _sliced(question, Slice(first, below), names)
        found = list(grouped(await ask(replace(part, rows=wanted * each))).items())
        if found and found[0][1][0].reason == EXPIRED:
            return found[:1]  # of all accounts: the window is finer than what is kept
        rows += found
        if below is None or len(rows) > limit:
            return rows
        first, most = below, min(count * GROWTH, MOST_ACCOUNTS)
        likely = max(len(found), 1) / count * SHY


def _sliced(question: Question, within: Slice, names: list[str]) -> Question:
    """The question of a slice; of accounts that are filtered by these names are all there are."""
    chosen = replace(question, filters={**question.filters, ACCOUNT: names})
    return chosen if ACCOUNT in question.filters else replace(chosen, slice=within)


async def _accounts(connection: Connection, tenant: int, question: Question, first: str, count: int) -> list[str]:
    if ACCOUNT in question.filters:
        found = await connection.fetch(_CHOSEN, list(question.filters[ACCOUNT]), first, count)
    else:
        found = await connection.fetch(_SEATED, tenant, first, count)
    return [row["account"] for row in found]


def _guess(question: Question) -> int:
    beside = (name for name in question.by if name != ACCOUNT and not is_of_account(name))
    return prod(ROWS_AN_ACCOUNT.get(name, ROWS_OF_OTHERS) for name in beside)
