"""A task that is to end ends, though another error came in the place of its cancellation."""

import asyncio

from service.lifecycle import being_cancelled, cancel


async def test_a_cancellation_that_a_broken_connection_swallows_is_made_again() -> None:
    broken = 0

    async def keep() -> None:
        nonlocal broken
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if broken:
                    raise
                broken += 1

    task = asyncio.create_task(keep())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await cancel([task])
    assert (task.cancelled(), broken) == (True, 1)


async def test_a_task_knows_that_it_is_to_end_whatever_it_caught() -> None:
    seen: list[bool] = []

    async def work() -> None:
        seen.append(being_cancelled())
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append(being_cancelled())

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await cancel([task])
    assert seen == [False, True]
