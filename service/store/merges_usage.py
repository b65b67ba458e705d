"""The merges of what is kept of uses beside facts and bits, one statement a rollup (see merges.py)."""

from typing import Final

# Sessions that begin and end, by the minute: each number adds up.
SESSION: Final = """
merge into session_quarter q
using (
    select tenant, scope, account, to_timestamp(bucket / 1000000) as bucket, unended, opened from flush_session
) s
on q.tenant = s.tenant and q.scope = s.scope and q.account = s.account and q.bucket = s.bucket
when matched then update set unended = int_add(q.unended, s.unended), opened = int_add(q.opened, s.opened)
when not matched then insert (tenant, scope, account, bucket, unended, opened)
    values (s.tenant, s.scope, s.account, s.bucket, s.unended, s.opened)
"""

# Uses by user and week.
FREQUENCY: Final = """
merge into user_feature_week f
using (
    select tenant, feature, date '1970-01-01' + week as week, account, user_ordinal, uses from flush_frequency
) s
on f.tenant = s.tenant and f.feature = s.feature and f.week = s.week and f.account = s.account
    and f.user_ordinal = s.user_ordinal
when matched then update set uses = f.uses + s.uses
when not matched then insert (tenant, feature, week, account, user_ordinal, uses)
    values (s.tenant, s.feature, s.week, s.account, s.user_ordinal, s.uses)
"""

# Uses by account, feature and day, whatever else tells their series apart. Uses have no values, so most other facts are left out
# before their series are looked up.
USES_BY_DAY: Final = """
merge into use_day u
using (
    select s.tenant, date '1970-01-01' + f.day as day, s.account, coalesce(s.dims ->> 'feature', '') as feature,
        sum(f.total) as total
    from flush_fact f join series s on s.id = f.series
    where f.day is not null and f.least is null and s.kind = 'usage' and s.account <> ''
    group by 1, 2, 3, 4 order by 1, 2, 3, 4
) s
on u.tenant = s.tenant and u.day = s.day and u.account = s.account and u.feature = s.feature
when matched then update set total = u.total + s.total
when not matched then insert (tenant, day, account, feature, total) values (s.tenant, s.day, s.account, s.feature, s.total)
"""

# The newest time of what sources sent, by the minute of receipt.
RECEIPTS: Final = """
merge into source_quarter q
using (select tenant, source, to_timestamp(bucket / 1000000) as bucket, newest from flush_receipts) s
on q.tenant = s.tenant and q.source = s.source and q.bucket = s.bucket
when matched then update set newest = bigint_greatest(q.newest, s.newest)
when not matched then insert (tenant, source, bucket, newest) values (s.tenant, s.source, s.bucket, s.newest)
"""
