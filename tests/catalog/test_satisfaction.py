"""NPS, satisfaction, invitations, follow-ups and themes, computed by hand on a handful of answers."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from service.catalog import Catalog, Question, Window, declared_of, resolve_window, run
from service.catalog.comparing import changed, part_before
from service.clock import DAY, HOUR, to_us
from service.domain.config import TenantConfig
from tests.catalog.accounts import Desk, Said, Step, store_accounts, store_family
from tests.catalog.rollups import make_tenant

CATALOG = Catalog.load()
ZONE = "Europe/Berlin"


def at(month: int, day: int, hour: int = 12) -> int:
    return to_us(datetime(2025, month, day, hour, tzinfo=UTC))


def window(tenant: int, name: str = "quarter", end: int = at(12, 20)) -> Window:
    return resolve_window(tenant, ZONE, now_us=at(12, 31), name=name, end_us=end)


def answer(moment: int, user: str, score: int, survey: str = "nps", account: str = "", **fields: Any) -> Step:
    scale = 10 if survey == "nps" else 5
    told = {"survey": survey, "action": "responded", "score": score, "scale": scale} | fields
    return Step(moment, user, told, account)


def step(moment: int, user: str, action: str, survey: str, account: str = "", **fields: Any) -> Step:
    return Step(moment, user, {"survey": survey, "action": action} | fields, account)


STEPS = [
    # ann was a detractor in October and a promoter in November; both in the fourth quarter.
    answer(at(10, 5), "ann", 3, account="acme", wave="october"),
    answer(at(11, 5), "ann", 9, account="acme", wave="november"),
    answer(at(11, 6), "bob", 6, account="acme", wave="november", category="price"),
    answer(at(11, 7), "cem", 8, account="beta", wave="november"),
    answer(at(11, 8), "dot", 10, account="beta", wave="november"),
    # In the third quarter, by Berlin's clock still.
    answer(at(9, 30, 21), "eva", 0, account="beta", wave="september"),
    step(at(11, 7, 11), "bob", "followed_up", "nps"),
    answer(at(11, 5), "ann", 5, "csat", "acme", category="usability", sentiment="positive", themes=["layout", "speed"]),
    answer(at(11, 6), "ann", 2, "csat", "acme", category="price", sentiment="negative", themes=["speed"]),
    answer(at(11, 6), "bob", 4, "csat", "acme"),
    answer(at(11, 6), "bob", 1, "support_csat", "acme", about="T-7"),
    answer(at(11, 6), "bob", 6, "ces", scale=7),
    answer(at(11, 6), "cem", 2, "onboarding_ces"),
    # Invited twice to one wave, and answered; invited and silent; answered before being invited.
    step(at(11, 1), "ann", "invited", "nps", "acme", wave="november"),
    step(at(11, 2), "ann", "invited", "nps", "acme", wave="november"),
    step(at(11, 1), "fay", "invited", "nps", "beta", wave="november"),
    step(at(11, 9), "bob", "invited", "nps", "acme", wave="november"),
    step(at(11, 1), "ann", "invited", "csat", "acme"),
]


@pytest.fixture
async def desk(connection: asyncpg.Connection) -> Desk:
    tenant = await make_tenant(connection, "pilot", ZONE)
    await store_family(connection, tenant, "feedback", STEPS)
    accounts = [
        Said(at(1, 1), "acme", {"status": "active", "tier": "enterprise"}, {"industry": "bank"}),
        Said(at(1, 1), "beta", {"status": "active", "tier": "starter"}, {"industry": "retail"}),
    ]
    await store_accounts(connection, tenant, accounts)
    return Desk(CATALOG, connection, window(tenant), {"tenant": {"timezone": ZONE}})


async def test_nps_counts_the_newer_of_a_user_s_two_answers(desk: Desk) -> None:
    # ann 9 and dot 10 promote, cem 8 is passive, bob 6 detracts.
    assert await desk.ask("nps") == {"": 25, "promoters": 0.5, "passives": 0.25, "detractors": 0.25, "count": 4}


async def test_nps_is_told_apart_by_what_accounts_are_by_wave_and_by_quarter(desk: Desk) -> None:
    assert await desk.ask("nps", "account") == {"acme": 0, "beta": 50}
    assert await desk.ask("nps", "tier") == {"enterprise": 0, "starter": 50}
    assert await desk.ask("nps", "account.industry") == {"bank": 0, "retail": 50}
    assert await desk.ask("nps", "wave") == {"october": -100, "november": 25}
    assert await desk.one("nps", wave="october") == -100
    assert await desk.one("nps", category="price") == -100
    assert await desk.one("nps", tier="starter") == 50
    desk.window = resolve_window(desk.window.tenant, ZONE, now_us=at(12, 31), name="year", end_us=at(12, 20))
    assert await desk.ask("nps", "quarter") == {"2025-Q3": -100, "2025-Q4": 25}


@pytest.mark.parametrize("by", [(), ("account",), ("tier",), ("account.industry",), ("wave",)])
async def test_windows_that_overlap_have_what_each_has_alone(desk: Desk, by: tuple[str, ...]) -> None:
    nps, tenant, question = CATALOG.kpis["nps"], desk.window.tenant, Question(by, statistics=("",))
    named = [("quarter", at(12, 20)), ("month", at(11, 20)), ("7d", at(11, 8)), ("month", at(10, 20)), ("year", at(12, 20))]
    windows = [replace(window(tenant, name, end), key=place) for place, (name, end) in enumerate(named)]
    declared = {tenant: declared_of(TenantConfig.model_validate(desk.config))}

    async def of(some: list[Window]) -> dict[object, float | None]:
        values = await run(desk.connection, nps, some, question, declared=declared)
        return {(value.window, value.row): value.value for value in values}

    alone = [await of([each]) for each in windows]
    assert len({tuple(rows.values()) for rows in alone}) > 1
    assert await of(windows) == {key: value for rows in alone for key, value in rows.items()}


@pytest.mark.parametrize("dimension", ["category", "about"])
async def test_a_row_of_nps_is_what_its_filter_finds(connection: asyncpg.Connection, dimension: str) -> None:
    tenant = await make_tenant(connection, "twice", ZONE)
    told = [answer(at(11, 5), "ann", 3, **{dimension: "price"}), answer(at(11, 6), "ann", 9), answer(at(11, 7), "bob", 8)]
    await store_family(connection, tenant, "feedback", told)
    nps, asked = CATALOG.kpis["nps"], [window(tenant)]
    found = {
        value.dims[dimension]: value.value
        for value in await run(connection, nps, asked, Question((dimension,), statistics=("",)))
    }
    assert found == {"price": -100, "": 50}
    for name, points in found.items():
        [alone] = await run(connection, nps, asked, Question(filters={dimension: (name,)}, statistics=("",)))
        assert alone.value == points


async def test_a_change_of_more_than_20_points_is_noted(desk: Desk) -> None:
    # -100 in the third quarter, by Berlin's calendar, and 25 in the fourth.
    desk.window = replace(desk.window, until_us=desk.window.end_us)
    assert await notes(desk) == {"rose by 125.0 points against the window before"}
    desk.window = window(desk.window.tenant, "month", end=at(11, 20))
    assert await notes(desk) == {"rose by 125.0 points against the window before"}
    desk.window = window(desk.window.tenant, "week", end=at(11, 16))
    assert await notes(desk) == set()


async def test_an_open_window_is_noted_against_the_same_part_of_the_one_before(desk: Desk) -> None:
    # Of the third quarter eva's answer came in its last hours: by now the fourth one has not come so far.
    assert await notes(desk) == set()
    early = [answer(at(7, day), f"early{day}", 9) for day in (3, 4)]
    await store_family(desk.connection, desk.window.tenant, "feedback", early)
    assert await notes(desk) == {"fell by 75.0 points against the window before"}
    kpi, before = CATALOG.kpis["nps"], part_before(CATALOG.kpis["nps"], desk.window)
    [compared] = await run(desk.connection, kpi, [before], Question(statistics=("",)))
    assert compared.value == 100


async def notes(desk: Desk) -> set[str]:
    """What is said of the figures of NPS."""
    declared = {desk.window.tenant: declared_of(TenantConfig.model_validate(desk.config))}
    found = await run(desk.connection, CATALOG.kpis["nps"], [desk.window], declared=declared)
    return {value.note for value in found if value.note}


async def test_scores_come_with_the_variance_of_their_answers(desk: Desk) -> None:
    spread = Question(statistics=("",), spread=True)
    [nps] = await run(desk.connection, CATALOG.kpis["nps"], [desk.window], spread)
    # ann and dot 100, cem 0, bob -100: mean 25, squares of what they lie apart 5625, 5625, 625 and 15625, by 3.
    assert (nps.value, nps.denominator) == (25, 4)
    assert nps.variance == pytest.approx(27_500 / 3)
    by_survey = Question(("survey",), statistics=("",), spread=True)
    found = {value.dims["survey"]: value for value in await run(desk.connection, CATALOG.kpis["csat"], [desk.window], by_survey)}
    assert found["csat"].variance == pytest.approx(7 / 3)  # 5, 2 and 4
    assert found["support_csat"].variance is None  # 1 alone
    alone = Question(filters={"survey": ("csat",)}, statistics=("",))
    assert [value.variance for value in await run(desk.connection, CATALOG.kpis["csat"], [desk.window], alone)] == [None]


async def test_a_change_of_a_handful_of_answers_is_noise_and_says_so(connection: asyncpg.Connection) -> None:
    tenant = await make_tenant(connection, "quiet", ZONE)
    told = [answer(at(10, day), f"u{day}", score, "csat") for day, score in ((5, 3), (6, 4))]
    told += [answer(at(11, day), f"u{day}", score, "csat") for day, score in ((5, 1), (6, 2))]
    told += [answer(at(10, day), f"u{day}", 9) for day in (5, 6, 7)] + [answer(at(11, day), f"u{day}", 5) for day in (5, 6, 7)]
    await store_family(connection, tenant, "feedback", told)
    november = window(tenant, "month", end=at(11, 30))
    for name in ("nps", "csat"):
        kpi, question = CATALOG.kpis[name], Question(statistics=("",), spread=True)
        sides = [(await run(connection, kpi, [each], question), each) for each in (november, part_before(kpi, november))]
        found = changed(kpi, "", *((values[0], each) for values, each in sides))
        assert (found.test, found.trend, found.verdict, found.few) == ("welch", "stable", None, True)


async def test_satisfaction_is_a_mean_of_all_answers_survey_by_survey(desk: Desk) -> None:
    assert await desk.ask("csat", "survey") == {"csat": pytest.approx(11 / 3), "support_csat": 1}
    assert await desk.ask("csat", "survey", statistic="top2") == {"csat": pytest.approx(2 / 3), "support_csat": 0}
    assert await desk.ask("csat", "category", survey="csat") == {"usability": 5, "price": 2, "": 4}
    assert await desk.ask("csat", survey="support_csat") == {"": 1, "top2": 0, "count": 1}
    assert await desk.ask("ces", "survey") == {"ces": 6, "onboarding_ces": 2}
    assert await desk.ask("ces", "survey", statistic="top2") == {"ces": 1, "onboarding_ces": 0}


async def test_a_response_is_an_answer_of_who_was_invited_since_then(desk: Desk) -> None:
    # To nps ann, fay and bob were invited, and bob had answered before; to csat ann.
    assert await desk.one("survey_response") == 2 / 4
    assert await desk.ask("survey_response", "survey") == {"nps": pytest.approx(1 / 3), "csat": 1}
    assert await desk.ask("survey_response", "wave", survey="nps") == {"november": pytest.approx(1 / 3)}
    assert await desk.ask("survey_response", "account") == {"acme": pytest.approx(2 / 3), "beta": 0}


async def test_a_detractor_is_followed_up_within_a_day_or_not(desk: Desk, connection: asyncpg.Connection) -> None:
    assert await desk.one("detractor_follow_up") == 1
    late = [answer(at(11, 20), "gil", 2), step(at(11, 20) + DAY + HOUR, "gil", "followed_up", "nps")]
    await store_family(connection, desk.window.tenant, "feedback", late)
    assert await desk.one("detractor_follow_up") == 0.5


async def test_themes_are_counted_once_an_answer(desk: Desk) -> None:
    assert await desk.one("feedback_themes") == 3
    assert await desk.ask("feedback_themes", "theme") == {"layout": 1, "speed": 2}
    assert await desk.ask("feedback_themes", "theme", "sentiment") == {
        ("layout", "positive"): 1,
        ("speed", "positive"): 1,
        ("speed", "negative"): 1,
    }
    assert await desk.one("feedback_themes", theme="speed", survey="csat") == 2


async def test_without_answers_nothing_has_a_value_but_the_counts(connection: asyncpg.Connection) -> None:
    desk = Desk(CATALOG, connection, window(await make_tenant(connection, "pilot", ZONE)))
    assert await desk.ask("nps") == {"": None, "promoters": None, "passives": None, "detractors": None, "count": 0}
    assert await desk.ask("csat") == {"": None, "top2": None, "count": 0}
    assert await desk.one("survey_response") is None
    assert await desk.one("detractor_follow_up") is None
    assert await desk.one("feedback_themes") == 0
