"""Every answer has its request id, every error is a problem, every route is measured."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, Depends, Query
from prometheus_client import generate_latest
from starlette.requests import Request
from starlette.responses import Response

from service.clock import SystemClock
from service.errors import (
    AlreadyExists,
    InvalidArgument,
    InvalidConfiguration,
    InvalidQuery,
    LogUnavailable,
    Mistake,
    NotFound,
    Overloaded,
    RecordUnreadable,
    StoreUnavailable,
)
from service.http.app import create_app
from service.http.auth import Keyring, Principal, require
from service.http.problems import MEDIA_TYPE, Kind, Problem
from service.store.engine import create_pool
from service.store.keys import create_key
from service.store.tenants import create_tenant
from service.telemetry import Telemetry
from tests.http.serving import serving

ERRORS: dict[str, tuple[Exception, int]] = {
    "query": (InvalidQuery("window", "is too long"), 400),
    "argument": (InvalidArgument("no such scope"), 422),
    "configuration": (InvalidConfiguration([Mistake("tenant.timezone", 3, "is not known")]), 422),
    "missing": (NotFound("no such KPI"), 404),
    "there": (AlreadyExists("there already"), 409),
    "log": (LogUnavailable("the log is away"), 503),
    "store": (StoreUnavailable("Postgres is away"), 503),
    "overloaded": (Overloaded("too much", retry_after_s=7), 503),
    "os": (ConnectionRefusedError("refused"), 503),
    "asyncpg": (asyncpg.InterfaceError("connection is closed"), 503),
    "problem": (Problem(Kind.TOO_LARGE, "too much", members={"limit": 3}), 413),
    "unreadable": (RecordUnreadable("what is that"), 500),
    "room": (asyncpg.ConfigurationLimitExceededError("temporary file size exceeds temp_file_limit (4194304kB)"), 400),
    "bug": (ZeroDivisionError("secret"), 500),
}
router = APIRouter()


@router.get("/fails/{name}")
async def fails(name: str) -> None:
    raise ERRORS[name][0]


@router.get("/things/{number}")
async def read_thing(number: int, many: Annotated[int, Query(le=9)] = 1) -> dict[str, int]:
    return {"number": number, "many": many}


@router.put("/things/{number}")
async def put_thing(number: int) -> dict[str, int]:
    return {"number": number}


@router.get("/whoami")
async def whoami(principal: Annotated[Principal, Depends(require("read", "admin"))]) -> dict[str, Any]:
    return {"tenant": principal.tenant_name}


@router.post("/half")
async def half(request: Request) -> Response:
    class Broken(Response):
        async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            raise ZeroDivisionError

    return Broken()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("test")


@pytest.fixture
async def client(telemetry: Telemetry) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(title="test", routers=[router], telemetry=telemetry)
    async with serving(app) as address, httpx.AsyncClient(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
async def guarded(database_url: str, telemetry: Telemetry) -> AsyncIterator[httpx.AsyncClient]:
    """The same, with keys that lie in Postgres."""
    pool = await create_pool(database_url, max_size=2)
    keyring = Keyring(pool, SystemClock(), refresh_s=5)
    app = create_app(title="test", routers=[router], telemetry=telemetry, keyring=keyring)
    async with serving(app) as address, httpx.AsyncClient(base_url=address, timeout=60) as client:
        yield client
    await pool.close()


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The answer's problem, checked for what every problem has."""
    assert answer.headers["content-type"] == MEDIA_TYPE
    content: dict[str, Any] = json.loads(answer.content)
    assert content["status"] == answer.status_code
    assert content["request_id"] == answer.headers["x-request-id"]
    assert content["title"]
    assert content["detail"]
    assert content["type"].startswith(("urn:problem-type:tidegauge:", "about:blank"))
    return content


@pytest.mark.parametrize("name", ERRORS)
async def test_every_error_is_a_problem_of_its_status(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/fails/{name}")
    assert answer.status_code == ERRORS[name][1]
    problem(answer)
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)


async def test_a_mistake_of_ours_tells_nothing_but_its_request_id(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/bug")
    assert "secret" not in answer.text
    assert "request id" in problem(answer)["detail"]


async def test_an_overload_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    assert (await client.get("/fails/overloaded")).headers["retry-after"] == "7"


async def test_a_problem_carries_its_members(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/fails/problem"))["limit"] == 3
    assert problem(await client.get("/fails/query"))["parameter"] == "window"


@pytest.mark.parametrize("path", ["/nothing", "/things", "/things/1/", "/%00", "/..%2f"])
async def test_a_path_that_is_not_there_is_a_problem(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    problem(answer)


async def test_a_method_that_is_not_there_names_those_that_are(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/things/1")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, PUT"
    assert "GET or PUT" in problem(answer)["detail"]


async def test_head_is_answered_without_a_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/nothing")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (404, MEDIA_TYPE, b"")


async def test_wrong_parameters_are_all_named(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/x?many=10")
    assert answer.status_code == 422
    assert [error["parameter"] for error in problem(answer)["errors"]] == ["number", "many"]


async def test_an_answer_that_broke_off_is_not_called_whole(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/half")


async def test_a_request_id_is_taken_and_echoed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things/1", headers={"X-Request-Id": "abc-1.2:3"})
    assert answer.headers.get_list("x-request-id") == ["abc-1.2:3"]


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, 'quo"te'])
async def test_a_request_id_is_made_where_none_can_be_taken(client: httpx.AsyncClient, given: str | None) -> None:
    answers = [await client.get("/things/1", headers={} if given is None else {"X-Request-Id": given}) for _ in range(2)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert all(len(one) == 32 for one in ids)


async def test_routes_are_measured_by_their_pattern(client: httpx.AsyncClient, telemetry: Telemetry) -> None:
    await client.get("/things/1")
    await client.get("/things/2")
    await client.get("/nothing/3")
    await client.request("PROPFIND", "/nothing/4")
    text = generate_latest(telemetry.registry).decode()
    assert 'duration_seconds_count{code="200",method="GET",route="/things/{number}"} 2.0' in text
    assert 'duration_seconds_count{code="404",method="GET",route="(none)"} 1.0' in text
    assert 'method="OTHER",route="(none)"' in text


async def test_a_key_needs_every_scope_that_a_route_names(guarded: httpx.AsyncClient, connection: asyncpg.Connection) -> None:
    tenant = await create_tenant(connection, "pilot", "UTC")
    _, reader = await create_key(connection, tenant, ["read"])
    _, admin = await create_key(connection, tenant, ["read", "admin"])
    assert (await guarded.get("/whoami")).status_code == 401
    refused = await guarded.get("/whoami", headers={"Authorization": f"Bearer {reader}"})
    assert (refused.status_code, problem(refused)["scope"]) == (403, "admin")
    answer = await guarded.get("/whoami", auth=(admin, ""))
    assert answer.json() == {"tenant": "pilot"}


async def test_the_document_names_keys_and_problems_where_they_apply(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    whoami = paths["/whoami"]["get"]
    assert whoami["security"] == [{"bearer": []}, {"basic": []}]
    assert {"200", "401", "403"} <= whoami["responses"].keys()
    assert "security" not in paths["/things/{number}"]["get"]
    assert MEDIA_TYPE in paths["/things/{number}"]["get"]["responses"]["422"]["content"]


async def test_the_pages_of_the_document_are_there(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs")).status_code == 200
