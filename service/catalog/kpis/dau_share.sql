-- id = "dau_share"
-- title = "Share of users active in a day"
-- definition = "distinct active users ÷ provisioned, licensed or activated users as of the window's end, as asked or declared (activity.dau_share_of)"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "feature", "user.*"]
-- windows = ["1d", "day"]
-- whole_days = true
-- default_window = "1d"
-- custom = false
-- [parameters.denominator]
-- title = "Whom the share is of"
-- values = ["provisioned", "licensed", "activated"]
-- [suggestion]
-- op = ">="
-- target = 0.6
-- [live]
-- windows = ["1d"]
-- [[event]]
-- family = "usage"
-- [[event]]
-- family = "user"
select w.tenant, w.win, coalesce(a.dims, b.dims, '{}') as dims, '' as statistic,
       coalesce(a.n, 0) as numerator, b.n as denominator,
       case when c.of_whom = 'licensed' and b.n is null then 'no account says how many users are licensed' end as note
from wins w
join chosen c on c.tenant = w.tenant
left join (
  active a full join base b on b.tenant = a.tenant and b.win = a.win and b.dims = a.dims - 'feature'
) on coalesce(a.tenant, b.tenant) = w.tenant and coalesce(a.win, b.win) = w.win
where a.dims is not null or not 'feature' = any(:by) and (b.dims is not null or cardinality(:by) = 0)
