-- id = "survey_response"
-- title = "Response to surveys"
-- definition = "users invited in the window who answered the survey (in the invitation's wave, where both name one) since then, up to the window's end ÷ users invited, each once a survey and wave"
-- family = "Satisfaction"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["account", "tier", "survey", "wave"]
-- default_window = "quarter"
-- [live]
-- windows = ["90d", "quarter"]
-- by = [[], ["survey"]]
-- [[event]]
-- family = "feedback"
-- data = { survey = "csat", action = "invited", wave = "2025-Q4" }
-- time = "2025-11-16T11:00:00Z"
-- [[event]]
-- family = "feedback"
-- data = { survey = "csat", score = 4, wave = "2025-Q4" }
with asked as (
  select i.tenant, i.win, i.dims, exists (
    select from step s
    where s.tenant = i.tenant and s.family = 'feedback' and s.subject = i.subject and s.time_us >= i.time_us
      and s.time_us < (extract(epoch from w.end_at) * 1000000)::bigint and s.fields ->> 'action' = 'responded'
      and s.fields ->> 'survey' = i.survey and (i.wave = '' or coalesce(s.fields ->> 'wave', i.wave) = i.wave)
  ) as answered
  from invitations i
  join wins w on w.tenant = i.tenant and w.win = i.win
)
select tenant, win, dims, '' as statistic, count(*) filter (where answered) as numerator, count(*) as denominator
from asked
group by tenant, win, dims
