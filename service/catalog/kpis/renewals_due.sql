-- id = "renewals_due"
-- title = "Renewals due"
-- definition = "customers, as of the window's end, whose renewal date lies in the window (a calendar one to its last day, though it is open); next_30_days, next_90_days: from its last day so far on; overdue: before that day"
-- family = "Revenue and customers"
-- unit = "accounts"
-- kind = "count"
-- better = "neither"
-- dimensions = ["account", "tier"]
-- default_window = "quarter"
-- [statistics.next_30_days]
-- title = "Renewals due in the next 30 days"
-- [statistics.next_90_days]
-- title = "Renewals due in the next 90 days"
-- [statistics.overdue]
-- title = "Renewals that are overdue"
-- better = "lower"
-- [live]
-- windows = ["quarter"]
-- [[event]]
-- family = "account"
-- data = { status = "active", tier = "mid_market", renewal = "2025-12-15" }
select c.tenant, c.win, c.dims, s.statistic, s.n as numerator, null::numeric as denominator
from (
  select r.tenant, r.win, r.dims, count(*) filter (where r.day >= w.first_day and r.day < w.end_day) as due,
         count(*) filter (where r.day >= w.last_day and r.day < w.last_day + 30) as month,
         count(*) filter (where r.day >= w.last_day and r.day < w.last_day + 90) as quarter,
         count(*) filter (where r.day < w.last_day) as late
  from renewals r
  join wins w on w.tenant = r.tenant and w.win = r.win
  group by r.tenant, r.win, r.dims
) c
cross join lateral (
  values ('', c.due), ('next_30_days', c.month), ('next_90_days', c.quarter), ('overdue', c.late)
) as s(statistic, n)
