"""Ordered funnels: how far each user walked, from the first-ever times of the steps."""

from typing import Final

from service.catalog.accounts import Accounts
from service.catalog.asked import Asked
from service.catalog.masks import CHUNK
from service.domain.foldconfig import FIRST

_START: Final = "(extract(epoch from w.start_at) * 1000000)::bigint"
_UNTIL: Final = "(extract(epoch from w.until_at) * 1000000)::bigint"

# Under which milestone the first-ever times of a step stand; '' is to be provisioned.
_CODE: Final = f"""
    case
      when users = 'active' or users = 'activated' and activating = 'first_use' then '{FIRST}'
      when users like 'feature:%' then '{FIRST}' || substr(users, 9)
      when users = 'activated' then activating when users = 'provisioned' then '' else substr(users, 11)
    end""".strip()


def walked(asked: Asked) -> str:
    """`tenant, win, funnel, place, dims, n`: users whose first step lies in the window, and how far they came after it.

    First-ever times, in the accounts asked for, have to ascend; where a limit is declared, each counts from the first step.
    """
    accounts = Accounts(asked, "m.account")
    shown = "".join(f", {name}" for name in accounts.shown)
    joins, columns = _traits(asked)
    of_accounts = [name for name in accounts.columns if name in asked.by]
    columns |= {name: f"p.{plain}" for name, plain in zip(of_accounts, accounts.shown, strict=True)}
    conditions = ["p.came", *(f"{columns[name]} = any({asked.values(name)})" for name in asked.traits if name in asked.filtered)]
    came = f"bool_and(near) over (partition by tenant, win, funnel, who{shown} order by place) as came"
    return (
        f"with steps_of as (\n  select s.*, {_CODE} as code from funnel_steps s where ordered\n),\n"
        f"begun as (\n{_begun(accounts)}\n),\ncome as (\n{_come(accounts)}\n)\n"
        f"select p.tenant, p.win, p.funnel, p.place, {asked.dims(columns)} as dims, count(*) as n\n"
        f"from (\n  select *, {came} from come\n) p{joins}\nwhere {' and '.join(conditions)}\ngroup by 1, 2, 3, 4, 5"
    )


def _begun(accounts: Accounts) -> str:
    """Users who came to the first step in the window: for the first time, as far as the window shows."""
    keys = "".join(f", {column} as {name}" for name, column in accounts.shown.items())
    places = ", ".join(str(place) for place in range(1, 7 + len(accounts.shown)))
    named = "".join(f" and {condition}" for condition in accounts.conditions())
    within = f"time_us >= {_START} and time_us < {_UNTIL}"
    return (
        f"select w.tenant, w.win, s.funnel, s.within, {_UNTIL} as until_us, m.who{keys}, min(m.time_us) as time_us\n"
        f"from wins w join steps_of s on s.tenant = w.tenant and s.place = 1{accounts.join('w')}\n"
        "cross join lateral (\n"
        f"  select who, account, time_us from milestone\n"
        f"  where tenant = w.tenant and kind = 'user' and milestone = s.code and {within}\n"
        "  union all\n"
        f"  select who, account, time_us from state_history\n"
        f"  where s.code = '' and tenant = w.tenant and kind = 'user' and field = 'status' and value = 'provisioned'\n"
        f"    and {within}\n"
        f"  offset 0\n) m\nwhere true{named}\ngroup by {places}"
    )


def _come(accounts: Accounts) -> str:
    """Each of them at every step: whether it was reached first after all before it, and in time (`near`).

    Whose first-ever first step lies before the window did not come to it in the window.
    """
    keys = "".join(f", b.{name}" for name in accounts.shown)
    same = "".join(f" and {column} = b.{name}" for name, column in accounts.shown.items())
    named = "".join(f" and {condition}" for condition in accounts.conditions())
    latest = f"max(o.time_us) over (partition by b.tenant, b.win, b.funnel, b.who{keys} order by s.place)"
    limit = "b.within is null or o.time_us <= b.time_us + extract(epoch from b.within) * 1000000"
    moment = "tenant = b.tenant and kind = 'user' and who = b.who and time_us < b.until_us"
    return (
        f"select b.tenant, b.win, b.funnel, b.who{keys}, s.place,\n"
        f"  coalesce(o.time_us >= {latest}\n    and o.time_us >= b.time_us and ({limit}), false) as near\n"
        f"from begun b join steps_of s on s.tenant = b.tenant and s.funnel = b.funnel{accounts.join('b')}\n"
        "cross join lateral (\n  select min(m.time_us) as time_us from (\n"
        f"    select account, time_us from milestone where {moment} and milestone = s.code\n"
        "    union all\n"
        f"    select account, time_us from state_history\n"
        f"    where s.code = '' and {moment} and field = 'status' and value = 'provisioned'\n"
        f"  ) m where true{same}{named}\n) o"
    )


def _traits(asked: Asked) -> tuple[str, dict[str, str]]:
    """Joins from users `p.who` to their traits, and the column of each."""
    joins = "\njoin app_user u on u.tenant = p.tenant and u.user_id = p.who" if asked.traits else ""
    for number, name in enumerate(asked.traits):
        joins += (
            f"\nleft join segment t{number} on t{number}.tenant = p.tenant and t{number}.dimension = {asked.trait(name)}"
            f" and t{number}.chunk = u.ordinal / {CHUNK} and get_bit(t{number}.bits, u.ordinal % {CHUNK}) = 1"
        )
    return joins, {name: f"coalesce(t{number}.value, '')" for number, name in enumerate(asked.traits)}
