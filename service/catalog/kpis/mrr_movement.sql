-- id = "mrr_movement"
-- title = "Movement of MRR"
-- definition = "the change of MRR between the window's ends, account by account: new (never a customer before) + expansion + reactivation (a customer once more) − contraction − churned (no customer any more)"
-- family = "Revenue and customers"
-- unit = ""
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "tier", "currency"]
-- apart = ["currency"]
-- default_window = "month"
-- [statistics.new]
-- title = "MRR of new customers"
-- [statistics.expansion]
-- title = "More MRR of customers"
-- [statistics.reactivation]
-- title = "MRR of customers who came back"
-- [statistics.contraction]
-- title = "Less MRR of customers"
-- better = "lower"
-- [statistics.churned]
-- title = "MRR of customers who left"
-- better = "lower"
-- [live]
-- windows = ["month"]
with moves as (
  -- One that pays in another currency now has less of the one and more of the other.
  select tenant, win, dims, is_first, was, is_now, pays_in as currency, pays,
         case when paid_in = pays_in then paid else 0 end as paid
  from customers_moved where pays_in is not null
  union all
  select tenant, win, dims, is_first, was, is_now, paid_in, 0, paid
  from customers_moved where paid_in is not null and paid_in is distinct from pays_in
), kinds as (
  select tenant, win, dims || jsonb_build_object('currency', currency) as dims, pays - paid as change,
         case when not was and is_first then 'new'
              when not was then 'reactivation'
              when not is_now then 'churned'
              when pays >= paid then 'expansion'
              else 'contraction' end as kind
  from moves
  where :only_currency is null or currency = any(:only_currency)
)
select k.tenant, k.win, k.dims, s.statistic, s.change as numerator, null::numeric as denominator
from (
  select tenant, win, dims, sum(change) as net,
         sum(change) filter (where kind = 'new') as new, sum(change) filter (where kind = 'expansion') as expansion,
         sum(change) filter (where kind = 'reactivation') as reactivation,
         -sum(change) filter (where kind = 'contraction') as contraction, -sum(change) filter (where kind = 'churned') as churned
  from kinds group by tenant, win, dims
) k
cross join lateral (values
  ('', net), ('new', new), ('expansion', expansion), ('reactivation', reactivation), ('contraction', contraction), ('churned', churned)
) as s(statistic, change)
