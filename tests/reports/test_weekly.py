"""The pilot's weekly report: its figures are those that the pilot agreed on, its notes stand where they belong."""

from typing import Any, get_args

import pytest

from service.catalog import Catalog
from service.demo import pilot
from service.domain.config.reports import ReportName
from service.domain.selector import parse_selector
from service.reports.layout import Daily, Layout, Split
from service.reports.layouts import LAYOUTS
from service.reports.making import Maker, Wish
from service.store.engine import create_pool
from service.store.snapshots import SIDE_BY_SIDE
from tests.reports.conftest import Told

WANTED = pilot.expected()


def selectors(layout: Layout) -> list[tuple[str, str, bool]]:
    """Every selector of a layout, with the dimension that it is split by, and whether it is asked for by day."""
    found = []
    for chapter in layout.chapters:
        for ask in chapter.asks:
            by = ask.by if isinstance(ask, Split) else ""
            several = getattr(ask, "selectors", None) or ([ask.selector] if hasattr(ask, "selector") else [])
            found += [(selector, by, isinstance(ask, Daily)) for selector in several]
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_names_only_what_there_is(name: str) -> None:
    catalog, layout = Catalog.load(), LAYOUTS[name]
    for text, by, is_daily in selectors(layout):
        selector = parse_selector(text)
        kpi = catalog.kpis[selector.kpi]
        assert (selector.statistic or kpi.head.default_statistic) in kpi.statistics, text
        assert all(kpi.splits_by(each) for each in [*selector.where, *([by] if by else [])]), (text, by)
        assert kpi.takes("day" if is_daily else layout.window), text


def test_a_schedule_can_name_every_report_and_no_other() -> None:
    assert tuple(LAYOUTS) == get_args(ReportName)


def figures(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        row["selector"]: row
        for section in report["sections"]
        for block in section["blocks"]
        if block["type"] == "figures"
        for row in block["rows"]
    }


def block(report: dict[str, Any], title: str) -> dict[str, Any]:
    return next(each for section in report["sections"] for each in section["blocks"] if each.get("title") == title)


async def test_the_week_reads_as_the_pilot_wrote_it(told: Told) -> None:
    report = (await told.get("/v1/reports/weekly", format="json")).json()
    assert (report["start"], report["end"], report["state"]) == ("2025-11-17T00:00:00Z", "2025-11-24T00:00:00Z", "green")
    assert len(report["sections"]) == 11
    found = figures(report)
    assert found["wau"]["value"] == WANTED["wau"]
    assert found["average_dau"]["value"] == pytest.approx(WANTED["average_dau_business_days"])
    assert found["wau_share"]["status"] == "yellow"
    assert found["availability"]["value"] == pytest.approx(WANTED["availability"]["week"])
    assert found["account_activation"]["value"] == pytest.approx(WANTED["accounts"]["activation_rate"])
    assert found["time_to_activation.mean"]["value"] == pytest.approx(WANTED["accounts"]["time_to_activation_hours_mean"] * 3_600)
    assert found["tickets"]["value"] == WANTED["tickets"]["count"]
    assert found["resolution_time.mean"]["value"] == pytest.approx(WANTED["tickets"]["resolution_hours_mean"] * 3_600)
    assert found["incidents"]["value"] == sum(WANTED["incidents"]["by_severity"].values())
    missed = [(row["selector"], row["status"], row.get("of")) for row in block(report, "What misses its target")["rows"]]
    assert missed == [
        ("feature_adoption{feature=csv_export}", "red", None),
        ("availability", "red", "Wed 19 Nov"),
        ("wau_share", "yellow", None),
        ("feature_adoption{feature=vis}", "yellow", None),
        ("feature_adoption{feature=audit_mode}", "yellow", None),
    ]
    assert (found["wau_share"]["target"], found["wau_share"]["limit"]) == ("≥ 70 %", "≥ 60 %")
    notes = {row[0]["text"]: (row[1].get("status"), row[1].get("note")) for row in block(report, "Features")["rows"]}
    assert [notes[each] for each in ("csv_export", "dashboard")] == [("red", "≥ 30 %, limit ≥ 20 %"), (None, None)]


