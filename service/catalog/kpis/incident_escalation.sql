-- id = "incident_escalation"
-- title = "Incidents escalated"
-- definition = "of the incidents opened in the window those that were escalated, by now ÷ incidents opened; false positives left out"
-- family = "Incidents"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- dimensions = ["severity", "kind", "service", "cause", "account"]
-- platform_wide = true
-- [suggestion]
-- op = "<="
-- target = 0.1
-- [live]
-- windows = ["7d", "28d"]
-- by = [[], ["severity"]]
select w.tenant, w.win, i.dims, '' as statistic, count(i.escalated_us) as numerator, count(*) as denominator
from wins w
join incidents_asked i on i.tenant = w.tenant and i.win = w.win
where not i.false_positive and i.opened_at >= w.start_at and i.opened_at < w.end_at
group by w.tenant, w.win, i.dims
