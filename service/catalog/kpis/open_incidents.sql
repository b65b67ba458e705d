-- id = "open_incidents"
-- title = "Open incidents"
-- definition = "incidents that are open at the window's end, by their steps up to then; false positives, as known now, left out"
-- family = "Incidents"
-- unit = "incidents"
-- kind = "count"
-- better = "lower"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- default_window = "1h"
-- [live]
-- windows = ["1h"]
-- by = [[], ["severity"], ["kind"]]
with rows as (
  select w.tenant, w.win, i.dims, 1 as n
  from wins w
  join incidents_asked i on i.tenant = w.tenant and i.win = w.win
  where not i.false_positive and i.opened_at < w.end_at and not exists (
    select from (
      select fields ->> 'action' as move from step
      where tenant = w.tenant and family = 'incident' and subject = i.subject and fields ->> 'action' in ('resolved', 'reopened')
        and time_us < (extract(epoch from w.end_at) * 1000000)::bigint
      order by time_us desc, fields ->> 'action' = 'reopened' desc
      limit 1
    ) newest
    where newest.move = 'resolved'
  )
  union all
  select w.tenant, w.win, s.dims, 0 from wins w cross join severities s
)
select tenant, win, dims, '' as statistic, sum(n) as numerator, null::numeric as denominator
from rows
group by tenant, win, dims
