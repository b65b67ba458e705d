"""How functions are compiled: by numba, outside the interpreter's lock, kept on disk where there is a place for it."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and integers when it is first called (numba.readthedocs.io, "Compiling with @jit").

    The machine code is kept beside the module, or in the user's cache, or in NUMBA_CACHE_DIR; where none of them can
    be written, it is made anew at every start, which takes some seconds.
    """
    try:
        made = njit(cache=True, nogil=True)(function)
    except RuntimeError:
        made = njit(nogil=True)(function)
    return cast(Callable[P, R], made)
