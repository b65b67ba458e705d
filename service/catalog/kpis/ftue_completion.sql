-- id = "ftue_completion"
-- title = "First steps completed"
-- definition = "users with the milestone ftue_completed ÷ users who logged in (first_login; where none is sent, a first use), up to the window's end"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- [suggestion]
-- op = ">="
-- target = 0.85
-- [live]
-- windows = ["7d", "28d"]
-- [[event]]
-- family = "user"
-- data = { milestone = "first_login" }
-- time = "2025-11-17T09:00:00Z"
-- [[event]]
-- family = "user"
-- data = { milestone = "ftue_completed" }
-- time = "2025-11-17T09:40:00Z"
select tenant, win, dims, '' as statistic, reached as numerator, n as denominator
from logged_in
where n > 0
