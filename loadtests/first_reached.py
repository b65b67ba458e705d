"""When users first reached milestones, as flushes keep it, of the milestones that were stored without a flush."""

from typing import Final

FILL: Final = """
insert into first_reached (tenant, what, user_ordinal, time_us, account, source, id)
select m.tenant, n.id, u.ordinal, m.time_us, m.account, m.source, m.id
from (
  select distinct on (tenant, milestone, who) tenant, milestone, who, account, time_us, source, id
  from milestone where tenant = $1 and kind = 'user'
  order by tenant, milestone, who, time_us, source collate "C", id collate "C", account = '', account collate "C"
) m
join name n on n.tenant = m.tenant and n.kind = 'milestone' and n.name = m.milestone
join app_user u on u.tenant = m.tenant and u.user_id = m.who
order by 1, 2, 4
on conflict (tenant, what, user_ordinal) do update
set time_us = excluded.time_us, account = excluded.account, source = excluded.source, id = excluded.id
"""
