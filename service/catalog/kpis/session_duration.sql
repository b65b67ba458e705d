-- id = "session_duration"
-- title = "Length of sessions"
-- definition = "how long sessions took, those of which a length was told, in the window that they began in"
-- family = "Adoption and engagement"
-- unit = "s"
-- kind = "distribution"
-- better = "higher"
-- dimensions = ["account"]
-- default_statistic = "mean"
-- [facts]
-- kind = "session"
-- [suggestion]
-- op = ">="
-- target = 480.0
-- statistic = "mean"
-- [live]
-- windows = ["24h", "7d", "28d"]
-- [[event]]
-- family = "usage"
-- data = { feature = "session", session = "s-981", duration_ms = 1260000.0 }
select tenant, win, dims, sum(n) as n, sum(total) as total, min(least) as least, max(greatest) as greatest,
       string_agg(histogram, ''::bytea) as histogram
from facts
group by tenant, win, dims
