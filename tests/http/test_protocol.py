"""What is no HTTP is answered with a problem too, and a head has a limit."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter

from service.http.app import create_app
from service.http.protocol import MAX_HEAD_BYTES
from service.telemetry import Telemetry
from tests.http.serving import raw, serving

router = APIRouter()


@router.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with serving(create_app(title="test", routers=[router], telemetry=Telemetry("test"))) as address:
        yield address


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_a_problem(address: str, request_bytes: bytes) -> None:
    assert problem_of(await raw(address, request_bytes))["title"]


@pytest.mark.parametrize(
    ("begin", "more"), [(b"GET /", b"x"), (b"GET / HTTP/1.1\r\nX: ", b"y"), (b"GET / HTTP/1.1\r\n", b"X: y\r\n")]
)
async def test_a_head_that_does_not_end_is_refused(address: str, begin: bytes, more: bytes) -> None:
    answer = await raw(address, begin, more * (MAX_HEAD_BYTES // len(more) + 1))
    assert "65,536 bytes" in problem_of(answer)["detail"]


def problem_of(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == 400
    return problem


async def test_requests_follow_one_another_on_a_connection(address: str) -> None:
    one = b"GET / HTTP/1.1\r\nHost: x\r\nX-Pad: " + b"x" * (MAX_HEAD_BYTES // 2) + b"\r\n"
    answer = await raw(address, (one + b"\r\n") * 5 + one + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 6
