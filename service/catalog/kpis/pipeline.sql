-- id = "pipeline"
-- title = "Pipeline"
-- definition = "the value of items of the kind opportunity that are open as of the window's end, in minor units, each currency apart"
-- family = "Revenue and customers"
-- unit = ""
-- kind = "count"
-- better = "higher"
-- dimensions = ["account", "status", "colour", "owner", "priority", "currency"]
-- apart = ["currency"]
-- default_window = "week"
-- [live]
-- windows = ["week"]
-- [[event]]
-- family = "item"
-- data = { kind = "opportunity", status = "open", title = "Second region", value = { amount = 9000000, currency = "USD" }, owner = "ann" }
-- subject = "OPP-3"
select tenant, win, dims, '' as statistic, sum(value) as numerator, null::numeric as denominator
from tracked
where status <> 'closed' and kind = 'opportunity' and value is not null
group by tenant, win, dims
