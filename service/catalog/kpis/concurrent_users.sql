-- id = "concurrent_users"
-- title = "Concurrent users"
-- definition = "sessions that are open at the end of the window's last minute (now, while it is open); peak and mean: of all of its minutes; a session that is not told to have ended is open for 24 hours, and none counts for longer"
-- family = "Adoption and engagement"
-- unit = "sessions"
-- kind = "count"
-- better = "neither"
-- dimensions = ["account"]
-- windows = ["5m", "1h", "24h", "1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- default_window = "24h"
-- of_quarters = true
-- [statistics.peak]
-- title = "Most that were open at the end of a minute"
-- [statistics.mean]
-- title = "Mean of the window's minutes"
-- kind = "mean"
-- [suggestions.peak]
-- op = ">="
-- target = 10000.0
-- example = true
-- [live]
-- windows = ["5m", "1h", "24h", "7d"]
-- [[event]]
-- family = "usage"
-- data = { feature = "session", session = "s-981", phase = "start" }
select o.tenant, o.win, o.dims, s.statistic, s.numerator, s.denominator
from (
  select tenant, win, dims, (array_agg(open order by at desc))[1] as now, max(open) as peak,
         sum(open * minutes) as minutes_open, sum(minutes) as n_minutes
  from open_sessions
  group by tenant, win, dims
) o
cross join lateral (values
  ('', o.now, null), ('peak', o.peak, null), ('mean', o.minutes_open, o.n_minutes)
) as s(statistic, numerator, denominator)
