"""Giving back memory that merges and batches have left behind."""

import asyncio
import ctypes
from collections.abc import Callable

TRIM_INTERVAL_S = 30.0


def trim() -> None:
    """Return what the C library holds without need (glibc's malloc_trim(3)); elsewhere nothing.

    Runs of ids are merged again and again into longer ones: without it an id takes 21 bytes instead of 16.3, measured
    by how much a process grows with ten million of them.
    """
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if found is not None:
        found(0)


async def keep_trimmed() -> None:
    """Trim now and then, for ever."""
    while True:
        await asyncio.sleep(TRIM_INTERVAL_S)
        await asyncio.to_thread(trim)
