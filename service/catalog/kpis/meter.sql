-- id = "meter"
-- title = "Meters"
-- definition = "what measurements of a meter came to; an event counts as often as its count says; units and currencies apart; change: the newest value less the newest before the window"
-- family = "Service level"
-- unit = ""
-- kind = "distribution"
-- better = "neither"
-- dimensions = ["account", "meter", "unit", "currency", "attribute.*"]
-- required = ["meter"]
-- apart = ["unit", "currency"]
-- default_statistic = "mean"
-- [statistics.sum]
-- title = "Sum of values"
-- kind = "count"
-- [statistics.newest]
-- title = "Newest value"
-- [statistics.change]
-- title = "Newest value less the newest before the window"
-- [facts]
-- kind = "meter"
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [["meter"]]
with inside as (
  select tenant, win, dims, sum(n) as n, sum(total) as total, min(least) as least, max(greatest) as greatest,
         string_agg(histogram, ''::bytea) as histogram,
         (array_agg(newest_value order by newest_us desc, newest_source collate "C" desc, newest_id collate "C" desc))[1] as newest
  from facts
  group by tenant, win, dims
), earlier as (
  select tenant, win, dims,
         (array_agg(newest_value order by newest_us desc, newest_source collate "C" desc, newest_id collate "C" desc))[1] as newest
  from before
  group by tenant, win, dims
)
select i.tenant, i.win, i.dims, i.n, i.total, i.least, i.greatest, i.histogram, i.total as sum, i.newest,
       i.newest - e.newest as change
from inside i
left join earlier e on e.tenant = i.tenant and e.win = i.win and e.dims = i.dims
