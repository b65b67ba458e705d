"""A task that is to end ends, though another error came in the place of its cancellation."""

import asyncio

import pytest

from service.lifecycle import being_cancelled, cancel, side_by_side


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


async def _after(ended: list[str], seconds: float, error: Exception | None = None) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise
    if error is not None:
        raise error
    return f"{seconds:g}"


async def test_what_is_done_side_by_side_comes_in_its_order() -> None:
    assert await side_by_side(_after([], seconds) for seconds in (0.02, 0.0, 0.01)) == ["0.02", "0", "0.01"]
    assert await side_by_side([]) == []


@pytest.mark.parametrize("depth", [1, 2])
async def test_who_waited_for_one_that_failed_is_not_counted_as_cancelled(depth: int) -> None:
    ended: list[str] = []

    async def nested(left: int) -> str:
        several = nested(left - 1) if left else _after(ended, 0.01, ValueError("first"))
        return (await side_by_side([several, _after(ended, 60), _after(ended, 60, ValueError("late"))]))[0]

    with pytest.raises(ValueError, match="first"):
        await nested(depth)
    assert not being_cancelled()
    assert ended == ["cancelled"] * 2 * (depth + 1)


async def test_who_is_cancelled_while_others_work_ends_them_and_is_cancelled() -> None:
    ended: list[str] = []
    waiting = asyncio.create_task(side_by_side([_after(ended, 60), _after(ended, 60)]))
    await asyncio.sleep(0.01)
    await cancel([waiting])
    assert (waiting.cancelled(), ended) == (True, ["cancelled"] * 2)
