"""docs/sending-events.md works when it is pasted."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from service.domain.families.registry import BY_TYPE
from tests.ingest.door import Door

PAGE = Path(__file__).parents[2] / "docs" / "sending-events.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(PAGE.read_text()) if found == language]


async def run(door: Door, *command: str) -> str:
    environment = {**os.environ, "TIDEGAUGE_KEY": door.keys["ingest"]}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_python_of_the_page_sends_its_event(door: Door) -> None:
    [code] = blocks("python")
    out = await run(door, sys.executable, "-c", code.replace("http://127.0.0.1:8080", door.address))
    assert out.strip() == "{'accepted': 1, 'rejected': []}"
    assert len(await door.ids()) == 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl to paste the lines into")
async def test_every_curl_line_of_the_page_sends_its_events(door: Door) -> None:
    answers = [await run(door, "sh", "-c", code.replace("http://127.0.0.1:8080", door.address)) for code in blocks("sh")]
    assert answers == [f'{{"accepted":{events},"rejected":[]}}' for events in (1, 2, 3, 1)]
    assert await door.ids() == [f"8d3f-{number}" for number in range(1, 8)]


def test_the_page_names_every_type_with_fields_that_it_has() -> None:
    rows = re.findall(r"^\| `(io\.tidegauge\.\w+\.v1)` \|(.*?)\| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert sorted(type_ for type_, _, _ in rows) == sorted(BY_TYPE)
    for type_, subject, says in rows:
        event = BY_TYPE[type_].event
        assert set(re.findall(r"`(\w+)`", says)) <= set(event.__annotations__["data"].__struct_fields__), type_
        assert bool(subject.strip()) == ("subject" in event.__annotations__), type_
