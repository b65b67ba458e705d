-- id = "seat_use"
-- title = "Licensed seats in use"
-- definition = "provisioned users ÷ licensed users (the newest licensed_users of accounts, added up), as of the window's end"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- [live]
-- windows = ["7d", "28d"]
-- [[event]]
-- family = "user"
-- [[event]]
-- family = "account"
select l.tenant, l.win, l.dims, '' as statistic, coalesce(p.n, 0) as numerator, l.n as denominator
from licensed_users l
left join provisioned_users p using (tenant, win, dims)