async def test_the_heat_map_the_funnel_and_the_scorecard_are_those_of_the_pilot(told: Told) -> None:
    report = (await told.get("/v1/reports/weekly", format="json")).json()
    heat: dict[str, list[float]] = {}
    for point in block(report, "Users a day by feature")["points"]:
        heat.setdefault(point["series"], []).append(point["y"])
    with_totals = {feature: [*days, sum(days)] for feature, days in WANTED["heatmap"].items()}
    assert {feature: heat[feature] for feature in WANTED["heatmap"]} == with_totals
    card = block(report, "Scorecards: sla")
    place, n = card["columns"].index("status"), WANTED["sla_scorecard"]["of"]
    *rows, met, state = card["rows"]
    assert [row[place]["text"] for row in rows] == ["green"] * n
    assert (met[1]["text"], met[place]["text"], state[place]["text"]) == (f"{n} of {n} (100 %)", "", "green")
    accounts, users = (block(report, f"Funnel pilot: {whose}")["points"] for whose in ("accounts", "users"))
    assert [point["y"] for point in (*accounts, *users)] == [step[0] for step in WANTED["funnel"].values()]
    assert [point["x"] for point in accounts] == ["accounts_invited", "accounts_activated"]
    steps = {row[0]["text"]: [cell["text"] for cell in row[1:]] for row in block(report, "Funnel pilot: steps")["rows"]}
    assert steps == {  # of its base, of the first step that counts accounts or users alike, and what was lost
        "accounts_invited": ["", "5 accounts", "–", "100 %", "–"],
        "accounts_activated": ["accounts_invited", "4 accounts", "80 %", "80 %", "20 %"],
        "users_provisioned": ["", "18 users", "–", "100 %", "–"],
        "users_logged_in": ["users_provisioned", "12 users", "66.7 %", "66.7 %", "33.3 %"],
        "users_first_value": ["users_logged_in", "11 users", "91.7 %", "61.1 %", "8.3 %"],
        "users_report": ["users_logged_in", "7 users", "58.3 %", "38.9 %", "41.7 %"],
        "users_exported": ["users_logged_in", "3 users", "25 %", "16.7 %", "75 %"],
    }


async def test_a_note_fills_its_blank_in_its_week_alone(told: Told) -> None:
    answer = await told.client.put("/v1/reports/weekly/notes/summary", content=b"A good week.")
    assert answer.status_code == 204, answer.text
    assert "A good week." in (await told.get("/v1/reports/weekly", format="md")).text
    before = (await told.get("/v1/reports/weekly", format="md", window="week", end="2025-11-17T00:00:00Z")).text
    assert "A good week." not in before
    await told.client.put("/v1/reports/weekly/notes/summary", content=b"")
    assert "A good week." not in (await told.get("/v1/reports/weekly", format="md")).text


async def test_every_report_is_made_in_every_format(told: Told) -> None:
    listed = (await told.get("/v1/reports")).json()["reports"]
    assert [each["name"] for each in listed] == list(LAYOUTS)
    for each in listed:
        of = {"account": "greentech"} if each["of_account"] else {}
        for form in ("json", "md", "html"):
            assert (await told.get(f"/v1/reports/{each['name']}", format=form, **of)).content
    assert (await told.get("/v1/reports/weekly", format="pdf")).content.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/reports/yearly", 404, "there is no report yearly; there is weekly"),
        ("/v1/reports/weekly?format=doc", 400, "'doc' is none of json, md, html, pdf"),
        ("/v1/reports/customer", 400, "of one account: name one"),
        ("/v1/reports/weekly?account=x", 400, "leave it out"),
        ("/v1/reports/weekly?window=fortnight", 400, "fortnight"),
        ("/v1/reports/weekly?windows=week", 400, "windows: is no parameter of a report: it takes account, window, start"),
        ("/v1/reports/weekly?window=week&window=month", 400, "window: is given twice"),
        ("/v1/reports?name=weekly", 400, "name: is no parameter of the list of reports: it takes none"),
        ("/v1/reports/weekly/copies?window=week", 400, "window: is no parameter of a report's copies: it takes account, before"),
        ("/v1/reports/weekly/copies/7?account=x", 400, "account: is no parameter of a report's copy: it takes format"),
        ("/v1/reports/weekly/copies/7", 404, "there is no copy 7"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_way_out(told: Told, path: str, status: int, said: str) -> None:
    answer = await told.client.get(path)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text


async def test_an_unknown_blank_and_a_note_that_is_no_text_are_refused(told: Told) -> None:
    answer = await told.client.put("/v1/reports/weekly/notes/nothing", content=b"x")
    assert answer.status_code == 400
    assert "it has summary" in answer.json()["detail"]
    assert (await told.client.put("/v1/reports/weekly/notes/summary", content=b"\xff")).status_code == 400
    assert (await told.client.put("/v1/reports/weekly/notes/summary", content=b"x" * 20_001)).status_code == 413


async def test_a_report_says_the_same_however_many_connections_it_is_read_by(told: Told) -> None:
    named = [each for each, layout in LAYOUTS.items() if not layout.of_account]
    made = {}
    for connections in (1, SIDE_BY_SIDE + 1):
        async with await create_pool(told.site.url, max_size=connections) as pool:
            maker = Maker(pool, told.maker.catalog, told.clock)
            made[connections] = [(await maker.make(told.tenant.id, "pilot", Wish(name)))[0] for name in named]
    assert made[1] == made[SIDE_BY_SIDE + 1]
