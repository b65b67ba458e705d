"""Parameters that a route takes: any other is told, and so is one that is given twice."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import QueryParams

from service.errors import InvalidQuery

MAX_SHOWN_CHARACTERS: Final = 64


def check_known(parameters: QueryParams, known: Collection[str], of: str) -> None:
    """Raises InvalidQuery for a parameter that nothing would be made of, and for one that is given twice; `of` names the door."""
    taken = f"it takes {', '.join(known)}" if known else "it takes none"
    for name in parameters:
        shown = name[:MAX_SHOWN_CHARACTERS]
        if name not in known:
            raise InvalidQuery(shown, f"is no parameter of {of}: {taken}")
        if len(parameters.getlist(name)) > 1:
            raise InvalidQuery(shown, "is given twice: give it once")
