"""SLOs as tenants declare them: over events of every kind, over time, and of their own."""

from datetime import UTC, datetime

import pytest

from service.catalog import Catalog
from service.clock import DAY, to_us
from service.domain.config import InvalidConfiguration, TenantConfig, parse
from service.domain.config.alerts import MAX_SLOS
from service.domain.config.changes import refusals
from service.domain.config.counted import differing
from service.domain.config.versions import FOR_EVER_US, StoredVersion, TenantConfigs, configs_of
from service.domain.slo import Selection
from service.domain.targets import judge

NOW = to_us(datetime(2026, 1, 7, 12, 30, tzinfo=UTC))
SHAPES = Catalog.load().shapes()


def declared(kind: str, *lines: str, objective: float = 0.9) -> str:
    return "\n".join(["[[slo]]", "name = 'own'", f"kind = '{kind}'", f"objective = {objective}", *lines, ""])


def selected(text: str) -> tuple[Selection, ...]:
    return parse(text, known_kpis=SHAPES).to_fold().slos


def test_an_slo_of_uses_counts_every_feature_of_a_group() -> None:
    text = "[feature_groups]\nexport = ['csv_export', 'pdf_export']\n" + declared("usage", "where = { feature = 'export' }")
    [found] = selected(text)
    assert found == Selection("own", "usage", (("feature", frozenset({"csv_export", "pdf_export"})),))


def test_an_slo_of_a_meter_says_which_measurements_are_good_to_the_last_digit() -> None:
    text = declared("meter", "where = { meter = 'web_vital.cls', 'attribute.page' = 'home' }", "op = '<'", "value = 0.1")
    [found] = selected(text)
    where = (("attribute.page", frozenset({"home"})), ("meter", frozenset({"web_vital.cls"})))
    assert found == Selection("own", "meter", where, "<", 100_000_000)


def test_a_latency_limit_is_exact_to_the_nanosecond() -> None:
    [found] = selected(declared("request_latency", "limit_ms = 0.000001"))
    assert found.bound == 1


def test_slos_about_time_are_no_part_of_what_events_are_counted_with() -> None:
    assert selected(declared("availability", "where = { component = 'api' }")) == ()
    assert [each.name for each in parse("").to_fold().slos] == ["request-success", "delivery-on-time"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (declared("meter", "value = 3"), "needs `where = { meter = … }` and `value`"),
        (declared("meter", "where = { meter = 'lcp' }"), "needs `where = { meter = … }` and `value`"),
        (declared("usage", "value = 3"), "`op` and `value` are of meter, and this is usage"),
        (declared("request_latency"), "needs `limit_ms`"),
        (declared("request_success", "where = { 'account.tier' = 'enterprise' }"), "no event names it"),
        (declared("delivery_on_time", "where = { 'band.mrr' = 'high' }"), "no event names it"),
        (declared("usage", "where = { component = 'api' }"), "cannot be split by component"),
    ],
)
def test_what_no_event_could_tell_is_refused_with_the_way_out(text: str, said: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        parse(text, known_kpis=SHAPES)
    assert said in str(refused.value)


def test_the_objective_of_an_slo_may_change_at_any_moment_and_what_it_counts_an_hour_ahead() -> None:
    was, stricter = parse(declared("usage")), parse(declared("usage", objective=0.99))
    other = parse(declared("usage", "where = { feature = 'export' }"))
    assert differing(was, stricter) == ()
    assert differing(was, other) == ("slo",)
    before: TenantConfigs = configs_of("UTC", 1, [StoredVersion(1, FOR_EVER_US, was)])
    at_once = f"valid_from = {datetime.fromtimestamp(NOW / 1_000_000, UTC).isoformat()}\n"
    assert refusals(before, parse(at_once + declared("usage", objective=0.99)), now_us=NOW, has_data=True) == []
    changed = parse(at_once + declared("usage", "where = { feature = 'export' }"))
    [refusal] = refusals(before, changed, now_us=NOW, has_data=True)
    assert "changes slo" in refusal.message
    assert NOW % DAY  # no midnight is needed


def test_what_counts_now_gives_its_place_to_nothing_that_is_planned() -> None:
    def version(number: int, begins_us: int, names: list[str], objective: float) -> StoredVersion:
        slos = [{"name": name, "kind": "availability", "objective": objective} for name in names]
        return StoredVersion(number, begins_us, TenantConfig.model_validate({"slo": slos}))

    now, later = [f"now-{place}" for place in range(MAX_SLOS - 1)], ["now-0", "later-1", "later-2"]
    configs = configs_of("UTC", 2, [version(1, FOR_EVER_US, now, 0.9), version(2, NOW + DAY, later, 0.99)])
    found = {slo.name: slo.objective for slo in configs.slos_from(NOW)}
    assert found == dict.fromkeys(now, 0.9) | {"later-1": 0.99}
    assert [slo.name for slo in configs.slos_from(NOW + DAY)] == later


def test_the_objective_is_the_target_of_compliance_over_the_slos_own_window() -> None:
    config = parse(declared("usage") + "window = '28d'\n")
    judged = {
        window: judge(config, kpi="slo", statistic=None, dims={"slo": "own"}, window=window, value=0.85, adds_up=False, apart=())
        for window in ("28d", "30d")
    }
    assert (judged["28d"].target, judged["28d"].status) == (0.9, "red")
    assert judged["30d"].target is None
