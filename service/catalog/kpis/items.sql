-- id = "items"
-- title = "Tracked items"
-- definition = "items that are open as of the window's end (also as open); new: begun in the window; closed: closed at its end and not at its start; reopened: the other way round; net = new + reopened − closed; overdue: open, and due before the window's last day so far"
-- family = "Revenue and customers"
-- unit = "items"
-- kind = "count"
-- better = "neither"
-- dimensions = ["account", "kind", "status", "colour", "owner", "priority"]
-- together = ["kind", "status", "colour", "owner", "priority"]
-- default_window = "week"
-- [statistics.open]
-- title = "Open items"
-- [statistics.new]
-- title = "New items"
-- [statistics.closed]
-- title = "Closed items"
-- [statistics.reopened]
-- title = "Reopened items"
-- [statistics.net]
-- title = "Change of open items"
-- [statistics.overdue]
-- title = "Overdue items"
-- better = "lower"
-- [live]
-- windows = ["week"]
-- by = [[], ["kind"], ["colour"]]
with counted as materialized (
  select t.tenant, t.win, t.dims, count(*) filter (where t.status <> 'closed') as open,
         count(*) filter (where t.begun_us >= t.from_us) as begun,
         count(*) filter (where t.status = 'closed' and t.status_before is distinct from 'closed') as closed,
         count(*) filter (where t.status <> 'closed' and t.status_before = 'closed') as reopened,
         count(*) filter (where t.status <> 'closed') - count(*) filter (where t.status_before <> 'closed') as net,
         count(*) filter (where t.status <> 'closed' and t.due <> '' and t.due::date < w.last_day) as late
  from tracked t
  join wins w on w.tenant = t.tenant and w.win = t.win
  group by t.tenant, t.win, t.dims
)
select i.tenant, i.win, i.dims, i.split, s.statistic, s.n as numerator, null::numeric as denominator
from (
  select tenant, win, dims - dropped as dims, split, sum(open) as open, sum(begun) as begun, sum(closed) as closed,
         sum(reopened) as reopened, sum(net) as net, sum(late) as late
  from counted cross join splits
  group by tenant, win, dims - dropped, split
) i
cross join lateral (values
  ('', i.open), ('open', i.open), ('new', i.begun), ('closed', i.closed), ('reopened', i.reopened), ('net', i.net),
  ('overdue', i.late)
) as s(statistic, n)
