"""What processes used: CPU and memory, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of a process: now and at its most."""

    resident: int
    peak: int


def cpu_s(pid: int) -> float:
    """CPU-seconds that a process has used itself, in all its threads."""
    return sum(_fields(Path(f"/proc/{pid}/stat"))[11:13]) / TICKS_A_SECOND


def tree_cpu_s(pid: int) -> float:
    """CPU-seconds of a process, of its children that live, and of those that have ended."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _fields(path)
        except OSError:  # it has just ended: its parent's count has it
            continue
        if pid in (int(path.parent.name), fields[1]):
            ticks += sum(fields[11:15])
    return ticks / TICKS_A_SECOND


def memory(pid: int) -> Memory:
    """Memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest.endswith(" kB")}
    return Memory(kilobytes["VmRSS"] * 1024, kilobytes["VmHWM"] * 1024)


def _fields(path: Path) -> list[int]:
    """Fields of proc(5) `stat` from the state on (given as 0), so that 1 is the parent and 11 to 14 are times."""
    return [0, *map(int, path.read_text().rpartition(")")[2].split()[1:])]
