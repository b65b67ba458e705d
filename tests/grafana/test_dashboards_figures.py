"""What a panel shows can be read for what it is: units of columns, names of splits, nothing of different units in one line."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from service.dashboards import views
from tests.grafana.dashboards import Chosen, dashboards, panels, variables
from tests.grafana.stored import store_tenants
from tests.rules.promtool import ran

UIDS = sorted(dashboards())
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WHOLE = {"int2", "int4", "int8"}
NUMBERS = {*WHOLE, "numeric", "float4", "float8"}


def put_in(uid: str) -> Chosen:
    values = dict.fromkeys(variables(dashboards()[uid]), "x")
    return Chosen(NOW - timedelta(days=28), NOW, values)


def looks(panel: dict[str, Any], column: str) -> dict[str, Any]:
    """How one column looks, as far as it is said."""
    said = {"unit": panel["fieldConfig"]["defaults"]["unit"]}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] == {"id": "byName", "options": column}:
            said |= {each["id"]: each["value"] for each in override["properties"]}
    return said


@pytest.mark.parametrize("uid", UIDS)
async def test_every_number_of_a_table_has_its_unit_and_no_whole_number_is_shown_as_a_share(
    uid: str, connection: asyncpg.Connection
) -> None:
    wrong = []
    for panel in (each for each in panels(dashboards()[uid]) if each["type"] == "table"):
        for target in panel["targets"]:
            asked = await connection.prepare(put_in(uid).statement(target["rawSql"]))
            for column in asked.get_attributes():
                unit = looks(panel, column.name)["unit"]
                if column.type.name in NUMBERS and unit == "string":
                    wrong.append(f"{panel['title']}: {column.name} has no unit")
                if column.type.name in WHOLE and unit == "percentunit":
                    wrong.append(f"{panel['title']}: {column.name} is no share")
    assert wrong == []


def test_the_darkest_of_the_retention_triangle_is_a_share_of_one_and_no_sum_of_users() -> None:
    [triangle] = [each for each in panels(dashboards()["tidegauge-adoption"]) if each["title"] == "Retention triangle"]
    defaults = triangle["fieldConfig"]["defaults"]
    assert (defaults["min"], defaults["max"]) == (0, 1)
    assert looks(triangle, "users") == {"unit": "locale", "custom.cellOptions": {"type": "auto"}}


@pytest.mark.parametrize("uid", UIDS)
def test_a_zero_stands_only_where_nothing_else_does(uid: str) -> None:
    for panel in panels(dashboards()[uid]):
        for target in panel["targets"]:
            if " by (" in target.get("expr", ""):
                assert " or vector(" not in target["expr"], (
                    f"{panel['title']}: the zero has other labels, and is a line beside the others"
                )


def test_meters_of_different_units_are_lines_of_their_own() -> None:
    asked = [
        target["expr"]
        for panel in panels(dashboards()["tidegauge-infrastructure"])
        for target in panel["targets"]
        if "expr" in target
    ]
    assert asked
    for expression in asked:
        assert re.match(r"max by \(meter, unit, currency\) \(", expression), expression


def test_tickets_near_a_limit_are_0_while_an_evaluator_works_and_not_known_while_none_does(tmp_path: Path) -> None:
    [panel] = [each for each in panels(dashboards()["tidegauge-support"]) if each["title"] == "Open tickets near a limit"]
    shown = Chosen(NOW, NOW, {"tenant": "acme"}).expression(panel["targets"][0]["expr"])
    works, stands_by = (f'job="tidegauge",instance="{name}",process="{name}"' for name in ("evaluate-1", "evaluate-2"))
    near = "tidegauge_tickets_near_limit"
    # From minute 10 on the other one works, and has counted none yet; what the first one counted is still shown. Then none does.
    series = {
        f"tidegauge_evaluator_active{{{works}}}": "1x9 0x20",
        f"tidegauge_evaluator_active{{{stands_by}}}": "0x9 1x9 0x10",
        f'{near}{{tenant="acme",{works}}}': "3x29",
        f'{near}{{tenant="other",{works}}}': "7x29",
    }
    expected = {5: [{"labels": '{tenant="acme"}', "value": 3}], 15: [{"labels": "{}", "value": 0}], 25: []}
    asked = [{"expr": shown, "eval_time": f"{minute}m", "exp_samples": samples} for minute, samples in expected.items()]
    case = {"interval": "1m", "input_series": [{"series": name, "values": each} for name, each in series.items()]}
    file = tmp_path / "cases.yml"
    file.write_text(yaml.safe_dump({"tests": [case | {"promql_expr_test": asked}]}))
    ran("test", "rules", str(file))


async def test_splits_by_different_dimensions_are_told_apart(connection: asyncpg.Connection) -> None:
    await store_tenants(connection, "pilot")
    one = "(select * from kpi_history order by end_at limit 1) h"
    splits = (
        """unnest(array['{"integration": "api"}', '{"service": "api"}', '{"automated": "true"}', '{"excluded": "true"}']) d"""
    )
    await connection.execute(
        'insert into kpi_history select tenant, kpi, statistic, "window", start_at, d::jsonb, end_at, value, numerator,'
        f' denominator, target, "limit", status, at from {one} cross join {splits}'
    )
    now = await connection.fetchval("select now()")
    values = {"kpi": "dau", "statistic": "(value)", "grain": "day"}
    chosen = Chosen(now - timedelta(days=28), now + timedelta(days=1), values)
    rows = await connection.fetch(chosen.statement(views.KPI_HISTORY_BY_SPLIT))
    assert {row["metric"] for row in rows} == {
        *("account=pilot", "integration=api", "service=api", "automated=true", "excluded=true")
    }


async def test_of_more_values_than_a_graph_takes_the_newest_are_shown(connection: asyncpg.Connection) -> None:
    await store_tenants(connection, "pilot")
    await connection.execute(
        "insert into kpi_history select id, 'dau', '', 'week', at, '{\"account\": \"a\"}', at, 1, 1, 1, null, null, 'none', at"
        " from tenant, generate_series(now() - 20100 * interval '1 minute', now(), interval '1 minute') at"
    )
    now = await connection.fetchval("select max(start_at) from kpi_history where \"window\" = 'week'")
    values = {"kpi": "dau", "statistic": "(value)", "grain": "week"}
    statement = Chosen(now - timedelta(days=28), now + timedelta(days=1), values).statement(views.KPI_HISTORY_BY_SPLIT)
    times = [row["time"] for row in await connection.fetch(statement)]
    assert len(times) == 20_000
    assert times == sorted(times)
    assert times[-1] == now


@pytest.mark.parametrize("uid", UIDS)
def test_what_a_cell_leads_to_is_found_whatever_it_is_called(uid: str) -> None:
    for panel in panels(dashboards()[uid]):
        for override in panel["fieldConfig"]["overrides"]:
            for link in (link for each in override["properties"] if each["id"] == "links" for link in each["value"]):
                assert "${__value.raw:percentencode}" in link["url"], f"{panel['title']}: an & in a name would end it"
