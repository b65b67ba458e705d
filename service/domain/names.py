"""What a name may look like, and a bounded memory of the ones that were found good."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping

from service.domain.reasons import Reason
from service.errors import EventRefused

MAX_NAME = 100
MAX_SOURCE = 512
FORBIDDEN = ',{}="'
"""What selectors and labels are made of (`meter.p95{meter=page_load}`): never part of a name."""
RESERVED = "~"
"""The first character of names that the service gives out itself, `~other`."""

_FORBIDDEN = frozenset(FORBIDDEN)
_SHOWN = 40


def name_fault(text: str) -> str | None:
    """Say what is wrong with a name; None where nothing is."""
    if not 1 <= len(text) <= MAX_NAME:
        return f"has {len(text)} characters; a name has 1 to {MAX_NAME}"
    if text[0] == RESERVED:
        return f"begins with {RESERVED}, which only the service's own names do; begin with another character"
    if not _FORBIDDEN.isdisjoint(text):
        return 'holds one of , { } = " which separate names; use . _ or - instead'
    if not text.isprintable():
        return "holds a character that cannot be printed; leave it out"
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        return "is not in Unicode's normal form C; normalise it to NFC"
    return None


def source_fault(text: str) -> str | None:
    """Say what is wrong with a `source` (a URI-reference, RFC 3986); None where nothing is."""
    if not text.isprintable() or " " in text:
        return "holds white space or a control character; percent-encode it"
    return None


class Known(set[str]):
    """Texts that were found good before: a hot path asks `issuperset` and comes here only for new ones.

    Bounded: past `limit` texts it forgets all of them and begins again. `""` stands for a missing one and is good.
    Several threads may use it at once: it only ever holds good texts, and one that is missing is checked again.
    """

    def __init__(self, fault: Callable[[str], str | None], *, limit: int = 20_000) -> None:
        super().__init__([""])
        self._fault = fault
        self._limit = limit

    def require(self, paths: Iterable[str], texts: Iterable[str]) -> None:
        """Check texts, each with the path that names it; raises EventRefused (`bad_name`) for the first bad one."""
        for path, text in zip(paths, texts, strict=True):
            # "" by itself too: another thread may just have emptied the set.
            if not text or text in self:
                continue
            trouble = self._fault(text)
            if trouble is not None:
                raise EventRefused(Reason.BAD_NAME, path, f"{text[:_SHOWN]!r} {trouble}")
            if len(self) >= self._limit:
                self.clear()
                self.add("")
            self.add(text)

    def require_keys(self, path: str, mapping: Mapping[str, object]) -> None:
        """Check the keys of a map; raises EventRefused (`bad_name`) for the first bad one."""
        self.require([path] * len(mapping), mapping)
