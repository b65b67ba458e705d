"""History has a row for every closed window, and a late event writes it again."""

from service.clock import DAY, HOUR, SECOND
from tests.evaluate.stage import Stage, staged


async def close(stage: Stage) -> int:
    return await stage.closing().once(stage.pool, stage.owner, stage.lease, watermark_us=stage.clock.now_us())


async def test_every_closed_day_has_its_row_and_the_open_one_has_none(database_url: str) -> None:
    async with staged(database_url, zone="America/New_York") as stage:
        now = stage.clock.now_us()
        await stage.requests([(now - 3 * DAY, "200", 3), (now - DAY, "200", 1), (now, "200", 7)])
        await close(stage)
        days = await stage.values("kpi_history", "requests", window="day")
        assert [row["value"] for row in days[-3:]] == [3, 0, 1]
        assert days[-1]["end_at"].timestamp() * SECOND <= now


async def test_what_is_written_is_not_written_again(database_url: str) -> None:
    async with staged(database_url) as stage:
        await stage.requests([(stage.clock.now_us() - 2 * DAY, "200", 3)])
        assert await close(stage) > 0
        assert await close(stage) == 0


async def test_a_window_gets_its_row_when_it_closes(database_url: str) -> None:
    async with staged(database_url) as stage:
        now = stage.clock.now_us()
        await stage.requests([(now, "200", 5)])
        await close(stage)
        before = len(await stage.values("kpi_history", "requests", window="day"))
        stage.clock.move(DAY / SECOND)
        assert await close(stage) >= 1
        days = await stage.values("kpi_history", "requests", window="day")
        assert (len(days), days[-1]["value"]) == (before + 1, 5)


async def test_a_late_event_rewrites_its_own_windows_only(database_url: str) -> None:
    async with staged(database_url) as stage:
        now = stage.clock.now_us()
        await stage.requests([(now - 3 * DAY, "200", 3), (now - 2 * DAY, "200", 4)])
        await close(stage)
        first = await stage.values("kpi_history", "requests", window="day")
        late = now - 2 * DAY + HOUR
        await stage.pool.execute(
            "update fact_day set n = n + 1 where day = (to_timestamp($1) at time zone 'UTC')::date", late / SECOND
        )
        async with stage.pool.acquire() as connection:
            await stage.touch(connection, [late])
        await close(stage)
        again = await stage.values("kpi_history", "requests", window="day")
        assert [row["value"] for row in again[-3:]] == [3, 5, 0]
        assert [row["at"] for row in again if row["value"] == 3] == [row["at"] for row in first if row["value"] == 3]
