"""Rows of scorecards that are kept for dashboards: those that this version can answer."""

from service.catalog import Catalog
from service.domain.config import TenantConfig
from service.evaluate.scorecards import rows_of


def test_a_row_whose_kpi_or_statistic_is_gone_is_left_out_and_takes_no_other_with_it() -> None:
    rows = ["requests", "requests.gone", "gone", "requests.per_minute"]
    config = TenantConfig.model_validate({"scorecards": {"weekly": {"rows": rows}}})
    found = list(rows_of(1, config, Catalog.load()))
    assert [(row.place, row.text) for row in found] == [(1, "requests"), (4, "requests.per_minute")]
    assert len({row.asks for row in found}) == 1
