"""How a process lives: it stops on SIGTERM or SIGINT, once, and dies with its parent where it must."""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
from collections.abc import Collection, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

CANCEL_INTERVAL_S = 1.0
_PR_SET_PDEATHSIG = 1
_OBJECTS_BETWEEN_SEARCHES = 50_000
_Result = TypeVar("_Result")


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets; a second signal has its default effect: it kills."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)

    def release() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    def arrived() -> None:
        stop.set()
        release()

    for number in signals:
        loop.add_signal_handler(number, arrived)
    try:
        yield stop
    finally:
        release()


async def cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended; what they raise has been said or does not matter any more.

    Again and again: a connection that breaks at that moment raises its own error in the place of the cancellation,
    and a task that waits for better times then goes on.
    """
    left: Collection[asyncio.Task[Any]] = tasks
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_INTERVAL_S)
    await asyncio.gather(*tasks, return_exceptions=True)


async def side_by_side(several: Iterable[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """What each of them returns, in their order; the first error ends the others and is raised as itself.

    No task group: that of Python 3.11 leaves the task that waits for it counted as cancelled when one of them fails, and
    whoever asks `being_cancelled` then would end for ever.
    """
    tasks = [asyncio.create_task(each) for each in several]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        errors = list(_errors(tasks))
    finally:
        await cancel(tasks)
    if not errors:
        return [task.result() for task in tasks]
    try:
        raise errors[0].with_traceback(None)
    finally:
        # An error that is raised knows this frame, and all that its tasks have read: it must not be known from here in turn.
        del errors, tasks


def _errors(tasks: Collection[asyncio.Task[Any]]) -> Iterator[BaseException]:
    """What tasks raised that have ended by themselves, in their order."""
    for task in tasks:
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is not None:
            yield error


def being_cancelled() -> bool:
    """Whether this task was asked to end, whatever error came in the place of the cancellation."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def spare_the_collector() -> None:
    """Have what is there by now, half a million objects of imported modules, never searched for garbage again.

    And what is made is searched after 50,000 objects in place of 700: answers of many rows are no garbage, and were searched
    again and again while they were made, nearly half of an evaluator's CPU. Once a process, before its work begins.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES)


def die_with_parent(parent_pid: int) -> None:
    """Be sent SIGTERM when the parent dies (Linux `prctl(2)` PR_SET_PDEATHSIG); elsewhere nothing.

    Raises ProcessLookupError when the parent is gone already.
    """
    libc = ctypes.CDLL(None)
    prctl = getattr(libc, "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        raise ProcessLookupError(f"parent {parent_pid} is gone")
