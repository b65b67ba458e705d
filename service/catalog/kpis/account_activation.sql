-- id = "account_activation"
-- title = "Accounts activated"
-- definition = "accounts with the milestone activated ÷ accounts known (an account event has told of them, or what their users did activated them), up to the window's end"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account"]
-- default_window = "7d"
-- [suggestion]
-- op = ">="
-- target = 0.8
-- [live]
-- windows = ["7d", "28d"]
select tenant, win, dims, '' as statistic, count(*) filter (where is_activated) as numerator, count(*) as denominator
from known_accounts
group by tenant, win, dims
