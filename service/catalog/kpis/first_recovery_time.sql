-- id = "first_recovery_time"
-- title = "Time to an account's first recovery"
-- definition = "per account: its first recovered step less its first step at risk, of whichever cases, in the window of the first recovery"
-- family = "Revenue and customers"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["account", "tier"]
-- default_window = "90d"
-- default_statistic = "p50"
-- [live]
-- windows = ["90d"]
-- [[event]]
-- family = "recovery"
-- data = { action = "at_risk" }
-- time = "2025-11-16T10:30:00Z"
-- [[event]]
-- family = "recovery"
-- data = { action = "recovered", amount = { amount = 4900, currency = "USD" } }
-- time = "2025-11-17T10:30:00Z"
select tenant, win, dims, array_agg((recovered_us - at_risk_us) * 1000) as durations
from first_recoveries
where recovered_us >= at_risk_us
group by tenant, win, dims
