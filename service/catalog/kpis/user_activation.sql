-- id = "user_activation"
-- title = "Users activated"
-- definition = "users with a first use, or with the milestone that is declared (activity.activated_user) ÷ licensed users, up to the window's end; ÷ provisioned users where that is asked for, or no account says how many it has licensed"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- [parameters.denominator]
-- title = "Whom the share is of"
-- values = ["licensed", "provisioned"]
-- [suggestion]
-- op = ">="
-- target = 0.7
-- [live]
-- windows = ["7d", "28d"]
-- [[event]]
-- family = "usage"
-- [[event]]
-- family = "account"
select tenant, win, dims, '' as statistic, coalesce(a.n, 0) as numerator,
       case nullif(:denominator, '') when 'licensed' then l.n when 'provisioned' then p.n else coalesce(l.n, p.n) end as denominator,
       case when coalesce(nullif(:denominator, ''), 'licensed') = 'licensed' and l.n is null
            then 'no account says how many users are licensed' || case when :denominator = 'licensed' then '' else ': of provisioned users' end
       end as note
from activated_users a
full join provisioned_users p using (tenant, win, dims)
full join licensed_users l using (tenant, win, dims)
