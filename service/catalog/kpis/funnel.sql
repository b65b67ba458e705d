-- id = "funnel"
-- title = "Funnel"
-- definition = "how many users or accounts came as far as each step of a declared funnel ([[funnel]]). Steps by themselves: users active in the window or who used the feature in it, users provisioned at its end, users and accounts with the milestone or the status ever up to its end. Ordered: users whose first-ever first step lies in the window, as far as the first-ever times of the steps after it ascend, within the declared time from the first. share: of the declared base (a step without one: of itself); of_first: of the first step that counts users or accounts alike; drop: 1 − share"
-- family = "Adoption and engagement"
-- unit = "users or accounts"
-- kind = "count"
-- better = "higher"
-- dimensions = ["funnel", "step", "account", "user.*"]
-- windows = ["1d", "7d", "28d", "30d", "90d", "day", "week", "month", "quarter", "year"]
-- whole_days = true
-- default_window = "7d"
-- required = ["funnel", "step"]
-- [statistics.share]
-- title = "Share of the base"
-- unit = "ratio"
-- kind = "ratio"
-- [statistics.of_first]
-- title = "Share of the first step"
-- unit = "ratio"
-- kind = "ratio"
-- [statistics.drop]
-- title = "Share of the base that did not come so far"
-- unit = "ratio"
-- kind = "ratio"
-- better = "lower"
-- [live]
-- windows = ["7d", "28d"]
-- by = [["funnel", "step"]]
with shown as (
  select distinct tenant, win, funnel, dims from funnel_counts
  union
  select distinct w.tenant, w.win, s.funnel, '{}'::jsonb from wins w join funnel_steps s using (tenant)
  where not exists (select from unnest(:by) as b(name) where b.name not in ('funnel', 'step'))
), counts as (
  select h.tenant, h.win, h.funnel, h.dims, s.place, s.step, s.steps, s.of_step, s.users is null as is_of_accounts,
         coalesce(c.n, 0)::bigint as n
  from shown h
  join funnel_steps s on s.tenant = h.tenant and s.funnel = h.funnel
  left join funnel_counts c on c.tenant = h.tenant and c.win = h.win and c.funnel = h.funnel and c.place = s.place and c.dims = h.dims
), compared as (
  select c.*, case when c.of_step is null then c.n else b.n end as of_base,
         first_value(c.n) over (partition by c.tenant, c.win, c.funnel, c.dims, c.is_of_accounts order by c.place) as of_first
  from counts c
  left join counts b on b.tenant = c.tenant and b.win = c.win and b.funnel = c.funnel and b.dims = c.dims and b.step = c.of_step
)
select c.tenant, c.win,
       c.dims || case when 'funnel' = any(:by) then jsonb_build_object('funnel', c.funnel) else '{}' end
              || case when 'step' = any(:by) then jsonb_build_object('step', c.step) else '{}' end as dims,
       s.statistic, s.numerator, s.denominator,
       'step ' || c.place || ' of ' || c.steps || ', ' || case when c.is_of_accounts then 'accounts' else 'users' end
         || coalesce(', of ' || c.of_step, '') as note
from compared c
cross join lateral (
  values ('', c.n, null), ('share', c.n, c.of_base), ('of_first', c.n, c.of_first), ('drop', c.of_base - c.n, c.of_base)
) as s(statistic, numerator, denominator)
where :only_step is null or c.step = any(:only_step)
