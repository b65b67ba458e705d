-- id = "recovery_buckets"
-- title = "Accounts by their recoveries"
-- definition = "accounts of which cases became at risk or were recovered in the window, by the share of their cases at risk that is recovered by now (rate) and by their recovered revenue a month (revenue, each currency by itself); edges: recovery.rate_buckets, recovery.revenue_buckets"
-- family = "Revenue and customers"
-- unit = "accounts"
-- kind = "count"
-- better = "neither"
-- dimensions = ["account", "rate", "revenue", "currency"]
-- default_window = "month"
-- [live]
-- windows = ["month"]
-- by = [["rate"], ["revenue"]]
with told as (
  select tenant, win, account, dims, '' as currency, 1 as at_risk, (recovered_us is not null)::int as recovered, 0::numeric as revenue
  from at_risk_cases
  union all
  select tenant, win, account, dims - 'currency', currency, 0, 0, coalesce(revenue, 0) from recovered_money
), sums as (
  select tenant, win, account, dims, currency, sum(revenue) as revenue, sum(sum(at_risk)) over account as at_risk,
         sum(sum(recovered)) over account as recovered, count(*) over account as currencies
  from told
  where account <> ''
  group by tenant, win, account, dims, currency
  window account as (partition by tenant, win, account)
), edges as (
  select d.tenant, array(select jsonb_array_elements_text(d.config #> '{recovery,rate_buckets}')::numeric) as rates,
         array(select jsonb_array_elements_text(d.config #> '{recovery,revenue_buckets}')::numeric) as amounts
  from declared d
), buckets as (
  select e.tenant, 'rate' as measure, n, case n when 0 then '<' || e.rates[1] when cardinality(e.rates) then '>=' || e.rates[n]
         else e.rates[n] || '-' || e.rates[n + 1] end as label
  from edges e cross join lateral generate_series(0, cardinality(e.rates)) n
  union all
  select e.tenant, 'revenue', n, case n when 0 then '<' || e.amounts[1] when cardinality(e.amounts) then '>=' || e.amounts[n]
         else e.amounts[n] || '-' || e.amounts[n + 1] end
  from edges e cross join lateral generate_series(0, cardinality(e.amounts)) n
), placed as (
  select s.tenant, s.win, s.account, s.dims, s.currency, r.label as rate, m.label as revenue
  from sums s
  join edges e on e.tenant = s.tenant
  join elapsed_months o on o.tenant = s.tenant and o.win = s.win
  cross join lateral (
    select s.revenue / o.months as monthly, s.recovered / nullif(s.at_risk, 0) as share
  ) v
  left join buckets r on r.tenant = s.tenant and r.measure = 'rate' and r.n = width_bucket(v.share, e.rates)
  left join buckets m on m.tenant = s.tenant and m.measure = 'revenue' and m.n = width_bucket(v.monthly, e.amounts)
  where s.currency <> '' or s.currencies = 1
), rows as (
  select p.tenant, p.win, p.account, p.dims
         || case when 'rate' = any(:by) then jsonb_build_object('rate', coalesce(p.rate, '')) else '{}' end
         || case when 'revenue' = any(:by) then jsonb_build_object('revenue', p.revenue) else '{}' end
         || case when 'currency' = any(:by) then jsonb_build_object('currency', p.currency) else '{}' end as dims
  from placed p
  where (:only_rate is null or coalesce(p.rate, '') = any(:only_rate))
    and (:only_revenue is null or p.revenue = any(:only_revenue))
    and (:only_currency is null or p.currency = any(:only_currency))
  union all
  -- Buckets that nobody is in show as 0 where they alone are split by.
  select w.tenant, w.win, null, jsonb_build_object(l.measure, l.label)
  from wins w join buckets l on l.tenant = w.tenant
  where :by = array[l.measure] and case l.measure
    when 'rate' then :only_rate is null or l.label = any(:only_rate)
    else :only_revenue is null or l.label = any(:only_revenue) end
)
select tenant, win, dims, '' as statistic, count(distinct account) as numerator, null::numeric as denominator
from rows
group by tenant, win, dims
