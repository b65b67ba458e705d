-- id = "timeliness"
-- title = "From event to figures"
-- definition = "from the time of an event until the commit that makes it visible, by the time of receipt; an event without a time: from its receipt; what is loaded as history left out"
-- family = "Service level"
-- unit = "s"
-- kind = "distribution"
-- better = "lower"
-- dimensions = ["source"]
-- default_window = "24h"
-- default_statistic = "p95"
-- [facts]
-- kind = "delay"
-- [suggestion]
-- op = "<="
-- target = 2.0
-- statistic = "p95"
-- [live]
-- windows = ["1h", "24h"]
-- by = [[], ["source"]]
select tenant, win, dims, sum(n) as n, sum(total) as total, min(least) as least, max(greatest) as greatest,
       string_agg(histogram, ''::bytea) as histogram
from facts
group by tenant, win, dims
