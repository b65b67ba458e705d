"""Relations that are read by themselves and handed to a KPI's statement as rows: side by side, where connections can be had."""

from collections.abc import Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from service.catalog.arguments import arguments
from service.catalog.declared import Declared
from service.catalog.kpi import Kpi
from service.catalog.question import ACCOUNT, MAX_ROWS, Question, by_account_first
from service.catalog.statement import ANSWER, ended
from service.catalog.windows import Window
from service.lifecycle import side_by_side
from service.store.engine import Connection
from service.store.snapshots import Snapshot

SIDES: Final = ("users_asked", "uses_asked")
"""Relations that do not depend on each other, and of which each is dear: of a KPI that reads them both, the dearest first."""
CHEAP: Final = frozenset({"feature", ACCOUNT})
"""By these uses are kept as they are asked for, and cost little beside users."""
REMEMBERED_KPIS: Final = 256
# One value, made where the rows are: no number is anything else on its way. Bounded, for who asks may have a page of it alone.
_AS_ONE: Final = (
    f"select count(*) as rows, coalesce(json_agg(a), '[]')::text as told from (select * from {ANSWER} limit {MAX_ROWS + 1}) a"
)


def takes_several(kpi: Kpi, question: Question) -> bool:
    """Whether a question is answered sooner by several connections: of a score, and of two dear relations."""
    return kpi.head.kind == "score" or bool(sides(kpi, question))


def sides(kpi: Kpi, asked: Question) -> tuple[str, ...]:
    """The relations that are worth a connection each; none where a page needs some accounts alone, or one of them is cheap."""
    if (
        kpi.is_guest
        or kpi.head.apart
        or not asked.by
        or by_account_first(asked.by)
        or CHEAP.issuperset((*asked.by, *asked.filters))
    ):
        return ()
    return SIDES if kpi.words.issuperset(SIDES) else ()


async def read_sides(
    seen: Snapshot, kpi: Kpi, windows: Sequence[Window], asked: Question, declared: Mapping[int, Declared]
) -> dict[str, str]:
    """Each of `sides` with its rows, whole though a page is asked for; nothing where there is no second connection, or too much.

    Together they cost what the statement costs that reads both, and what is beneath both once more: it pays side by side alone.
    """
    names = sides(kpi, asked) if seen.has_several else ()

    async def read(name: str) -> str | None:
        async with seen.connection() as connection:
            return await read_rows(connection, kpi, name, windows, asked, declared)

    asking: list[Coroutine[Any, Any, str | None]] = [read(name) for name in names]
    found = {name: rows for name, rows in zip(names, await side_by_side(asking), strict=True) if rows is not None}
    return found if len(found) == len(names) else {}


async def read_rows(
    connection: Connection,
    kpi: Kpi,
    relation: str,
    windows: Sequence[Window],
    asked: Question,
    declared: Mapping[int, Declared],
) -> str | None:
    """All rows of a relation as a KPI of this head reads it, for `statement`'s `given`; None: there are more than MAX_ROWS."""
    made = ended(_alone(kpi, relation), asked.by, asked.filtered, _AS_ONE)
    bound = arguments(kpi, windows, asked, asked.by, declared, frozenset(made.parameters))
    row = await connection.fetchrow(made.text, *(bound[name] for name in made.parameters))
    return None if row is None or row["rows"] > MAX_ROWS else row["told"]


@lru_cache(maxsize=REMEMBERED_KPIS)
def _alone(kpi: Kpi, relation: str) -> Kpi:
    """A relation, as a KPI of the same head asks for it."""
    return Kpi(kpi.head, f"select * from {relation}", file=kpi.file)
