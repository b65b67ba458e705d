-- id = "contract_length"
-- title = "Length of contracts"
-- definition = "mean over customers, as of the window's end, of the months from contract_start up to and with contract_end: whole months, and days over at 30.4375 a month"
-- family = "Revenue and customers"
-- unit = "months"
-- kind = "mean"
-- better = "higher"
-- dimensions = ["account", "tier"]
-- default_window = "day"
-- [statistics.count]
-- title = "Contracts whose two dates are known"
-- unit = "contracts"
-- kind = "count"
-- better = "neither"
-- [suggestion]
-- op = ">="
-- target = 18.0
-- up_to = 24.0
-- example = true
-- [live]
-- windows = ["day"]
select c.tenant, c.win, c.dims, s.statistic, s.numerator, s.denominator
from (
  select a.tenant, a.win, a.dims, count(*) as n,
         sum(extract(year from m.long) * 12 + extract(month from m.long) + round(extract(day from m.long), 40) / 30.4375) as months
  from contracts a
  cross join lateral (select age((a.ends + 1)::timestamp, a.begins::timestamp) as long) m
  where a.begins <= a.ends
  group by a.tenant, a.win, a.dims
) c
cross join lateral (values ('', c.months, c.n), ('count', c.n::numeric, null)) as s(statistic, numerator, denominator)
