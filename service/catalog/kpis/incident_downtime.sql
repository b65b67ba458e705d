-- id = "incident_downtime"
-- title = "Downtime inside incidents"
-- definition = "seconds down, planned ones left out, while an incident was open that speaks for the component (its service names it, or no component at all); outside: seconds down while none was; false positives left out"
-- family = "Incidents"
-- unit = "s"
-- kind = "count"
-- better = "lower"
-- dimensions = ["account", "component"]
-- platform_wide = true
-- of_quarters = true
-- [statistics.outside]
-- title = "Downtime outside of any incident"
-- [live]
-- windows = ["24h", "7d"]
-- [[event]]
-- family = "probe"
-- data = { component = "platform_api", monitor = "blackbox", region = "eu-central", up = false, interval_s = 30 }
-- time = "2025-11-17T10:05:00Z"
-- [[event]]
-- family = "incident"
-- data = { action = "opened", severity = "P1", service = "platform_api" }
select s.tenant, s.win, s.dims, f.statistic, f.numerator, null::numeric as denominator
from incident_seconds s
cross join lateral (values ('', s.inside), ('outside', s.outside)) as f(statistic, numerator)
