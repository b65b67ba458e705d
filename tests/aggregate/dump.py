"""All that the rollups say, with names in place of ids: equal dumps are equal figures."""

from typing import Any

import asyncpg

FACT = "n, total, least, greatest, newest_us, newest_source, newest_id, newest_value, histogram"
TIMELESS = "where s.kind <> 'delay'"
"""How long events took is of no two runs the same."""
SERIES = "s.tenant, s.kind, s.account, s.dims::text as dims"
QUERIES = {
    "fact_minute": f"select {SERIES}, bucket, {FACT} from fact_minute f join series s on s.id = f.series {TIMELESS}",
    "fact_quarter": f"select {SERIES}, bucket, {FACT} from fact_quarter f join series s on s.id = f.series {TIMELESS}",
    "fact_day": f"select {SERIES}, day, {FACT} from fact_day f join series s on s.id = f.series {TIMELESS}",
    "users": "select tenant, user_id from app_user",
    "seats": """select s.tenant, s.account, u.user_id
        from seat s join app_user u on u.tenant = s.tenant and u.ordinal = s.user_ordinal""",
    "active_users": """select a.tenant, coalesce(n.name, '') as feature, a.day, u.user_id
        from activity_day a left join name n on n.id = a.feature
        join app_user u on u.tenant = a.tenant and u.ordinal / 2048 = a.chunk
        where a.population = 'user' and get_bit(a.bits, u.ordinal % 2048) = 1""",
    "active_seats": """select a.tenant, coalesce(n.name, '') as feature, a.day, t.account, u.user_id
        from activity_day a left join name n on n.id = a.feature
        join seat t on t.tenant = a.tenant and t.ordinal / 2048 = a.chunk
        join app_user u on u.tenant = t.tenant and u.ordinal = t.user_ordinal
        where a.population = 'seat' and get_bit(a.bits, t.ordinal % 2048) = 1""",
    "bits": "select tenant, population, feature = 0 as any, day, sum(bit_count(bits)) from activity_day group by 1, 2, 3, 4",
    "users_of_weeks": """select a.tenant, coalesce(n.name, '') as feature, a.week, u.user_id
        from activity_week a left join name n on n.id = a.feature
        join app_user u on u.tenant = a.tenant and u.ordinal / 2048 = a.chunk
        where a.population = 'user' and get_bit(a.bits, u.ordinal % 2048) = 1""",
    "seats_of_weeks": """select a.tenant, coalesce(n.name, '') as feature, a.week, t.account, u.user_id
        from activity_week a left join name n on n.id = a.feature
        join seat t on t.tenant = a.tenant and t.ordinal / 2048 = a.chunk
        join app_user u on u.tenant = t.tenant and u.ordinal = t.user_ordinal
        where a.population = 'seat' and get_bit(a.bits, t.ordinal % 2048) = 1""",
    "bits_of_weeks": """select tenant, population, feature = 0 as any, week, sum(bit_count(bits)) from activity_week
        group by 1, 2, 3, 4""",
    "users_of_halves": """select a.tenant, coalesce(n.name, '') as feature, a.half, u.user_id
        from activity_half a left join name n on n.id = a.feature
        join app_user u on u.tenant = a.tenant and u.ordinal / 2048 = a.chunk
        where a.population = 'user' and get_bit(a.bits, u.ordinal % 2048) = 1""",
    "bits_of_halves": """select tenant, population, feature = 0 as any, half, sum(bit_count(bits)) from activity_half
        group by 1, 2, 3, 4""",
    "counts_of_days": """select c.tenant, coalesce(n.name, '') as feature, c.day, c.n
        from active_count c left join name n on n.id = c.feature""",
    "probe": "select * from probe_quarter",
    "sessions": "select * from session_quarter",
    "frequency": """select f.tenant, coalesce(n.name, '') as feature, f.week, f.account, u.user_id, f.uses
        from user_feature_week f left join name n on n.id = f.feature
        join app_user u on u.tenant = f.tenant and u.ordinal = f.user_ordinal""",
    "uses_of_days": "select * from use_day",
    "receipts": "select * from source_quarter",
    "tracked": "select * from tracked_delivery",
    "slo": "select tenant, slo, good, total from slo_counter",
    "state": "select tenant, kind, who, account, field, time_us, source, id, value from state",
    "state_history": "select tenant, kind, who, account, field, time_us, source, id, value from state_history",
    "milestone": "select * from milestone",
    "first_reached": """select r.tenant, n.name, u.user_id, r.time_us, r.source, r.id, r.account
        from first_reached r join name n on n.id = r.what
        join app_user u on u.tenant = r.tenant and u.ordinal = r.user_ordinal""",
    # Whoever reached something is there from the first day on; which later days are marked too says nothing.
    "users_reached": """select r.tenant, least(r.what, 1), coalesce(n.name, ''), r.span, min(r.since), u.user_id
        from reached r left join name n on n.id = r.what
        join app_user u on u.tenant = r.tenant and u.ordinal / 2048 = r.chunk
        where r.population = 'user' and get_bit(r.bits, u.ordinal % 2048) = 1 group by 1, 2, 3, 4, 6""",
    "seats_reached": """select r.tenant, least(r.what, 1), coalesce(n.name, ''), r.span, min(r.since), t.account, u.user_id
        from reached r left join name n on n.id = r.what
        join seat t on t.tenant = r.tenant and t.ordinal / 2048 = r.chunk
        join app_user u on u.tenant = t.tenant and u.ordinal = t.user_ordinal
        where r.population = 'seat' and get_bit(r.bits, t.ordinal % 2048) = 1 group by 1, 2, 3, 4, 6, 7""",
    "step": "select tenant, family, subject, time_us, source, id, account, fields::text from step",
    "hours": "select tenant, day, had from tenant_hours",
    "ids": """select partition, hour, substr(hashes, 16 * n + 1, 16)
        from seen_ids, generate_series(0, length(hashes) / 16 - 1) n""",
    "ledger": "select tenant, source, day, stored, duplicate, dead_lettered from ledger",
    "dead_letter": "select tenant, source, id, reason, detail, raw, received_at, count from dead_letter",
}


async def dump(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, *leave_out: str
) -> dict[str, list[tuple[Any, ...]]]:
    """Every rollup as sorted tuples."""
    return {
        name: sorted((tuple(map(_plain, row)) for row in await connection.fetch(sql)), key=repr)
        for name, sql in QUERIES.items()
        if name not in leave_out
    }


def _plain(value: Any) -> Any:
    return value.as_string() if isinstance(value, asyncpg.BitString) else value
