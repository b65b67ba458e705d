"""What docs/reading-kpis.md says is what there is."""

from pathlib import Path

from service.catalog.windows import NAMES
from service.expose.asking import MAX_DIMENSIONS, MAX_FILTER_VALUES, RESERVED
from service.expose.series import STEPS
from service.settings import Settings

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "reading-kpis.md").read_text()


def test_every_parameter_window_and_step_is_documented() -> None:
    assert [name for name in RESERVED if f"`{name}`" not in TEXT and name not in TEXT.split("`")] == []
    words = TEXT.replace("`", " ").replace(",", " ").replace(":", " ").replace(";", " ").split()
    assert [name for name in (*NAMES, *STEPS) if name not in words] == []


def test_every_limit_is_documented_with_its_default() -> None:
    settings = Settings()
    for text in (
        f"`TIDEGAUGE_QUERY_MAX_DAYS` | {settings.query_max_days} days",
        f"`TIDEGAUGE_QUERY_MAX_ROWS` | {settings.query_max_rows:,}",
        f"`TIDEGAUGE_QUERY_MAX_STEPS` | {settings.query_max_steps:,}",
        f"| dimensions of `by` | | {MAX_DIMENSIONS} |",
        f"| values of a filter | | {MAX_FILTER_VALUES:,} |",
    ):
        assert text in TEXT
