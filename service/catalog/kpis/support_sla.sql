-- id = "support_sla"
-- title = "Tickets within their limits"
-- definition = "tickets within both limits ÷ tickets judged; response, resolution: within that one. Limits by the account's tier at the opening and the priority as known now, or by a stricter rule that is declared; a ticket is judged when the last of them was met, or at the moment that the first was passed. Excluded tickets are left out. Usual: 99.5 % enterprise, 98 % mid_market, 95 % starter"
-- family = "Support"
-- unit = "ratio"
-- kind = "ratio"
-- better = "higher"
-- dimensions = ["category", "priority", "account", "tier"]
-- adds_up = true
-- default_window = "month"
-- [statistics.response]
-- title = "Tickets answered within their limit"
-- [statistics.resolution]
-- title = "Tickets resolved within their limit, and mitigated where that is limited"
-- [statistics.missed_responses]
-- title = "Responses that were late"
-- unit = "tickets"
-- kind = "count"
-- better = "lower"
-- [statistics.missed_resolutions]
-- title = "Resolutions that were late"
-- unit = "tickets"
-- kind = "count"
-- better = "lower"
-- [suggestion]
-- op = ">="
-- target = 0.995
-- limit = 0.95
-- [live]
-- windows = ["28d", "month"]
-- by = [[], ["tier"], ["priority"]]
-- [[event]]
-- family = "account"
-- data = { status = "active", tier = "enterprise" }
-- time = "2025-10-01T09:00:00Z"
-- [[event]]
-- family = "ticket"
-- data = { action = "opened", priority = "P2", category = "billing" }
-- [[event]]
-- family = "ticket"
-- data = { action = "resolved" }
-- time = "2025-11-17T11:30:00Z"
select t.tenant, t.win, t.dims, f.statistic, f.numerator, f.denominator
from tickets_settled t
cross join lateral (
  values (t.measure, t.met, t.judged),
         (case t.measure when 'response' then 'missed_responses' when 'resolution' then 'missed_resolutions' end,
          t.judged - t.met, null)
) as f(statistic, numerator, denominator)
where f.statistic is not null
