-- id = "nps"
-- title = "Net promoter score"
-- definition = "100 × (promoters, 9–10, − detractors, 0–6) ÷ users who answered; of a user's answers in the window (the wave, account, quarter, category or thing that is asked for) the newest counts; a change of more than 20 points against the window before (of an open window the same part of it) is noted, by quarter only where both windows lie in it"
-- family = "Satisfaction"
-- unit = "points"
-- kind = "mean"
-- better = "higher"
-- test = "welch"
-- dimensions = ["account", "tier", "wave", "quarter", "category", "about"]
-- together = ["tier"]
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
-- [suggestion]
-- op = ">="
-- target = 50.0
-- limit = 30.0
-- [live]
-- windows = ["90d", "quarter"]
-- by = [[], ["tier"]]
-- [[event]]
-- family = "feedback"
-- data = { survey = "nps", score = 9, wave = "2025-Q4" }
with counted as materialized (
  select tenant, win, dims, score, false as is_earlier, count(*)::int as n from newest_answers group by tenant, win, dims, score
  union all
  select tenant, win, dims, score, true, count(*)::int from earlier_answers where :noted group by tenant, win, dims, score
), scores as (
  select tenant, win, dims - dropped as dims, split, is_earlier, sum(n) as n,
         coalesce(sum(n) filter (where score >= 9), 0) as promoters,
         coalesce(sum(n) filter (where score between 7 and 8), 0) as passives,
         coalesce(sum(n) filter (where score <= 6), 0) as detractors
  from counted cross join splits
  group by tenant, win, dims - dropped, split, is_earlier
), compared as (
  select *, lag(100.0 * (promoters - detractors) / n) over (
           partition by tenant, win, split, dims order by is_earlier desc
         ) as points_before
  from scores
)
select a.tenant, a.win, a.dims, a.split, s.statistic, s.numerator, s.denominator, s.squares,
       case when abs(c.change) > 20 then
         case when c.change > 0 then 'rose' else 'fell' end || ' by ' || round(abs(c.change), 1) || ' points against the window before'
       end as note
from compared a
cross join lateral (select 100.0 * (a.promoters - a.detractors) / a.n - a.points_before as change) c
cross join lateral (values
  -- An answer is worth 100, 0 or -100 points.
  ('', 100 * (a.promoters - a.detractors), a.n, 10000 * (a.promoters + a.detractors)), ('promoters', a.promoters, a.n, null),
  ('passives', a.passives, a.n, null), ('detractors', a.detractors, a.n, null), ('count', a.n, null, null)
) as s(statistic, numerator, denominator, squares)
where not a.is_earlier
