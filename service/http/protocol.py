"""HTTP/1.1 as uvicorn reads it, with a limit on the head, and a problem for what is no HTTP at all."""

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.problems import MEDIA_TYPE, Kind

MAX_HEAD_BYTES = 64 * 1024
"""Beyond the piece that a head begins in, which is what one read of the socket brings."""


class ProblemProtocol(HttpToolsProtocol):
    """One connection."""

    _heads = 0
    """Heads begun on this connection."""
    _in_head = False
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that does not end is refused."""
        began = self._heads
        super().data_received(data)
        if not self._in_head or self._heads != began:
            self._head_bytes = 0
            return
        # All of it belongs to a head that began earlier.
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"the request's line and headers have more than {MAX_HEAD_BYTES:,} bytes: send fewer")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._heads += 1
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The answer to what cannot be read as HTTP, as a problem; the connection ends with it."""
        kind = Kind.BAD_REQUEST
        content = {"type": kind.urn, "title": kind.title, "status": kind.status, "detail": msg}
        body = msgspec.json.encode(content)
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
