"""Bodies, read with limits: on their size, their size unpacked, the time they take, and on all of them together."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from service.errors import Overloaded
from service.http.problems import Kind, Problem

READ_TIMEOUT_S = 30.0
MAX_GZIP_MEMBERS = 100
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class _Held:
    size: int = 0


class BodyReader:
    """Reads bodies of at most `max_bytes` each (unpacked, too) and `max_held_bytes` at the same time."""

    def __init__(self, *, max_bytes: int, max_held_bytes: int, timeout_s: float = READ_TIMEOUT_S) -> None:
        self._max_bytes = max_bytes
        self._max_held_bytes = max(max_held_bytes, max_bytes)
        self._timeout_s = timeout_s
        self._held_bytes = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The unpacked body, counted as held until the block ends.

        Raises problems: 400 for bad gzip, 408 for a body that does not come, 413 for one over the limit,
        415 for another encoding than gzip; and Overloaded when too much is held already.
        """
        held = _Held()
        try:
            yield await self._read(request, held)
        finally:
            self._held_bytes -= held.size

    async def _read(self, request: Request, held: _Held) -> bytes:
        taken: _Plain | _Gzip = _Gzip(self._max_bytes) if _is_gzip(request) else _Plain(self._max_bytes)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise too_large(self._max_bytes)
        try:
            async with asyncio.timeout(self._timeout_s):
                more = True
                while more:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    self._hold(held, taken.feed(message.get("body", b"")))
                    more = message.get("more_body", False)
        except TimeoutError:
            detail = f"the body did not come within {self._timeout_s:g} s: send it faster, or less at a time"
            raise Problem(Kind.REQUEST_TIMEOUT, detail) from None
        return taken.finish()

    def _hold(self, held: _Held, more_bytes: int) -> None:
        held.size += more_bytes
        self._held_bytes += more_bytes
        if self._held_bytes > self._max_held_bytes:
            raise Overloaded("too many large requests at the same time: try again")


class _Plain:
    """A body as it comes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._parts: list[bytes] = []

    def feed(self, chunk: bytes) -> int:
        """Take a chunk; returns by how many bytes the body grew."""
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise too_large(self._max_bytes)
        self._parts.append(chunk)
        return len(chunk)

    def finish(self) -> bytes:
        """The body."""
        return b"".join(self._parts)


class _Gzip:
    """A body unpacked while it comes (RFC 1952, several members too), never further than the limit."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._packed = 0
        self._size = 0
        self._members = 0
        self._parts: list[bytes] = []
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = False

    def feed(self, chunk: bytes) -> int:
        """Unpack a chunk; returns by how many bytes the body grew."""
        before = self._size
        self._packed += len(chunk)
        if self._packed > self._max_bytes:
            raise too_large(self._max_bytes)
        while chunk:
            self._begun = True
            try:
                part = self._member.decompress(chunk, self._max_bytes - self._size + 1)
            except zlib.error as error:
                raise _bad_gzip(str(error)) from None
            self._size += len(part)
            if self._size > self._max_bytes:
                raise too_large(self._max_bytes, unpacked=True)
            self._parts.append(part)
            chunk = self._next_member() if self._member.eof else self._member.unconsumed_tail
        return self._size - before

    def _next_member(self) -> bytes:
        rest = self._member.unused_data
        self._members += 1
        if self._members > MAX_GZIP_MEMBERS:
            raise _bad_gzip(f"more than {MAX_GZIP_MEMBERS} members")
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = False
        return rest

    def finish(self) -> bytes:
        """The body; a member that is cut off is an error."""
        if self._begun or self._members == 0:
            raise _bad_gzip("it ends too early")
        return b"".join(self._parts)


def _is_gzip(request: Request) -> bool:
    encoding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if encoding in ("", "identity"):
        return False
    if encoding in ("gzip", "x-gzip"):
        return True
    detail = f"Content-Encoding {encoding[:100]!r} is not taken: send gzip, or no encoding"
    raise Problem(Kind.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Encoding": "gzip"})


def too_large(max_bytes: int, *, unpacked: bool = False) -> Problem:
    """The 413 of a body over the limit."""
    what = "unpacked body" if unpacked else "body"
    return Problem(Kind.TOO_LARGE, f"the {what} has more than {max_bytes:,} bytes, the limit: split it into several requests")


def _bad_gzip(detail: str) -> Problem:
    return Problem(Kind.MALFORMED_BODY, f"the body is not valid gzip: {detail}")
