-- id = "time_to_activation"
-- title = "Time to activation"
-- definition = "per account, the milestone activated less its first status invited, in the window of activated; an account without the status, or with a later one, has none"
-- family = "Adoption and engagement"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["account"]
-- default_statistic = "mean"
-- [suggestion]
-- op = "<="
-- target = 172800.0
-- statistic = "mean"
-- [live]
-- windows = ["7d", "28d"]
-- [[event]]
-- family = "account"
-- data = { status = "invited" }
-- time = "2025-11-16T09:00:00Z"
-- [[event]]
-- family = "account"
-- data = { milestone = "activated" }
select tenant, win, dims, array_agg(took) as durations
from known_accounts
where took is not null
group by tenant, win, dims
