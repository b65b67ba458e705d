"""A KPI that is derived from others: exact, split and windowed as they are, without a value where one of them has none."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from service.catalog import Catalog, Kept, Kpi, Question, Value, Window, resolve_window, run
from service.catalog.loader import KPIS
from service.clock import DAY, HOUR
from service.domain.families.usage import NAMED
from tests.catalog.rollups import Observation, make_partitions, make_tenant, store
from tests.catalog.test_facts_oracle import local

ZONE: Final = "America/New_York"
NOW: Final = local(ZONE, 2025, 11, 19, 10, 0, 0)
NANO: Final = 1_000_000_000
HEAD: Final = """-- id = "{id}"
-- title = "Derived"
-- definition = "derived"
-- family = "Service level"
-- unit = "{unit}"
-- kind = "formula"
-- better = "higher"
-- formula = '''{formula}'''
"""


def load(directory: Path, *, unit: str = "", more: str = "", **formulas: str) -> Catalog:
    """The catalog with these formulas beside what comes with tidegauge."""
    for name, formula in formulas.items():
        (directory / f"{name}.sql").write_text(HEAD.format(id=name, unit=unit, formula=formula) + more)
    return Catalog.load(KPIS, directory)


def derived(directory: Path, formula: str, *, unit: str = "", more: str = "") -> Kpi:
    catalog = load(directory, unit=unit, more=more, derived=formula)
    assert catalog.refused == ()
    return catalog.kpis["derived"]


def request(status: str, at_us: int = NOW - HOUR, count: int = 1, account: str = "", service: str = "api") -> Observation:
    return Observation(at_us, {"service": service, "status": status}, account, 0, count)


def meter(name: str, value: int, currency: str = "", at_us: int = NOW - HOUR) -> Observation:
    dims = {"meter": name} | ({"currency": currency} if currency else {})
    return Observation(at_us, dims, "", value * NANO, id=f"{name}{at_us}")


def window(tenant: int, name: str = "day", key: Any = 0, end_us: int | None = None) -> Window:
    return resolve_window(tenant, ZONE, now_us=NOW, name=name, key=key, end_us=end_us)


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    await make_partitions(connection)
    return await make_tenant(connection, "pilot", ZONE)


async def requests(connection: asyncpg.Connection, tenant: int, *seen: Observation) -> None:
    await store(connection, tenant, "request", ZONE, seen)


async def whole(connection: asyncpg.Connection, kpi: Kpi, of: Window, **asked: Any) -> Value:
    [value] = await run(connection, kpi, [of], Question(**asked))
    return value


def rows(values: list[Value], *names: str) -> Mapping[tuple[str, ...], float | None]:
    return {tuple(value.dims[name] for name in names): value.value for value in values}


async def test_a_formula_is_made_of_exact_numbers(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    kpi = derived(tmp_path, "(1 - error_rate.5xx) * 3", unit="ratio")
    await requests(connection, tenant, request("200", count=2), request("503", count=1))
    assert (await whole(connection, kpi, window(tenant))).value == 2.0  # in floats it is 2.0000000000000004


async def test_a_quotient_shows_what_was_divided(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    kpi = derived(tmp_path, "requests{status=200} / requests", unit="ratio")
    await requests(connection, tenant, request("200", count=3), request("404"))
    value = await whole(connection, kpi, window(tenant))
    assert (value.value, value.numerator, value.denominator) == (0.75, 3, 4)


async def test_without_a_value_of_an_operand_there_is_none(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    kpi = derived(tmp_path, "error_rate * 100")
    value = await whole(connection, kpi, window(tenant))
    assert (value.value, value.reason, value.note) == (None, "no_data", "error_rate has no value")


async def test_nothing_is_divided_by_0(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    kpi = derived(tmp_path, "deliveries / requests")
    value = await whole(connection, kpi, window(tenant))
    assert (value.value, value.denominator, value.reason) == (None, 0, "no_data")
    assert value.note == "requests is 0: nothing is divided by it"


async def test_counts_of_an_empty_window_are_0_and_so_are_their_sums(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    kpi = derived(tmp_path, "(requests + deliveries) * 12")
    value = await whole(connection, kpi, window(tenant))
    assert (value.value, value.reason) == (0, "")
    assert kpi.statistics[""].kind == "count"


async def test_rows_are_those_that_something_happened_in_for_any_operand(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    kpi = derived(tmp_path, "requests{status=200} - requests{status=404}")
    await requests(
        connection,
        tenant,
        request("200", account="acme", count=5),
        request("404", account="acme"),
        request("404", account="beta"),
    )
    found = await run(connection, kpi, [window(tenant)], Question(by=("account",)))
    assert rows(found, "account") == {("acme",): 4, ("beta",): -1}
    assert (await whole(connection, kpi, window(tenant), filters={"account": ("beta",)})).value == -1


async def test_a_filter_and_what_an_operand_names_leave_what_both_allow(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    kpi = derived(tmp_path, "requests{status=200,404} / requests", unit="ratio")
    await requests(connection, tenant, request("200", count=3), request("404"), request("503", count=4))
    assert (await whole(connection, kpi, window(tenant))).value == 0.5
    assert (await whole(connection, kpi, window(tenant), filters={"status": ("404", "503")})).value == 0.2
    nothing = await whole(connection, kpi, window(tenant), filters={"status": ("503",)})
    assert (nothing.value, nothing.numerator, nothing.denominator) == (0.0, 0, 4)


async def test_money_stays_apart_and_what_has_no_currency_goes_with_each(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    kpi = derived(tmp_path, "meter.sum{meter=cost.acquisition} / requests", unit="minor/request")
    await requests(connection, tenant, request("200", count=4))
    costs = [meter("cost.acquisition", 100, "USD"), meter("cost.acquisition", 50, "EUR")]
    await store(connection, tenant, "meter", ZONE, costs)
    found = await run(connection, kpi, [window(tenant)])
    assert [(value.value, value.reason, value.dims) for value in found if not value.dims] == [(None, "mixed_units", {})]
    assert rows([value for value in found if value.dims], "currency") == {("EUR",): 12.5, ("USD",): 25.0}
    assert (await whole(connection, kpi, window(tenant), filters={"currency": ("USD",)})).value == 25.0
    by = await run(connection, kpi, [window(tenant)], Question(by=("currency",)))
    assert rows(by, "currency") == {("EUR",): 12.5, ("USD",): 25.0}


async def test_one_currency_alone_needs_no_naming_and_what_another_operand_lacks_of_it_is_0(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    kpi = derived(tmp_path, "meter.sum{meter=cost.a} - meter.sum{meter=cost.b}")
    await store(connection, tenant, "meter", ZONE, [meter("cost.a", 100, "USD")])
    value = await whole(connection, kpi, window(tenant))
    assert (value.value, value.dims) == (100, {"currency": "USD"})


async def test_many_tenants_and_windows_are_asked_at_once(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    kpi = derived(tmp_path, "requests * 2")
    other = await make_tenant(connection, "other", ZONE)
    await requests(connection, tenant, request("200"), request("200", NOW - 2 * DAY))
    await requests(connection, other, request("200", count=7))
    windows = [window(each, name, (each, name)) for each in (tenant, other) for name in ("day", "week")]
    found = await run(connection, kpi, windows)
    assert {value.window: value.value for value in found} == {
        (tenant, "day"): 2, (tenant, "week"): 4, (other, "day"): 14, (other, "week"): 14,
    }  # fmt: skip


async def test_a_formula_of_formulas_is_what_they_are(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    catalog = load(tmp_path, a_of_b="b_of_requests + 1", b_of_requests="requests / 2")
    assert catalog.refused == ()
    await requests(connection, tenant, request("200", count=3), request("200", account="acme"))
    kpi = catalog.kpis["a_of_b"]
    assert (await whole(connection, kpi, window(tenant))).value == 3.0
    assert rows(await run(connection, kpi, [window(tenant)], Question(by=("service",))), "service") == {("api",): 3.0}


async def test_growth_is_against_the_same_part_of_the_period_before(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    kpi = derived(tmp_path, "growth(requests, week)", unit="ratio")
    # Now is a Wednesday, 10:00: what came on the Thursday before is of the rest of its week.
    before, rest = local(ZONE, 2025, 11, 12, 9, 0, 0), local(ZONE, 2025, 11, 13, 9, 0, 0)
    await requests(connection, tenant, request("200", count=5), request("200", before, 4), request("200", rest, 100))
    value = await whole(connection, kpi, window(tenant, "week"))
    assert (value.value, value.numerator, value.denominator) == (0.25, 1, 4)
    closed = await whole(connection, kpi, window(tenant, "week", end_us=local(ZONE, 2025, 11, 17, 0, 0, 0)))
    assert (closed.value, closed.note) == (None, "requests was 0 a week before: no relative change")


async def test_growth_by_the_month_of_a_month_counts_whole_months(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    kpi = derived(tmp_path, "growth(requests, month)", unit="ratio")
    await requests(
        connection,
        tenant,
        request("200", local(ZONE, 2025, 9, 30, 23, 0, 0), 10),
        request("200", local(ZONE, 2025, 10, 31, 23, 30, 0), 5),
    )
    value = await whole(connection, kpi, window(tenant, "month", end_us=local(ZONE, 2025, 11, 1, 0, 0, 0)))
    assert value.value == -0.5


async def test_what_is_older_than_what_is_kept_has_expired(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    kpi = derived(tmp_path, "requests + 0 * requests")
    [value] = await run(connection, kpi, [window(tenant, "1h")], kept=Kept(NOW, NOW))
    assert (value.value, value.reason) == (None, "expired")


def test_dimensions_and_windows_are_those_of_all_operands(tmp_path: Path) -> None:
    kpi = derived(tmp_path, "feature_uses / dau")
    known = Catalog.load().kpis
    assert set(kpi.dimensions) == set(known["feature_uses"].dimensions) & set(known["dau"].dimensions) >= {"account", "feature"}
    assert kpi.head.whole_days
    assert (kpi.takes("day"), kpi.takes("week"), kpi.takes("1h")) == (True, False, False)


def test_a_head_may_name_fewer_windows_and_what_is_kept_current(tmp_path: Path) -> None:
    more = '-- windows = ["month", "quarter"]\n-- default_window = "quarter"\n-- [live]\n-- windows = ["month"]\n'
    head = derived(tmp_path, "requests / 2", more=more).head
    assert (head.windows, head.default_window) == (("month", "quarter"), "quarter")
    assert head.live is not None


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("requests +", "column 11: the name of a KPI or a number is missing"),
        ("requests * (2", "column 14: ')' is missing"),
        ("requests ^ 2", "column 10: '^' is not expected here"),
        ("growth(requests, fortnight)", "column 18: 'fortnight' is no period"),
        ("12 * 2", "names no KPI"),
        ("2 * request", "column 5: there is no KPI request; did you mean requests?"),
        ("requests.p95", "column 1: requests has no statistic p95"),
        ("request_latency / 2", "column 1: request_latency has several statistics"),
        ("request_latency.share_within", "column 1: share_within is of a limit"),
        ("meter.mean * 2", "column 1: meter is never added up across meter"),
        ("requests{colour=red}", "column 1: requests cannot be split by colour"),
        ("derived + 1", "goes round in a circle"),
        ("(" * 30 + "requests" + ")" * 30, "more than 20 deep"),
        ("requests" + " + 1" * 60, "at most 50 operations"),
    ],
)
def test_a_mistake_in_a_formula_is_refused_with_its_line_and_column(tmp_path: Path, formula: str, says: str) -> None:
    catalog = load(tmp_path, derived=formula)
    [refusal] = catalog.refused
    assert (refusal.line, says in refusal.message) == (8, True), refusal


def test_a_circle_of_formulas_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    catalog = load(tmp_path, one="two + 1", two="one + 1", three="two / requests", sound="requests * 2")
    assert {Path(each.file).stem for each in catalog.refused} == {"one", "two", "three"}
    assert "sound" in catalog.kpis


@pytest.mark.parametrize(
    ("more", "line", "says"),
    [
        ('-- dimensions = ["account"]\n', 9, "leave it out"),
        ('-- windows = ["5m"]\n-- default_window = "5m"\n', 9, "its KPIs have"),
        ("select 1\n", 9, "leave the statement out"),
    ],
)
def test_what_a_formula_derives_is_not_declared(tmp_path: Path, more: str, line: int, says: str) -> None:
    [refusal] = load(tmp_path, derived="dau / 2", more=more).refused
    assert (refusal.line, says in refusal.message) == (line, True), refusal


async def test_numbers_that_are_not_whole_stay_exact(connection: asyncpg.Connection, tmp_path: Path, tenant: int) -> None:
    kpi = derived(tmp_path, "requests * 0.1")
    await requests(connection, tenant, request("200", count=3))
    value = await whole(connection, kpi, window(tenant))
    assert (value.value, value.numerator) == (0.3, Decimal("0.3"))


async def test_a_share_within_a_limit_and_a_ratio_of_features_are_figures_of_their_own(
    connection: asyncpg.Connection, tmp_path: Path, tenant: int
) -> None:
    made = load(
        tmp_path,
        unit="ratio",
        soon="request_latency.share_within{limit_ms=300}",
        late="1 - request_latency.share_within{limit_ms=300,service=api}",
        both="request_latency.share_within{limit_ms=300} - request_latency.share_within{limit_ms=0.5}",
        exports="feature_ratio{feature=csv_export,of=dashboard}",
        users="feature_ratio{feature=csv_export,of=dashboard,count=users}",
    )
    assert made.refused == ()
    seen = [Observation(NOW - HOUR, {"service": "api", "status": "200"}, "", ms * NANO // 1_000, 1) for ms in (100, 200, 900)]
    await requests(connection, tenant, *seen, Observation(NOW - HOUR, {"service": "web", "status": "200"}, "", NANO // 10, 1))
    uses = [Observation(NOW - HOUR, {"feature": name}, "", n * NANO, 1) for name, n in (("csv_export", 3), ("dashboard", 4))]
    await store(connection, tenant, NAMED, ZONE, uses)
    day = window(tenant)
    latency = made.kpis["request_latency"]
    [plain] = await run(connection, latency, [day], Question(statistics=("share_within",), within=Fraction(300)))
    for name, expected in (("soon", 0.75), ("late", 1 / 3), ("both", 0.75)):
        assert (await whole(connection, made.kpis[name], day)).value == pytest.approx(expected, rel=1e-12), name
    assert plain.value == 0.75
    features = made.kpis["feature_ratio"]
    asked = Question(parameters={"feature": "csv_export", "of": "dashboard"})
    [ratio] = await run(connection, features, [day], asked)
    assert (ratio.value, (await whole(connection, made.kpis["exports"], day)).value) == (0.75, 0.75)
    assert (await whole(connection, made.kpis["users"], day)).value is None
    assert made.kpis["soon"].head.live == made.kpis["both"].head.live
    assert made.kpis["exports"].head.live is not None


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("request_latency.share_within", "share_within is of a limit: name it, as {limit_ms=…}"),
        ("request_latency.p95{limit_ms=300}", "limit_ms goes with share_within alone"),
        ("request_latency.share_within{limit_ms=soon}", "limit_ms=soon is no number"),
        ("request_latency.share_within{limit_ms=1,2}", "limit_ms has 2 values: name one"),
        ("request_latency.share_within{limit_value=1}", "cannot be split by limit_value"),
        ("feature_ratio{feature=a}", "feature_ratio is of of: name them, as {of=…}"),
        ("feature_ratio", "feature_ratio is of feature and of: name them, as {feature=…,of=…}"),
        ("feature_ratio{feature=a,of=b,count=clicks}", "count=clicks is none of uses, users"),
        ("retention{unit=day,n=x}", "n=x is no number"),
    ],
)
def test_a_wrong_choice_in_a_formula_is_refused(tmp_path: Path, formula: str, says: str) -> None:
    [refusal] = load(tmp_path, unit="ratio", derived=formula).refused
    assert says in refusal.message
