-- id = "detractor_follow_up"
-- title = "Follow-up of detractors"
-- definition = "detractors (users whose newest answer to nps in the window is 0–6) who were followed up within 24 hours of it ÷ detractors"
-- family = "Satisfaction"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "tier", "wave", "category"]
-- default_window = "month"
-- [live]
-- windows = ["28d"]
-- [[event]]
-- family = "feedback"
-- data = { survey = "nps", score = 3 }
-- [[event]]
-- family = "feedback"
-- data = { survey = "nps", action = "followed_up" }
-- time = "2025-11-17T15:00:00Z"
with detractors as (
  select a.tenant, a.win, a.dims, exists (
    select from step s
    where s.tenant = a.tenant and s.family = 'feedback' and s.subject = a.subject
      and s.time_us >= a.time_us and s.time_us <= a.time_us + 86400000000
      and s.fields ->> 'action' = 'followed_up' and s.fields ->> 'survey' = 'nps'
  ) as followed_up
  from newest_answers a
  where a.score <= 6
)
select tenant, win, dims, '' as statistic, count(*) filter (where followed_up) as numerator, count(*) as denominator
from detractors
group by tenant, win, dims
