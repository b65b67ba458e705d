-- id = "ces"
-- title = "Customer effort score"
-- definition = "mean score of all answers to surveys of effort: ces, and those whose names end in _ces; top2: the share of the two highest scores of the scale; surveys and scales apart"
-- family = "Satisfaction"
-- unit = "score"
-- kind = "mean"
-- better = "higher"
-- test = "welch"
-- dimensions = ["account", "tier", "survey", "scale", "category", "about", "wave", "quarter"]
-- apart = ["survey", "scale"]
-- default_window = "month"
-- [statistics.top2]
-- title = "Share of the two highest scores"
-- unit = "ratio"
-- kind = "ratio"
-- [statistics.count]
-- title = "Answers"
-- unit = "answers"
-- kind = "count"
-- better = "neither"
-- [live]
-- windows = ["28d"]
-- [[event]]
-- family = "feedback"
-- data = { survey = "ces", score = 6, scale = 7 }
select a.tenant, a.win, a.dims, s.statistic, s.numerator, s.denominator, s.squares
from (
  select tenant, win, dims, count(*) as n, sum(score) as total, sum(score::bigint * score) as squares,
         count(*) filter (where score >= scale::int - 1) as top
  from answers
  group by tenant, win, dims
) a
cross join lateral (values ('', a.total, a.n, a.squares), ('top2', a.top, a.n, null), ('count', a.n, null, null))
  as s(statistic, numerator, denominator, squares)
