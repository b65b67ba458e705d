"""How much of the machine's memory the embedded Postgres keeps for pages of its own."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

MEGABYTE: Final = 2**20
SHARE: Final = 8
"""One in so many bytes of memory: the roles, and the system's own cache of files, want the rest."""
LEAST_MB: Final = 128
MOST_MB: Final = 1_024
"""Enough for a month of users by feature of a million users (docs/adr/0038), and more is dearer to look through."""
LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""What this container may take: of control groups of version 2 and of version 1."""


def shared_buffers() -> str:
    """The setting `shared_buffers` for this machine or container: an eighth of its memory, within bounds.

    https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-SHARED-BUFFERS
    """
    return f"{max(LEAST_MB, min(MOST_MB, _memory_bytes() // SHARE // MEGABYTE))}MB"


def _memory_bytes() -> int:
    """What the machine has, or this container may take; 0 where nobody says."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
    for limit in LIMITS:
        with suppress(OSError, ValueError):  # not of this version, or `max`
            memory = min(memory, int(limit.read_text()))
    return memory
