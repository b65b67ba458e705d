"""`/v1/goals`: declared goals, the windows that they are judged by, and how they stand."""

from dataclasses import replace
from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response

from service.catalog import Catalog, Kpi, Window, catalog_of, resolve_window, window_before
from service.catalog.choices import question_of
from service.clock import Clock
from service.domain.config import Goal
from service.domain.config.target import due_days
from service.domain.goals import standing
from service.domain.localtime import EPOCH, day_of, start_of_day_us
from service.expose.answers import window_body
from service.expose.dated import run_dated
from service.expose.documents import answer
from service.expose.ground import Ground, Grounds
from service.expose.moments import rfc3339
from service.http.auth import Principal, require
from service.store.engine import Connection
from service.store.milestones import accounts_reached_us

DEFAULT_WINDOW = "week"
GOALS = answer(
    "Every goal that is declared now, in the order of the file",
    {
        "goals": [
            {
                "goal": "delivery_on_time{integration=workday}",
                "op": ">=",
                "target": 0.94,
                "windows_in_a_row": 2,
                "due": "2025-12-16T05:00:00Z",
                "progress": "open",
                "in_a_row": 1,
                "windows": [
                    {"name": "week", "start": "2025-11-24T05:00:00Z", "end": "2025-12-01T05:00:00Z", "value": 0.95},
                ],
            }
        ]
    },
)

Reader = Annotated[Principal, Depends(require("read"))]


def router(pool: asyncpg.Pool, catalog: Catalog, *, clock: Clock) -> APIRouter:
    """The route, of the key's tenant."""
    made = APIRouter(prefix="/v1/goals", tags=["scorecards"])
    grounds = Grounds()

    @made.get("", summary="The goals that are declared, and how they stand", responses=GOALS)
    async def goals(principal: Reader) -> Response:
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            ground = await grounds.now(connection, principal.tenant, now_us=clock.now_us())
            config = ground.configs.at(ground.now_us)
            kpis = catalog_of(catalog, config).kpis
            found = [
                await _goal(connection, kpis[each.selector.kpi], each, ground)
                for each in config.goals
                if each.selector.kpi in kpis
            ]
        return Response(msgspec.json.encode({"goals": found}), media_type="application/json")

    return made


async def _goal(connection: Connection, kpi: Kpi, goal: Goal, ground: Ground) -> dict[str, Any]:
    due_us = await _due_us(connection, goal, ground)
    is_due = due_us is not None and due_us <= ground.now_us
    windows = _windows(goal, ground, due_us if due_us is not None and is_due else ground.now_us)
    values = await _values(connection, kpi, goal, windows, ground)
    stands = standing(goal, values, is_due=is_due)
    return {
        "goal": str(goal.selector),
        "op": goal.op,
        "target": goal.target,
        "windows_in_a_row": goal.windows_in_a_row,
        "due": rfc3339(due_us),
        "due_after": goal.due_after,
        "progress": stands.progress,
        "in_a_row": stands.in_a_row,
        "windows": [window_body(window) | {"value": value} for window, value in zip(windows, values, strict=True)],
    }


async def _due_us(connection: Connection, goal: Goal, ground: Ground) -> int | None:
    """The end of the day by which it is to be reached; None: without one, or not all of its accounts have their milestone yet."""
    if goal.due is not None:
        return start_of_day_us((goal.due - EPOCH).days + 1, ground.zone)
    accounts = goal.selector.where.get("account", ())
    if goal.due_after is None or not accounts:
        return None
    milestone, days = due_days(goal.due_after)
    reached_us = await accounts_reached_us(connection, ground.tenant, milestone, accounts)
    return None if reached_us is None else start_of_day_us(day_of(reached_us, ground.zone) + days + 1, ground.zone)


def _windows(goal: Goal, ground: Ground, until_us: int) -> list[Window]:
    """The last whole windows that end by an instant, the newest first, as many as the goal needs."""
    name = goal.window or DEFAULT_WINDOW
    newest = resolve_window(ground.tenant, ground.zone, now_us=ground.now_us, name=name, end_us=until_us)
    found = [newest if newest.end_us <= until_us else window_before(newest)]
    while len(found) < goal.windows_in_a_row:
        found.append(window_before(found[-1]))
    return [replace(window, key=number) for number, window in enumerate(found)]


async def _values(connection: Connection, kpi: Kpi, goal: Goal, windows: list[Window], ground: Ground) -> list[float | None]:
    """The figure of each window, by what was declared then."""
    statistic = goal.selector.statistic or kpi.head.default_statistic
    question = question_of(kpi, goal.selector.where, (statistic,))
    values = await run_dated(connection, kpi, windows, question, ground)
    of = [[each for each in values if each.window == number and each.statistic == statistic] for number in range(len(windows))]
    # Where units are kept apart and there is one, it speaks for the whole.
    return [next((each.value for each in found if not each.dims or len(found) == 1), None) for found in of]
