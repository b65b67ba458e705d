"""An event goes the whole way: from the log to the rollups and the ledger."""

from service.clock import MINUTE
from tests.aggregate.conftest import Site
from tests.aggregate.events import Events, seconds_ago


async def test_a_request_in_the_log_becomes_facts_of_its_minute_quarter_and_day(site: Site) -> None:
    events = Events(site)
    at = seconds_ago(site, 30)
    await site.append({"request": [events.request(time_us=at, latency_ns=5_000_000, count=3), events.request(time_us=at)]})
    await site.consume()
    async with site.pool.acquire() as connection:
        for table in ("fact_minute", "fact_quarter", "fact_day"):
            facts = await connection.fetch(
                f"select n, total, least, greatest, histogram from {table} f join series s on s.id = f.series"
                " where kind = 'request'"
            )
            assert [tuple(fact)[:4] for fact in facts] == [(4, 20_000_000, 5_000_000, 5_000_000)]
            assert [value & ((1 << 48) - 1) for value in facts[0]["histogram"]] == [4]
        bucket = await connection.fetchval(
            "select extract(epoch from bucket)::bigint * 1000000 from fact_minute f join series s on s.id = f.series"
            " where kind = 'request'"
        )
        assert bucket == at // MINUTE * MINUTE
        assert [tuple(row) for row in await connection.fetch("select stored, duplicate, dead_lettered from ledger")] == [
            (2, 0, 0)
        ]
        assert await connection.fetchval("select flush from tenant_dirty where tenant = $1", site.tenant) >= 1


async def test_all_families_of_a_batch_reach_their_rollups(site: Site) -> None:
    events = Events(site)
    at = seconds_ago(site, 5)
    await site.append(
        {
            "usage": [events.usage(time_us=at, user=f"user-{n % 7}", account=f"account-{n % 3}") for n in range(100)],
            "user": [events.user(time_us=at, user="ada", traits={"plan": "pro"}, status="provisioned", milestone="signed_up")],
            "request": [events.request(time_us=at)],
        }
    )
    await site.consume()
    async with site.pool.acquire() as connection:
        users = await connection.fetchval("select bit_count(bits) from activity_day where population = 'user' and feature = 0")
        seats = await connection.fetchval(
            "select sum(bit_count(bits)) from activity_day where population = 'seat' and feature = 0"
        )
        assert (users, seats) == (7, 21)
        first = "select sum(bit_count(bits)) from reached where population = 'user' and what = 0 and span = 'day'"
        assert await connection.fetchval(first) == 7
        assert await connection.fetchval("select count(*) from app_user") == 8
        assert await connection.fetchval("select value from state where field = 'trait.plan'") == "pro"
        assert await connection.fetchval("select count(*) from segment_dirty") == 1
        assert await connection.fetchval("select count(*) from milestone") == 1
        assert await connection.fetchval("select value from state_history") == "provisioned"


async def test_texts_of_any_characters_arrive_as_they_were(site: Site) -> None:
    odd = 'a\rb\nc"d,e\\.\n\\.\n\\N\t\x01\u2028 é😀'
    event = Events(site).user(
        time_us=seconds_ago(site, 5),
        user=odd,
        traits={"plan": odd},
        status=odd,
        milestone="signed_up",
        source=odd,
        id=odd,
        account=odd,
    )
    await site.append({"user": [event]})
    await site.consume()
    async with site.pool.acquire() as connection:
        state = await connection.fetchrow("select who, value, source, id, account from state")
        assert state is not None
        assert set(state.values()) == {odd}
        assert await connection.fetchval("select user_id from app_user") == odd
        assert await connection.fetchval("select source from ledger") == odd
        assert await connection.fetchval("select value from state_history") == odd


async def test_an_empty_text_is_no_null(site: Site) -> None:
    await site.append(
        {"user": [Events(site).user(time_us=seconds_ago(site, 5), user="", status="", traits={"plan": ""}, account="")]}
    )
    await site.consume()
    async with site.pool.acquire() as connection:
        assert await connection.fetchval("select user_id from app_user") == ""
        assert await connection.fetchval("select account from state") in ("", None)
