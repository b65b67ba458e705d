"""The relation of tracked things: as they stand at both ends of a window."""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head
from service.store.dated import micros
from service.store.items import ITEMS


def tracked(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:
    """`tracked(tenant, win, subject, begun_us, from_us, status_before, status, kind, owner, due, value, currency, dims …)`.

    Items that began before the window's end and pass the filters; `status_before` (null: it had not begun) and `status` are as
    of the window's ends, what describes an item is as known now.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "a.account")
    columns = {name: f"a.{name}" for name in ("kind", "status", "colour", "owner", "priority")}
    columns |= {"currency": "coalesce(a.currency, '')"} | accounts.columns
    conditions = [
        *accounts.conditions(),
        *(
            f"{columns[name]} = any({asked.values(name)})"
            for name in head.dimensions
            if name in asked.filtered and name not in accounts.columns
        ),
    ]
    where = f"\nwhere {' and '.join(conditions)}" if conditions else ""
    return (
        f"with spans as (\n"
        f"  select w.tenant, w.win, {micros('w.start_at')} as from_us, {micros('w.until_at')} as to_us,\n"
        f"    d.config #> '{{items,colours}}' as colours\n"
        f"  from wins w join declared d on d.tenant = w.tenant\n"
        f"), items as (\n{ITEMS.strip()}\n)\n"
        f"select a.*, {asked.dims(columns)} as dims\nfrom items a{accounts.join('a')}{where}"
    )


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"tracked": tracked}
NEEDS: Mapping[str, tuple[str, ...]] = {"tracked": ("wins", "declared")}
