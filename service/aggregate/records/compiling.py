"""How the loops over records are compiled."""

from service.compiled.compiling import compiled

__all__ = ["compiled"]
