"""When users first reached a milestone, in whichever account: what a flush keeps beside the milestones that it merges.

The rows of `milestone` say it by user and account; these are the earliest of them by (time, source, id), by ordinals of users, so
that times to milestones are read for many users at once (docs/adr/0037). Where one event completed a derived milestone in several
places, a user has it in the first account by name, and not once more in none. Earliest moments only ever become earlier: nothing
is looked up, and any order of events leaves the same rows. So each user's named milestone has its row here: whoever writes
`milestone` otherwise than by flushes fills this table anew, as migration 0025 does.
"""

from typing import Final

_ORDER: Final = """{0}time_us, {0}source collate "C", {0}id collate "C", {0}account = '', {0}account collate "C\""""
_EARLIER: Final = f"({_ORDER.format('excluded.')}) < ({_ORDER.format('r.')})"


def first_reached(told: str) -> str:
    """Merge the moments of users in `told`, which has the columns of `milestone`; those kept for funnels alone have no name.

    User by user, by key: a flush joins in no other way (flush.py).
    """
    return f"""
insert into first_reached as r (tenant, what, user_ordinal, time_us, account, source, id)
select distinct on (f.tenant, n.id, u.ordinal) f.tenant, n.id, u.ordinal, f.time_us, f.account, f.source, f.id
from {told} f
cross join lateral (
    select id from name where tenant = f.tenant and kind = 'milestone' and name = f.milestone offset 0
) n
cross join lateral (select ordinal from app_user where tenant = f.tenant and user_id = f.who offset 0) u
where f.kind = 'user'
order by f.tenant, n.id, u.ordinal, {_ORDER.format("f.")}
on conflict (tenant, what, user_ordinal) do update
set time_us = excluded.time_us, account = excluded.account, source = excluded.source, id = excluded.id
where {_EARLIER}
"""


FIRST_REACHED: Final = first_reached("flush_milestone")
