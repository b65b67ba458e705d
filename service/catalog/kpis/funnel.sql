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
-- [[event]]
-- family = "usage"
-- [[event]]
-- family = "user"
with steps as (
  select s.*, s.users is null as is_of_accounts, case when s.of_step is null then s.place else b.place end as base_place,
         min(s.place) over (partition by s.tenant, s.funnel, s.users is null) as first_place
  from funnel_steps s
  left join funnel_steps b on b.tenant = s.tenant and b.funnel = s.funnel and b.step = s.of_step
), found as (
  -- What each row counted, by the step's place: steps look theirs up in it, so no plan makes a loop over rows of them.
  select tenant, win, funnel, dims, jsonb_object_agg(place, n) as counted
  from (
    select tenant, win, funnel, dims, place, n from funnel_counts
    union all
    select distinct w.tenant, w.win, s.funnel, '{}'::jsonb, 0, 0 from wins w join funnel_steps s using (tenant)
    where not exists (select from unnest(:by) as b(name) where b.name not in ('funnel', 'step'))
  ) c group by tenant, win, funnel, dims
), compared as (
  select f.tenant, f.win,
         f.dims || case when 'funnel' = any(:by) then jsonb_build_object('funnel', f.funnel) else '{}' end
                || case when 'step' = any(:by) then jsonb_build_object('step', s.step) else '{}' end as dims,
         coalesce((f.counted ->> s.place::text)::bigint, 0) as n,
         case when s.base_place is not null then coalesce((f.counted ->> s.base_place::text)::bigint, 0) end as of_base,
         coalesce((f.counted ->> s.first_place::text)::bigint, 0) as of_first,
         'step ' || s.place || ' of ' || s.steps || ', ' || case when s.is_of_accounts then 'accounts' else 'users' end
           || coalesce(', of ' || s.of_step, '') as note
  from found f
  join steps s on s.tenant = f.tenant and s.funnel = f.funnel
  where :only_step is null or s.step = any(:only_step)
  offset 0
)
select c.tenant, c.win, c.dims, s.statistic, s.numerator, s.denominator, c.note
from compared c
cross join lateral (
  values ('', c.n, null), ('share', c.n, c.of_base), ('of_first', c.n, c.of_first), ('drop', c.of_base - c.n, c.of_base)
) as s(statistic, numerator, denominator)
