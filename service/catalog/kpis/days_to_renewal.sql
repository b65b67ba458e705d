-- id = "days_to_renewal"
-- title = "Days to renewal"
-- definition = "mean over customers, as of the window's end, of the days from its last day so far to their renewal date; dates that have passed are left out (renewals_due.overdue counts them)"
-- family = "Revenue and customers"
-- unit = "days"
-- kind = "mean"
-- better = "neither"
-- dimensions = ["account", "tier"]
-- default_window = "day"
-- [live]
-- windows = ["day"]
select c.tenant, c.win, c.dims, '' as statistic, sum(c.renewal - w.last_day) as numerator, count(*) as denominator
from contracts c
join wins w on w.tenant = c.tenant and w.win = c.win
where c.renewal >= w.last_day
group by c.tenant, c.win, c.dims
