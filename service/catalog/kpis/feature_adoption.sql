-- id = "feature_adoption"
-- title = "Adoption of features"
-- definition = "distinct users of the feature ÷ active users of the window; where features.NAME.eligible is declared, both among eligible users"
-- family = "Adoption and engagement"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "feature", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- required = ["feature"]
-- [live]
-- windows = ["7d", "28d"]
-- by = [["feature"]]
select r.tenant, r.win, r.dims, '' as statistic,
       case when e.dims is null then coalesce(a.n, 0) else e.n end as numerator,
       case when e.dims is null then r.n else e.out_of end as denominator,
       case when e.dims is not null then 'of eligible users' end as note
from feature_rows r
left join active a using (tenant, win, dims)
left join eligible e using (tenant, win, dims)
