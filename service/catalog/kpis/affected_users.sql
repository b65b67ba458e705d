-- id = "affected_users"
-- title = "Users affected by incidents"
-- definition = "sum of affected_users, as known now, of the incidents opened in the window; false positives left out; a user of two incidents counts twice"
-- family = "Incidents"
-- unit = "users"
-- kind = "count"
-- better = "lower"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["severity"]]
-- [[event]]
-- family = "incident"
-- data = { action = "opened", severity = "P1", service = "api", affected_users = 120 }
select w.tenant, w.win, i.dims, '' as statistic, coalesce(sum(i.affected_users), 0) as numerator, null::numeric as denominator
from wins w
join incidents_asked i on i.tenant = w.tenant and i.win = w.win
where not i.false_positive and i.opened_at >= w.start_at and i.opened_at < w.end_at
group by w.tenant, w.win, i.dims
