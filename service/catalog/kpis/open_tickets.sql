-- id = "open_tickets"
-- title = "Open tickets"
-- definition = "tickets that are open at the window's end, by their steps up to then, and how old they are: the time since they were opened, less the time in which they were resolved"
-- family = "Support"
-- unit = "tickets"
-- kind = "count"
-- better = "lower"
-- dimensions = ["category", "priority", "account", "tier"]
-- default_window = "1h"
-- [statistics.mean_age]
-- title = "Mean age of open tickets"
-- unit = "s"
-- kind = "mean"
-- [statistics.oldest]
-- title = "Age of the oldest open ticket"
-- unit = "s"
-- kind = "mean"
-- [statistics.over_1d]
-- title = "Open for more than 24 hours"
-- [statistics.over_7d]
-- title = "Open for more than 7 days"
-- [statistics.over_30d]
-- title = "Open for more than 30 days"
-- [live]
-- windows = ["1h"]
-- by = [[], ["priority"]]
select t.tenant, t.win, t.dims, f.statistic, f.numerator, f.denominator
from (
  select tenant, win, dims, count(*) as n, sum(age_us) / 1000000.0 as age, max(age_us) / 1000000.0 as oldest,
         count(*) filter (where age_us > 86400000000) as over_1d, count(*) filter (where age_us > 7 * 86400000000) as over_7d,
         count(*) filter (where age_us > 30 * 86400000000) as over_30d
  from tickets_open
  group by tenant, win, dims
) t
cross join lateral (
  values ('', t.n, null), ('mean_age', t.age, t.n), ('oldest', t.oldest, 1),
         ('over_1d', t.over_1d, null), ('over_7d', t.over_7d, null), ('over_30d', t.over_30d, null)
) as f(statistic, numerator, denominator)
