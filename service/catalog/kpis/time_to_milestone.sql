-- id = "time_to_milestone"
-- title = "Time to a milestone"
-- definition = "per user, a milestone less the configured start (activity.time_to_first_value_from), in the window of the milestone; a user without the start, or with a later one, has none"
-- family = "Adoption and engagement"
-- unit = "s"
-- kind = "durations"
-- better = "lower"
-- dimensions = ["milestone", "account", "user.*"]
-- required = ["milestone"]
-- default_statistic = "mean"
-- [live]
-- windows = ["28d"]
-- by = [["milestone"]]
select tenant, win, dims, array_agg(duration) as durations
from milestone_times
group by tenant, win, dims
