-- id = "freshness"
-- title = "Freshness of sources"
-- definition = "minutes, of receipt, at whose end the newest event of a source was younger than its limit (freshness.SOURCE.limit_s, of others that of *) ÷ minutes of the window so far; age: of the newest event at the window's end"
-- family = "Service level"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- test = "none"
-- dimensions = ["source"]
-- default_window = "24h"
-- of_quarters = true
-- [statistics.age]
-- title = "Age of the newest event"
-- unit = "s"
-- kind = "mean"
-- better = "lower"
-- [suggestion]
-- op = ">="
-- target = 0.95
-- [live]
-- windows = ["1h", "24h", "7d"]
-- by = [[], ["source"]]
select tenant, win, dims, '' as statistic, fresh as numerator, minutes as denominator from freshness_minutes
union all
select tenant, win, dims, 'age', age_us * 0.000001, 1 from source_ages
