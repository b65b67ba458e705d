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
select r.tenant, r.win, r.dims, '' as statistic, sum(r.day - w.last_day) as numerator, count(*) as denominator
from renewals r
join wins w on w.tenant = r.tenant and w.win = r.win
where r.day >= w.last_day
group by r.tenant, r.win, r.dims
