"""A body is taken up to its limits, packed or not, in one piece or in chunks."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response

from service.http.app import create_app
from service.http.bodies import MAX_GZIP_MEMBERS, BodyReader
from service.telemetry import Telemetry
from tests.http.serving import raw, serving

LIMIT = 100_000
GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture
def bodies() -> BodyReader:
    return BodyReader(max_bytes=LIMIT, max_held_bytes=LIMIT, timeout_s=120.0)


@pytest.fixture
def let_go() -> asyncio.Event:
    """Set when a request that holds its body may answer."""
    return asyncio.Event()


@pytest.fixture
def app(bodies: BodyReader, let_go: asyncio.Event) -> FastAPI:
    router = APIRouter()

    @router.post("/")
    async def echo(request: Request) -> Response:
        async with bodies.body(request) as body:
            if "hold" in request.query_params:
                await let_go.wait()
            return Response(body)

    return create_app(title="test", routers=[router], telemetry=Telemetry("test"))


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    async with serving(app) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        yield client


async def until_held(bodies: BodyReader, size: int) -> None:
    """Until bodies of so many bytes are held."""
    async with asyncio.timeout(60):
        while bodies._held_bytes != size:  # noqa: ASYNC110  # bodies set no event
            await asyncio.sleep(0.005)


async def chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("size", [0, 1, LIMIT])
async def test_a_body_up_to_the_limit_comes_through(client: httpx.AsyncClient, size: int) -> None:
    body = b"x" * size
    assert (await client.post("/", content=body)).content == body
    assert (await client.post("/", content=chunks(body, 999))).content == body
    assert (await client.post("/", content=gzip.compress(body), headers=GZIP)).content == body
    assert (await client.post("/", content=chunks(gzip.compress(body), 7), headers=GZIP)).content == body


async def test_a_body_over_the_limit_is_413_however_it_comes(client: httpx.AsyncClient, bodies: BodyReader) -> None:
    body = b"x" * (LIMIT + 1)
    for content, headers in (
        (body, {}),
        (chunks(body, 999), {}),
        (gzip.compress(body), GZIP),
        (chunks(gzip.compress(body), 7), GZIP),
        (gzip.compress(body[:60_000]) + gzip.compress(body[:60_000]), GZIP),
    ):
        answer = await client.post("/", content=content, headers=headers)
        assert answer.status_code == 413
        assert f"{LIMIT:,} bytes" in answer.json()["detail"]
    assert bodies._held_bytes == 0


async def test_an_announced_length_over_the_limit_is_refused_before_the_body_comes(address: str) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n"
    assert b"413" in (await raw(address, head))


async def test_a_gzip_bomb_is_stopped_while_it_unpacks(client: httpx.AsyncClient) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(80)) + packer.flush()
    assert len(bomb) < LIMIT
    answer = await client.post("/", content=bomb, headers=GZIP)
    assert answer.status_code == 413
    assert "unpacked" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not gzip",
        gzip.compress(b"x" * 1_000)[:-1],
        gzip.compress(b"x" * 1_000)[:12],
        gzip.compress(b"x") + b"rest",
        gzip.compress(b"x")[:-8] + b"\0" * 8,
        zlib.compress(b"x"),
        gzip.compress(b"") * (MAX_GZIP_MEMBERS + 1),
    ],
    ids=["empty", "not gzip", "cut at its end", "cut short", "rest behind it", "wrong checksum", "zlib", "too many members"],
)
async def test_bad_gzip_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/", content=body, headers=GZIP)
    assert answer.status_code == 400
    assert "gzip" in answer.json()["detail"]


async def test_members_of_gzip_are_joined(client: httpx.AsyncClient) -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")
    assert (await client.post("/", content=chunks(packed, 5), headers=GZIP)).content == b"one two"


@pytest.mark.parametrize("encoding", ["GZIP", "x-gzip", "Gzip"])
async def test_gzip_is_known_by_all_its_names(client: httpx.AsyncClient, encoding: str) -> None:
    answer = await client.post("/", content=gzip.compress(b"x"), headers={"Content-Encoding": encoding})
    assert answer.content == b"x"


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "gzip;q=1"])
async def test_other_encodings_are_415(client: httpx.AsyncClient, encoding: str) -> None:
    answer = await client.post("/", content=b"x", headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")


async def test_a_body_that_does_not_come_is_408(address: str, bodies: BodyReader) -> None:
    bodies._timeout_s = 0.5
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc"
    assert b"408" in (await raw(address, head))


async def test_bodies_that_are_too_many_together_are_503(
    client: httpx.AsyncClient, bodies: BodyReader, let_go: asyncio.Event
) -> None:
    held = asyncio.create_task(client.post("/?hold=1", content=b"x" * LIMIT))
    await until_held(bodies, LIMIT)
    answer = await client.post("/", content=b"x" * LIMIT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    let_go.set()
    assert (await held).status_code == 200
    assert (await client.post("/", content=b"x" * LIMIT)).status_code == 200
    assert bodies._held_bytes == 0


async def test_a_client_that_leaves_in_the_middle_frees_what_it_held(address: str, bodies: BodyReader) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
    await writer.drain()
    await until_held(bodies, 500)
    writer.close()
    await writer.wait_closed()
    await until_held(bodies, 0)
