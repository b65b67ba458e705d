"""The relation of deliveries that are overdue: accepted longer ago than their limit, and not final."""

from collections.abc import Callable, Mapping

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.kpi import Head

_UNTIL = "(extract(epoch from w.until_at) * 1000000)::bigint"
_COLUMNS = "account, integration, direction, accepted_us, limit_ns, is_excluded"

# Open ones have an index of their own; those that have become final since are found by when they did.
_OPEN = f"""
  select {_COLUMNS} from tracked_delivery
  where tenant = w.tenant and final_us is null and accepted_us < {_UNTIL}
  union all
  select {_COLUMNS} from tracked_delivery
  where tenant = w.tenant and final_us >= {_UNTIL} and accepted_us < {_UNTIL}
""".strip("\n")


def overdue(head: Head, by: tuple[str, ...], filtered: frozenset[str]) -> str:  # noqa: ARG001  # relations are built alike
    """`overdue(tenant, win, dims, n)`: as of the window's end; split by integration alone, those that are tracked show 0.

    Of integrations that declare `tracks_accepted`: once that is taken back, no final of theirs is looked for any more.
    """
    asked = Asked.of(by, filtered)
    accounts = Accounts(asked, "o.account")
    own = {name: f"o.{name}" for name in ("integration", "direction")}
    conditions = [f"{own[name]} = any({asked.values(name)})" for name in own if name in asked.filtered]
    conditions += [
        f"not o.is_excluded and o.accepted_us * 1000::numeric + o.limit_ns < {_UNTIL} * 1000::numeric",
        "(d.config #>> array['integrations', o.integration, 'tracks_accepted'])::boolean",
        *accounts.conditions(),
    ]
    counted = (
        f"select w.tenant, w.win, {asked.dims(own | accounts.columns)} as dims, count(*) as n\n"
        f"from wins w join declared d on d.tenant = w.tenant{accounts.join('w')}\ncross join lateral (\n{_OPEN}\n) o\n"
        f"where {' and '.join(conditions)}\ngroup by 1, 2, 3"
    )
    if by != ("integration",):
        return counted
    only = f" and i.key = any({asked.values('integration')})" if "integration" in filtered else ""
    none = (
        "select w.tenant, w.win, jsonb_build_object('integration', i.key), 0\n"
        "from wins w join declared d on d.tenant = w.tenant cross join lateral jsonb_each(d.config -> 'integrations') i\n"
        f"where (i.value ->> 'tracks_accepted')::boolean{only}"
    )
    return f"select tenant, win, dims, sum(n) as n from (\n{counted}\nunion all\n{none}\n) c group by tenant, win, dims"


BUILT: Mapping[str, Callable[[Head, tuple[str, ...], frozenset[str]], str]] = {"overdue": overdue}
NEEDS: Mapping[str, tuple[str, ...]] = {"overdue": ("wins", "declared")}
