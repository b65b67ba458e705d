"""When users first reached a milestone, in whichever account: what a flush makes anew of the milestones that it has merged.

The rows of `milestone` say it by user and account; these are the earliest of them by (time, source, id), by ordinals of users, so
that times to milestones are read for many users at once (docs/adr/0034). Where one event completed a derived milestone in several
places, a user has it in the first account by name, and not once more in none. They are made of the rows as they stand after the
merge, so any order of events leaves the same.
"""

from typing import Final

# Users whose milestones this flush told, or for whom it may have completed a derived one; those kept for funnels alone have no
# name. User by user, by key: a flush joins in no other way (flush.py).
FIRST_REACHED: Final = """
with touched as (
    select tenant, milestone, who from flush_milestone where kind = 'user'
    union
    select f.tenant, d.milestone, f.who
    from flush_milestone f join flush_derived d on d.tenant = f.tenant and f.milestone = any(d.parts)
    where f.kind = 'user' and not d.of_account
)
insert into first_reached as r (tenant, what, user_ordinal, time_us, account)
select t.tenant, n.id, u.ordinal, m.time_us, m.account
from touched t
join name n on n.tenant = t.tenant and n.kind = 'milestone' and n.name = t.milestone
join app_user u on u.tenant = t.tenant and u.user_id = t.who
cross join lateral (
    select account, time_us from milestone
    where tenant = t.tenant and kind = 'user' and milestone = t.milestone and who = t.who
    order by time_us, source collate "C", id collate "C", account = '', account collate "C" limit 1
) m
order by t.tenant, n.id, m.time_us
on conflict (tenant, what, user_ordinal) do update set time_us = excluded.time_us, account = excluded.account
where (r.time_us, r.account) <> (excluded.time_us, excluded.account)
"""
