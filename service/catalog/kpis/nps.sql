-- id = "nps"
-- title = "Net promoter score"
-- definition = "100 × (promoters, 9–10, − detractors, 0–6) ÷ users who answered; of a user's answers in the window (the wave, account or quarter that is asked for) the newest counts"
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
select a.tenant, a.win, a.dims, s.statistic, s.numerator, s.denominator
from (
  select tenant, win, dims, count(*) as n, count(*) filter (where score >= 9) as promoters,
         count(*) filter (where score between 7 and 8) as passives, count(*) filter (where score <= 6) as detractors
  from newest_answers
  group by tenant, win, dims
) a
cross join lateral (values
  ('', 100 * (a.promoters - a.detractors), a.n), ('promoters', a.promoters, a.n), ('passives', a.passives, a.n),
  ('detractors', a.detractors, a.n), ('count', a.n, null)
) as s(statistic, numerator, denominator)
