-- id = "nps"
-- title = "Net promoter score"
-- definition = "100 × (promoters, 9–10, − detractors, 0–6) ÷ users who answered; of a user's answers in the window (the wave, account or quarter that is asked for) the newest counts; a change of more than 20 points against the window before is noted"
-- family = "Satisfaction"
-- unit = "points"
-- kind = "mean"
-- better = "higher"
-- dimensions = ["account", "tier", "wave", "quarter", "category", "about"]
-- default_window = "quarter"
-- [statistics.promoters]
-- title = "Share of promoters"
-- unit = "ratio"
-- kind = "ratio"
-- [statistics.passives]
-- title = "Share of passives"
-- unit = "ratio"
-- kind = "ratio"
-- better = "neither"
-- [statistics.detractors]
-- title = "Share of detractors"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- [statistics.count]
-- title = "Users who answered"
-- unit = "users"
-- kind = "count"
-- [live]
-- windows = ["90d", "quarter"]
-- by = [[], ["tier"]]
with scores as (
  select tenant, win, dims, count(*) as n, count(*) filter (where score >= 9) as promoters,
         count(*) filter (where score between 7 and 8) as passives, count(*) filter (where score <= 6) as detractors
  from newest_answers
  group by tenant, win, dims
), earlier as (
  select tenant, win, dims, 100.0 * (count(*) filter (where score >= 9) - count(*) filter (where score <= 6)) / count(*) as points
  from earlier_answers
  group by tenant, win, dims
)
select a.tenant, a.win, a.dims, s.statistic, s.numerator, s.denominator,
       case when abs(c.change) > 20 then
         case when c.change > 0 then 'rose' else 'fell' end || ' by ' || round(abs(c.change), 1) || ' points against the window before'
       end as note
from scores a
left join earlier e on e.tenant = a.tenant and e.win = a.win and e.dims = a.dims
cross join lateral (select 100.0 * (a.promoters - a.detractors) / a.n - e.points as change) c
cross join lateral (values
  ('', 100 * (a.promoters - a.detractors), a.n), ('promoters', a.promoters, a.n), ('passives', a.passives, a.n),
  ('detractors', a.detractors, a.n), ('count', a.n, null)
) as s(statistic, numerator, denominator)
