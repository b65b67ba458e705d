"""A report in its formats: nothing of it is lost, nothing from outside is loaded, no text becomes markup."""

from html.parser import HTMLParser

import msgspec
import pytest
from msgspec import structs

from service.reports.model import Cell, Figure, Figures, Grid, Picture, Point, Prose, Report, Section, decode, encode
from service.reports.rendering import FORMATS, Format, render

EVIL = '<script>alert("x")</script> & | `co`'
REPORT = Report(
    name="weekly",
    title="Weekly report",
    tenant="pilot",
    account=EVIL,
    window="week",
    days="17 November 2025 – 23 November 2025",
    start="2025-11-17T00:00:00Z",
    end="2025-11-24T00:00:00Z",
    timezone="UTC",
    made_at="2025-11-24T06:00:00Z",
    state="yellow",
    sections=(
        Section(
            "Summary",
            (
                Prose("summary", "What happened?"),
                Prose("said", "Said?", EVIL),
                Figures("None", (), "All is well."),
                Figures(
                    "KPIs", (Figure("wau", "Active users", 12.0, "users", "12 users", "yellow", "≥ 14 users", "10", "+20 %"),)
                ),
            ),
        ),
        Section(
            "Dashboard",
            (
                Grid("By account", ("account", "users"), ((Cell(EVIL), Cell("4", "red", is_number=True)),)),
                Grid("Nothing", ("a",), ()),
                Picture("heat", "Heat", (Point("Mon", 3.0, EVIL), Point("Tue", 0.0, EVIL))),
                Picture("lines", "Trend", (Point("1", 0.5), Point("2", None), Point("3", 0.7)), "ratio", 0.6),
                Picture("bars", "Funnel", (Point("invited", 5.0), Point("activated", 4.0))),
                Picture("bars", "No funnel", ()),
            ),
        ),
    ),
)


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "data"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_stored_form_reads_back_to_the_same_report() -> None:
    assert decode(encode(REPORT)) == REPORT


def test_a_page_needs_nothing_else_and_no_text_becomes_markup() -> None:
    page = Page(render(REPORT, "html").decode())
    assert "script" not in page.tags
    assert [each for each in page.loads if not each.startswith("#")] == []
    assert page.tags.count("svg") == 3
    assert page.text.count(EVIL) >= 3
    for said in ("12 users", "≥ 14 users", "yellow", "What happened?", "All is well.", "Nothing to show."):
        assert said in page.text


def test_markdown_keeps_every_cell_in_its_place() -> None:
    text = render(REPORT, "md").decode()
    rows = [line for line in text.splitlines() if line.startswith("| Active users")]
    assert rows == ["| Active users | 12 users | ≥ 14 users |  | 🟡 yellow | 10 | +20 % |"]
    assert "\\| `co` | 4 (red) |" in text
    assert "<script>" not in text


NOTED = msgspec.structs.replace(
    REPORT,
    sections=(
        Section(
            "Noted",
            (
                Figures(
                    "KPIs",
                    (
                        Figure("nps", "Net promoter score", None, "points", "–", "none", note="no data"),
                        Figure(
                            "wau", "Active users", 3.0, "users", "3 users", "red", "≥ 5 users", limit="≥ 4 users", of="Mon 17 Nov"
                        ),
                    ),
                    note="and 2 more in the sections below",
                ),
                Grid("By account", ("account", "CSAT"), ((Cell("acme"), Cell("–", is_number=True, note="no data")),)),
                Grid("Decision", ("decision",), ((Cell("conditional go", "yellow"),),)),
            ),
        ),
    ),
)


@pytest.mark.parametrize("form", ["md", "html"])
def test_no_format_drops_a_reason_a_limit_or_a_note(form: Format) -> None:
    written = render(NOTED, form).decode()
    text = Page(written).text if form == "html" else written
    for said in ("and 2 more in the sections below", "≥ 4 users", "Active users, Mon 17 Nov", "conditional go"):
        assert said in text
    assert text.count("no data") == 2
    if form == "md":
        assert "| Net promoter score (no data) | – |" in text
        assert "| acme | – (no data) |" in text
        assert "| conditional go (yellow) |" in text


def test_words_stay_whole_but_those_that_no_column_could_hold() -> None:
    long = "customer" * 8
    grid = Grid("Items", ("what", "due"), ((Cell("An opportunity"), Cell("2026-11-20")), (Cell(f"{long} {EVIL}"), Cell(""))))
    page = render(msgspec.structs.replace(REPORT, sections=(Section("Open", (grid,)),)), "html").decode()
    assert "anywhere" not in page
    assert '<td>An opportunity</td><td><span class="whole">2026-11-20</span></td>' in page
    assert long not in page
    assert f"{long} {EVIL}" in Page(page).text


def test_a_pdf_is_the_page_on_paper() -> None:
    content = render(REPORT, "pdf")
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_report_renders_too(form: str) -> None:
    empty = Report(
        **{name: getattr(REPORT, name) for name in ("name", "title", "tenant", "window", "days", "start", "end")},
        timezone="UTC",
        made_at=REPORT.made_at,
        sections=(),
    )
    assert render(empty, form)  # type: ignore[arg-type]


def test_markdown_writes_great_counts_of_a_heat_map_in_full() -> None:
    heat = Picture("heat", "Heat", (Point("Mon", 1_234_567.0, "export"), Point("Tue", None, "export")))
    text = render(structs.replace(REPORT, sections=(Section("Dashboard", (heat,)),)), "md").decode()
    assert "| export | 1,234,567 | – |" in text
