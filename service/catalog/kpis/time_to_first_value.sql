-- id = "time_to_first_value"
-- title = "Time to first value"
-- definition = "per user, the milestone first_value less the configured start (activity.time_to_first_value_from), in the window of first_value; a user without the start, or with a later one, has none"
-- family = "Adoption and engagement"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["account", "user.*"]
-- default_statistic = "mean"
-- [suggestion]
-- op = "<="
-- target = 600.0
-- limit = 900.0
-- statistic = "mean"
-- [live]
-- windows = ["7d", "28d"]
select tenant, win, dims, array_agg(duration) as durations
from milestone_times
group by tenant, win, dims
