"""`tidegauge import`: history of any age, resumable at any chunk, counted once."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from service.cli.connect import database_url
from service.errors import InvalidArgument
from service.ingest import importing
from service.ingest.append import Appender
from service.ingest.importing import Bookmark, Importer, Progress
from service.settings import load
from service.wiring import base as wiring
from tests.operations.commands import tidegauge
from tests.operations.events import SOURCE, minutes_ago, usage
from tests.operations.running import Running

YEAR_MINUTES = 366 * 24 * 60


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGAUGE_DATA", str(tmp_path / "data"))


def history(count: int) -> list[bytes]:
    """Lines of events, a minute apart, a year and more ago."""
    return [json.dumps(usage(f"u{n}", time=minutes_ago(YEAR_MINUTES + n))).encode() + b"\n" for n in range(count)]


async def test_history_is_loaded_and_a_broken_last_line_is_one_dead_letter(site: Running, tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(b"".join(history(30)) + b"\n" + b'{"specversion": "1.0", "id": "cut o')
    done = await tidegauge("import", str(file), "--tenant", "acme")
    assert "30 events accepted, 1 rejected" in done.stderr
    report = await site.consumed()
    assert (report.stored, report.dead_lettered, report.mistakes) == (30, 1, ())
    [letter] = (await site.get("/v1/dead-letters"))["dead_letters"]
    assert (letter["reason"], letter["origin"], letter["event"]) == (
        "malformed",
        "import:history.ndjson",
        '{"specversion": "1.0", "id": "cut o',
    )
    assert "imported already" in (await tidegauge("import", str(file), "--tenant", "acme")).stderr
    assert (await site.consumed()).appended == 31


async def test_a_packed_file_is_read_by_its_content_and_copies_count_once(site: Running, tmp_path: Path) -> None:
    packed, plain = tmp_path / "history", tmp_path / "again.ndjson"
    packed.write_bytes(gzip.compress(b"".join(history(20))))
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    await tidegauge("import", str(packed), "--tenant", "acme")
    await tidegauge("import", str(plain), "--tenant", "acme")
    report = await site.consumed()
    assert (report.stored, report.duplicate) == (20, 20)


@pytest.mark.parametrize("duplicates", [0, 10])
async def test_broken_off_at_any_chunk_and_started_again_it_counts_once(
    site: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, duplicates: int
) -> None:
    monkeypatch.setattr(importing, "CHUNK_LINES", 10)
    file = tmp_path / "history.ndjson"
    file.write_bytes(b"".join(history(45)))
    settings = load()
    bookmark = Bookmark.of(settings.data, site.base.installation.hash_key, "acme", file)
    async with wiring.base(settings, database_url(settings), role="import", connections=4) as base:
        door = wiring.appender(base)
        importer = Importer(wiring.decoder(base), door, wiring.backlog(base), base.clock, settings.max_request_events)
        await broken_off(importer, door, site, file, bookmark, kept=duplicates == 0)
    await tidegauge("import", str(file), "--tenant", "acme")
    report = await site.consumed()
    assert (report.stored, report.dead_lettered, report.mistakes) == (45, 0, ())
    assert report.duplicate == duplicates


async def broken_off(importer: Importer, door: Appender, site: Running, file: Path, bookmark: Bookmark, *, kept: bool) -> None:
    """Import two chunks and stop; the second one's progress is kept or, as by a crash, is not."""
    appending = asyncio.create_task(door.run())
    running: AsyncGenerator[Progress, None] = importer.run(file, site.tenant.id, bookmark)
    first = await anext(running)
    second = await anext(running)
    await running.aclose()
    assert (first.lines, second.lines) == (10, 20)
    if not kept:
        bookmark.write(first)
    await door.drain()
    appending.cancel()
    await asyncio.gather(appending, return_exceptions=True)


async def test_a_packed_file_that_ends_too_early_is_imported_up_to_there(site: Running, tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson.gz"
    whole = gzip.compress(b"".join(history(5000)), mtime=0)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidArgument, match="cannot be read to its end"):
        await tidegauge("import", str(file), "--tenant", "acme")
    first = await site.consumed()
    assert first.stored > 2000
    file.write_bytes(whole)
    await tidegauge("import", str(file), "--tenant", "acme")
    report = await site.consumed()
    assert (report.stored, report.mistakes) == (5000, ())


async def test_a_line_without_an_end_costs_no_memory_and_no_other_line(
    site: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_LINE_BYTES", 2_000)
    file = tmp_path / "odd.ndjson"
    good = history(2)
    file.write_bytes(good[0] + b"x" * 9_999 + b"\n" + b"y" * 2_000 + b"\n" + good[1])
    await tidegauge("import", str(file), "--tenant", "acme")
    report = await site.consumed()
    assert (report.stored, report.dead_lettered) == (2, 2)


async def test_what_may_be_sent_at_once_bounds_a_chunk(site: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGAUGE_MAX_REQUEST_EVENTS", "7")
    file = tmp_path / "history.ndjson"
    file.write_bytes(b"".join(history(20)))
    await tidegauge("import", str(file), "--tenant", "acme")
    assert (await site.consumed()).stored == 20


async def test_another_installation_with_the_same_data_directory_imports_it_too(site: Running, tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(b"".join(history(1)))
    here, there = (Bookmark.of(tmp_path, key, "acme", file) for key in (b"a" * 32, b"b" * 32))
    assert here.path != there.path


async def test_an_imported_event_can_be_asked_for(site: Running, tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(history(1)[0])
    await tidegauge("import", str(file), "--tenant", "acme")
    await site.consumed()
    time = json.loads(file.read_text())["time"]
    assert (await site.get("/v1/events", source=SOURCE, id="u0", time=time))["state"] == "stored"
