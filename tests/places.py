"""Where the tests' Postgres keeps its files: in memory where there is plenty, for a database is a thousand small files."""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108  # that it is shared is why directories get names of their own
CGROUPS = [
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
]
"""The limit of this container's control group, and what it uses: of version 2 and of version 1."""
PREFIX = "tidegauge-test-"
LOCK = "lives"
NEEDED_BYTES = 8 * 2**30
"""What eight test processes need at the most; with less to spare files go to the disk."""


@contextmanager
def place() -> Iterator[Path]:
    """A directory of this process's own, gone afterwards; what processes left that were killed goes with the next one's start.

    On a disk a clone of the template costs 0.2 s of CPU, in memory 0.015 s.
    """
    root = MEMORY if _spare_bytes() >= NEEDED_BYTES else Path(tempfile.gettempdir())
    _sweep(root)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=root, ignore_cleanup_errors=True) as made:
        directory = Path(made)
        with (directory / "made").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            (directory / "made").rename(directory / LOCK)  # held from the first moment that others see it
            directory.chmod(0o755)  # as root Postgres runs as another user, who must get there
            yield directory


def _spare_bytes() -> int:
    """How much may be written to memory: what the file system takes, and what the machine has."""
    try:
        stat = os.statvfs(MEMORY)
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0  # another system than Linux
    available_kb = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), 0)
    return min(stat.f_bavail * stat.f_frsize, available_kb * 1024, _spare_of_container())


def _spare_of_container() -> int:
    """What a container may take beyond what it has; without a limit as much as there is."""
    for limit, used in CGROUPS:
        with suppress(OSError, ValueError):  # not of this version, or `max`
            return int(limit.read_text()) - int(used.read_text())
    return sys.maxsize


def _sweep(root: Path) -> None:
    """Remove the directories that nobody holds any more; one without its lock is just being made, or older than locks."""
    for lock in root.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
