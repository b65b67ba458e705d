-- id = "mtbf"
-- title = "Time between failures"
-- definition = "seconds that the platform was up ÷ incidents with outage that were opened in the window, false positives left out"
-- family = "Incidents"
-- unit = "s"
-- kind = "mean"
-- better = "higher"
-- dimensions = ["account"]
-- platform_wide = true
-- of_quarters = true
-- default_window = "28d"
-- [suggestion]
-- op = ">"
-- target = 2592000.0
-- [live]
-- windows = ["28d"]
-- [[event]]
-- family = "probe"
-- data = { component = "platform_api", monitor = "blackbox", region = "eu-central", up = true, interval_s = 30 }
-- [[event]]
-- family = "incident"
-- data = { action = "opened", severity = "P1", service = "api", outage = true }
with outages as (
  select w.tenant, w.win, i.dims, count(*) as n
  from wins w
  join incidents_asked i on i.tenant = w.tenant and i.win = w.win
  where i.outage and not i.false_positive and i.opened_at >= w.start_at and i.opened_at < w.end_at
  group by w.tenant, w.win, i.dims
)
select s.tenant, s.win, s.dims, '' as statistic, s.up as numerator, coalesce(o.n, 0) as denominator
from seconds s
left join outages o on o.tenant = s.tenant and o.win = s.win and o.dims = s.dims
