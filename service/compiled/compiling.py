"""How functions are compiled: by numba, outside the interpreter's lock, kept on disk where there is a place for it."""

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from numba import config, njit

P = ParamSpec("P")
R = TypeVar("R")

_SERVICE = Path(__file__).parent.parent
_SHARED = "compiled"


def _sources_digest(part: str) -> str:
    """A digest of all modules of a part of the service that have compiled functions, and of those that all parts share.

    numba keeps machine code by a function's own file. But functions of other files are compiled into it, and it does not
    see when these change: each state of the sources must have a place of its own.
    """
    paths = [path for each in (part, _SHARED) for path in sorted((_SERVICE / each).rglob("*.py"))]
    sources = (path.read_bytes() for path in paths)
    digest = hashlib.blake2b(digest_size=8)
    for source in sources:
        if b"@compiled" in source or b"@intrinsic" in source:
            digest.update(source)
    return digest.hexdigest()


def _places() -> Iterator[Path]:
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(named)
    yield Path(__file__).parent / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "tidegauge"


@cache
def _place_of(part: str) -> str | None:
    """Where the machine code of a part of the service is kept; None where there is no place for it."""
    digest = _sources_digest(part)
    for place in _places():
        directory = place / f"compiled-{part}-{digest}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(directory, os.W_OK):
            return str(directory)
    return None


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and integers when it is first called (numba.readthedocs.io, "Compiling with @jit").

    The machine code is kept in NUMBA_CACHE_DIR, or beside the modules, or in the user's cache; where none of them can be
    written, it is made anew at every start, which takes some seconds.
    """
    place = _place_of(function.__module__.split(".")[1])
    if place is not None:
        config.CACHE_DIR = place  # type: ignore[attr-defined]  # numba makes its settings at import
    return cast(Callable[P, R], njit(cache=place is not None, nogil=True)(function))
