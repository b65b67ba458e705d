"""Importing a file of events: NDJSON of any age, in chunks, so that it can go on where it was broken off."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from service.clock import Clock
from service.errors import InvalidArgument
from service.ingest.append import Appender
from service.ingest.backlog import LogBacklog
from service.ingest.batch import Stamp
from service.ingest.decode import Decoder, Form

CHUNK_LINES = 2_000
CHUNK_BYTES = 8 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024
"""What is read of a line; the rest is passed over, and the line becomes a dead letter."""
_GZIP = b"\x1f\x8b"


class Progress(msgspec.Struct, frozen=True):
    """How far a file has been imported; everything up to `lines` is durable."""

    lines: int = 0
    accepted: int = 0
    rejected: int = 0
    done: bool = False
    position: int = 0
    """Bytes of the file that have been read: what a progress bar shows."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where the progress of one file for one tenant is kept; a file that changed is another one."""

    path: Path

    @classmethod
    def of(cls, data: Path, installation: bytes, tenant: str, file: Path) -> "Bookmark":
        """The bookmark in a data directory; `installation` tells those apart that share it (its hash key)."""
        status = file.stat()
        identity = json.dumps([installation.hex(), tenant, str(file.resolve()), status.st_size, status.st_mtime_ns])
        return cls(data / "imports" / f"{hashlib.blake2b(identity.encode(), digest_size=12).hexdigest()}.json")

    def read(self) -> Progress:
        """Where it was broken off; the beginning where it never began."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress()

    def write(self, progress: Progress) -> None:
        """Keep the progress; a crash leaves the old one or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as sink:
            sink.write(msgspec.json.encode(progress))
            sink.flush()
            os.fsync(sink.fileno())
        fresh.replace(self.path)


@dataclass(frozen=True, slots=True)
class Importer:
    """Appends files as backfill: whatever their events' age."""

    decoder: Decoder
    appender: Appender
    backlog: LogBacklog
    clock: Clock
    max_lines: int
    """Most events that the decoder takes at once."""

    async def run(self, file: Path, tenant: int, bookmark: Bookmark) -> AsyncGenerator[Progress, None]:
        """Append a file's events from where it was broken off; gives the progress after every chunk that is durable.

        The file is NDJSON, plain or gzip. What is rejected travels through the log to the dead letters. A chunk that was
        appended and not yet written down is appended again: its events are found to be duplicates by their ids.
        Waits while the log's backlog is over its limit.
        Raises InvalidArgument where the file cannot be read on (what came before is imported), LogUnavailable when the
        log takes no writes.
        """
        progress = bookmark.read()
        with file.open("rb") as packed:
            chunks = _chunks(packed, file, skip=progress.lines, most=min(CHUNK_LINES, self.max_lines))
            for chunk in chunks:
                await self.backlog.room()
                stamp = Stamp(tenant, self.clock.now_us(), backfill=True, origin=f"import:{file.name}")
                batch = self.decoder.decode(b"".join(chunk), Form.LINES, stamp)
                await self.appender.append(batch.rows, batch.packed)
                progress = Progress(
                    lines=progress.lines + len(chunk),
                    accepted=progress.accepted + batch.accepted,
                    rejected=progress.rejected + len(batch.rejected),
                    position=packed.tell(),
                )
                bookmark.write(progress)
                yield progress
        bookmark.write(msgspec.structs.replace(progress, done=True))


def _chunks(packed: BinaryIO, file: Path, *, skip: int, most: int) -> Iterator[list[bytes]]:
    """Lines behind the first `skip` ones, at most `most` and about CHUNK_BYTES at a time.

    Raises InvalidArgument where the file ends before its compression does, after all lines before.
    """
    chunk: list[bytes] = []
    size = 0
    trouble: Exception | None = None
    lines = _lines(packed)
    while True:
        try:
            line = next(lines, None)
        except (OSError, EOFError, zlib.error) as error:
            trouble, line = error, None
        if line is None:
            break
        if skip:
            skip -= 1
            continue
        chunk.append(line)
        size += len(line)
        if len(chunk) == most or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
    if trouble is not None:
        raise InvalidArgument(f"{file} cannot be read to its end ({trouble}); what came before is imported") from trouble


def _lines(packed: BinaryIO) -> Iterator[bytes]:
    """Every line, cut at MAX_LINE_BYTES."""
    is_gzip = packed.read(len(_GZIP)) == _GZIP
    packed.seek(0)
    lines = cast("BinaryIO", gzip.GzipFile(fileobj=packed)) if is_gzip else packed
    while line := lines.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n") and len(line) == MAX_LINE_BYTES:
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = lines.readline(MAX_LINE_BYTES)
            line += b"\n"
        yield line
