-- id = "recovery_time"
-- title = "Time to recover"
-- definition = "recovered less at risk, of cases recovered in the window"
-- family = "Revenue and customers"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["account", "tier", "channel", "week"]
-- default_window = "28d"
-- default_statistic = "p50"
-- [statistics.within_24h]
-- title = "Share in less than 24 hours"
-- below = 86400.0
-- [statistics.within_48h]
-- title = "Share in less than 48 hours"
-- below = 172800.0
-- [statistics.within_7d]
-- title = "Share in less than a week"
-- below = 604800.0
-- [live]
-- windows = ["28d"]
-- [[event]]
-- family = "recovery"
-- data = { action = "at_risk" }
-- time = "2025-11-16T10:30:00Z"
-- [[event]]
-- family = "recovery"
-- data = { action = "recovered", amount = { amount = 4900, currency = "USD" } }
-- time = "2025-11-17T10:30:00Z"
select tenant, win, dims, array_agg((recovered_us - began_us) * 1000) as durations
from recovered_cases
where recovered_us >= began_us
group by tenant, win, dims
