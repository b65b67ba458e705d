"""The machine that a run was measured on, and with which versions."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import msgspec

from service import __version__

PACKAGES = ("aiokafka", "asyncpg", "msgspec", "numpy", "polars", "uvicorn", "uvloop", "httptools", "fastapi")


class Machine(msgspec.Struct, kw_only=True):
    """Where and with what it ran."""

    cores: int
    cpu: str
    memory_gb: float
    kernel: str
    python: str
    postgres: str
    kafka: str | None
    tidegauge: str
    packages: dict[str, str]
    load_before: float
    """Processes that wanted to run, a minute's mean, before the run: above 0.5, somebody else was working."""
    load_after: float = 0.0


def describe_machine(*, postgres: str, kafka: str | None) -> Machine:
    """Name the machine, and its load as it is now."""
    return Machine(
        cores=os.cpu_count() or 0,
        cpu=_named("/proc/cpuinfo", "model name"),
        memory_gb=round(int(_named("/proc/meminfo", "MemTotal").split()[0]) / 1024**2, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        postgres=postgres,
        kafka=kafka,
        tidegauge=__version__,
        packages={name: version(name) for name in PACKAGES},
        load_before=load(),
    )


def load() -> float:
    """Processes that want to run, a minute's mean."""
    return round(os.getloadavg()[0], 2)


def _named(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
