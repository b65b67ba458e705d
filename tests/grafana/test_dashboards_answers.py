"""Every panel answers: its SQL as the role that Grafana reads as, its PromQL by a Prometheus that scraped the service."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import pytest

from tests.grafana.dashboards import Chosen, dashboards, panels, variables
from tests.grafana.scene import TENANT, Scene, scene, span

UIDS = sorted(dashboards())
FIRST_S, WAIT_S = 300.0, 120.0
"""How long after the start everything may take, and how long a test waits at least."""
POLL_S = 2.0
RIGHTLY_EMPTY: Mapping[tuple[str, str], str] = {
    ("tidegauge-itself", "Events of topics"): "no source of Kafka runs here",
    ("tidegauge-itself", "Records behind"): "likewise",
    ("tidegauge-itself", "Partitions read"): "likewise",
    ("tidegauge-itself", "Topics missing"): "likewise",
    ("tidegauge-itself", "Waits for the log"): "likewise",
    ("tidegauge-service-level", "Quality of data"): "closed days by the time of receipt: all was received today",
    ("tidegauge-service-level", "Quality of data · by source"): "likewise",
    ("tidegauge-service-level", "From event to figures: p95"): "likewise",
}
"""Panels that have nothing to show here, each with the reason: dashboard and title."""
EMPTY_COLUMNS: Mapping[str, str] = {
    "target": "a KPI that nobody declared a target for has none",
    "limit": "likewise",
    "reason": "what is judged needs none",
}
"""Columns that may be empty, each with the reason."""
VALUES: Mapping[str, str] = {
    "tenant": TENANT,
    "customer": "northwind",
    "kpi": "availability",
    "statistic": "(value)",
    "instance": ".*",
    **dict.fromkeys(("account", "tier", "industry", "region", "status"), "'*'"),
}


@pytest.fixture(scope="module")
def staged(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(make_database(), tmp_path_factory.mktemp("grafana")) as made:
        yield made


def windows(uid: str) -> list[str]:
    """The windows that a dashboard offers."""
    offered = variables(dashboards()[uid]).get("window")
    return offered["query"].split(",") if offered else [""]


def chosen(staged: Scene, uid: str, window: str) -> Chosen:
    offered = variables(dashboards()[uid]).get("grain")
    grain = offered["current"]["value"] if offered else "day"
    return Chosen(*span(staged.now), {**VALUES, "window": window, "grain": grain})


def queries(uid: str, key: str) -> Iterator[tuple[str, str, str]]:
    """Titles of panels with their queries and reference ids, but for those that are rightly empty."""
    for panel in panels(dashboards()[uid]):
        for target in panel["targets"]:
            if key in target and (uid, panel["title"]) not in RIGHTLY_EMPTY:
                yield panel["title"], target["refId"], target[key]


def lacking(rows: Sequence[asyncpg.Record]) -> str:
    """What an answer lacks; "" if nothing."""
    if not rows:
        return "no rows"
    empty = [name for name in rows[0].keys() if name not in EMPTY_COLUMNS and all(row[name] is None for row in rows)]  # noqa: SIM118
    return f"nothing in {', '.join(empty)}" if empty else ""


async def answer_lacks(connection: asyncpg.Connection, statement: str) -> str:
    try:
        return lacking(await connection.fetch(statement))
    except asyncpg.QueryCanceledError as error:
        # The role's own time-out: on a busy machine the next try may be in time.
        return str(error)


async def asked(staged: Scene, statements: Mapping[str, str]) -> dict[str, str]:
    """What is the matter with the answers to statements, by name."""
    connection = await staged.reader()
    try:
        return {name: said for name, text in statements.items() if (said := await answer_lacks(connection, text))}
    finally:
        await connection.close()


def until_answered(staged: Scene, ask: Callable[[], dict[str, str]]) -> None:
    """Ask again until nothing is lacking, while more happens; what is evaluated every minute needs its time."""
    deadline = max(staged.began + FIRST_S, time.monotonic() + WAIT_S)
    while said := ask():
        assert time.monotonic() < deadline, "\n".join(f"{name}: {why}" for name, why in said.items())
        staged.go_on()
        time.sleep(POLL_S)


@pytest.mark.parametrize("uid", UIDS)
def test_every_statement_of_a_dashboard_answers_as_the_role_that_grafana_reads_as(staged: Scene, uid: str) -> None:
    for window in windows(uid):
        put_in = chosen(staged, uid, window)
        statements = {f"{uid} {window} {title} {ref}": put_in.statement(text) for title, ref, text in queries(uid, "rawSql")}
        until_answered(staged, lambda: asyncio.run(asked(staged, statements)))  # noqa: B023  # asked before the next window


@pytest.mark.parametrize("uid", UIDS)
def test_every_expression_of_a_dashboard_answers_from_what_was_scraped(staged: Scene, uid: str) -> None:
    for window in windows(uid):
        put_in = chosen(staged, uid, window)
        expressions = {f"{uid} {window} {title} {ref}": put_in.expression(text) for title, ref, text in queries(uid, "expr")}
        until_answered(staged, lambda: {name: "no series" for name, text in expressions.items() if not has_values(staged, text)})  # noqa: B023


def has_values(staged: Scene, expression: str) -> bool:
    return any(not math.isnan(float(series["value"][1])) for series in staged.prometheus.query(expression))


@pytest.mark.parametrize("uid", UIDS)
def test_every_variable_of_a_dashboard_offers_something(staged: Scene, uid: str) -> None:
    put_in = chosen(staged, uid, "7d")
    asking = {f"{uid} ${name}": each for name, each in variables(dashboards()[uid]).items() if each["type"] == "query"}
    statements = {name: put_in.statement(each["query"]) for name, each in asking.items() if isinstance(each["query"], str)}
    until_answered(staged, lambda: asyncio.run(asked(staged, statements)))
    for name in asking.keys() - statements.keys():
        # A list of labels of one metric is what that metric has.
        function, _, rest = asking[name]["query"]["query"].partition("(")
        metric, _, label = rest.rstrip(")").partition(", ")
        assert function == "label_values", name
        until_answered(staged, lambda: {} if has_values(staged, f'{metric}{{{label}!=""}}') else {name: "no labels"})  # noqa: B023


def test_incidents_are_marked_from_their_beginning_to_their_end(staged: Scene) -> None:
    [mark] = dashboards()["tidegauge-incidents"]["annotations"]["list"]
    statement = chosen(staged, "tidegauge-incidents", "28d").statement(mark["target"]["rawSql"])

    async def marks() -> list[asyncpg.Record]:
        connection = await staged.reader()
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    found = asyncio.run(marks())
    assert {"time", "timeEnd", "text", "tags"} == set(found[0].keys())
    assert any(row["text"] == "P1 Queue stuck" for row in found)
    assert all(row["time"] <= row["timeEnd"] for row in found)


def test_what_is_chosen_narrows_what_is_shown(staged: Scene) -> None:
    [customers] = [text for title, _, text in queries("tidegauge-accounts", "rawSql") if title == "Customers"]

    def shown(**values: Any) -> set[str]:
        put_in = Chosen(*span(staged.now), {**VALUES, "window": "30d", **values})

        async def accounts() -> set[str]:
            connection = await staged.reader()
            try:
                return {row["account"] for row in await connection.fetch(put_in.statement(customers))}
            finally:
                await connection.close()

        return asyncio.run(accounts())

    assert shown(account=["northwind", "beta"]) == {"northwind", "beta"}
    assert shown(account=["northwind", "beta"], tier="enterprise") == {"northwind"}
    assert shown(account="o'brien") == set()


def test_what_is_rightly_empty_is_a_panel_that_there_is() -> None:
    known = {(uid, panel["title"]) for uid in UIDS for panel in panels(dashboards()[uid])}
    assert set(RIGHTLY_EMPTY) <= known
