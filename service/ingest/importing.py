"""Importing a file of events: NDJSON of any age, in chunks, so that it can go on where it was broken off."""

import gzip
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from service.clock import Clock
from service.errors import InvalidArgument
from service.ingest.append import Appender
from service.ingest.batch import Stamp
from service.ingest.decode import Decoder, Form

CHUNK_LINES = 2_000


class Progress(msgspec.Struct, frozen=True):
    """How far a file has been imported; everything up to `lines` is durable."""

    lines: int = 0
    accepted: int = 0
    rejected: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where the progress of one file for one tenant is kept; a file that changed is another one."""

    path: Path

    @classmethod
    def of(cls, data: Path, tenant: str, file: Path) -> "Bookmark":
        """The bookmark in the data directory of an installation."""
        status = file.stat()
        identity = json.dumps([tenant, str(file.resolve()), status.st_size, status.st_mtime_ns])
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


async def import_file(
    file: Path, tenant: int, bookmark: Bookmark, *, decoder: Decoder, appender: Appender, clock: Clock
) -> AsyncGenerator[Progress, None]:
    """Append a file's events as backfill; gives the progress after every chunk that is durable.

    The file is NDJSON, plain or gzip. What is rejected travels through the log to the dead letters. A chunk that was
    appended and not yet written down is appended again: its events are found to be duplicates by their ids.
    Raises InvalidArgument for a file that is no text of lines, LogUnavailable when the log takes no writes.
    """
    progress = bookmark.read()
    with _open(file) as lines:
        for _ in islice(lines, progress.lines):
            pass
        while chunk := _chunk(lines, file):
            stamp = Stamp(tenant, clock.now_us(), backfill=True, origin=f"import:{file.name}")
            batch = decoder.decode(b"".join(chunk), Form.LINES, stamp)
            await appender.append(batch.rows)
            progress = Progress(
                lines=progress.lines + len(chunk),
                accepted=progress.accepted + batch.accepted,
                rejected=progress.rejected + len(batch.rejected),
            )
            bookmark.write(progress)
            yield progress
    bookmark.write(msgspec.structs.replace(progress, done=True))


def count_lines(file: Path) -> int:
    """How many lines a file has, for a progress bar."""
    with _open(file) as lines:
        return sum(1 for _ in lines)


def _open(file: Path) -> BinaryIO:
    packed = file.open("rb")
    if packed.peek(2)[:2] == b"\x1f\x8b":
        return cast("BinaryIO", gzip.open(packed, "rb"))
    return packed


def _chunk(lines: Iterator[bytes], file: Path) -> list[bytes]:
    try:
        return list(islice(lines, CHUNK_LINES))
    except (OSError, EOFError) as error:
        raise InvalidArgument(f"{file} cannot be read to its end: {error}; what came before is imported") from error
