-- id = "feedback_themes"
-- title = "Themes of feedback"
-- definition = "how often answers of the window, to whichever survey, named a theme; an answer counts once for each of its themes"
-- family = "Satisfaction"
-- unit = "mentions"
-- kind = "count"
-- better = "neither"
-- dimensions = ["account", "tier", "theme", "sentiment", "survey", "category", "about", "wave", "quarter"]
-- default_window = "month"
-- [live]
-- windows = ["28d"]
-- by = [[], ["theme"], ["sentiment"]]
select tenant, win, dims, '' as statistic, count(*) as numerator, null::numeric as denominator
from themed
group by tenant, win, dims
