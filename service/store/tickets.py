"""What is looked up for a support ticket: the tier of its account when it was opened, and when the account went live."""

# The tier that a ticket's account had when it was opened, for a row `c` of `ticket`; no row where it had none.
TIER = """
select value as tier from state_history
where tenant = c.tenant and kind = 'account' and field = 'tier' and who = c.account and account = c.account
  and time_us <= c.opened_us
order by time_us desc, source collate "C" desc, id collate "C" desc limit 1
"""

# When the account of a ticket `c` went live.
GO_LIVE = """
select min(time_us) as go_live_us from milestone
where tenant = c.tenant and kind = 'account' and milestone = 'go_live' and who = c.account
"""
