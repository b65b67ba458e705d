"""A report as one HTML file that needs nothing else, on a screen and on paper; and as PDF, which is that file printed."""

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from service.errors import ReportUnavailable
from service.reports.model import Picture, Report

_TEMPLATE = "report.html.j2"
_MENDED_WORD = re.compile(r"(?P<long>\S{25,})|(?P<dated>[^\s-]*\d-\d\S*)")
"""A word that would make a column wider than a page (an id, a name that was put together); a date, whose hyphens are no ends."""
_PIECE = re.compile(r".{1,12}")


def to_html(report: Report) -> str:
    """The whole page; every text of an event or a note is escaped."""
    return _environment().get_template(_TEMPLATE).render(report=report)


def to_pdf(report: Report) -> bytes:
    """The page as PDF (A4); raises ReportUnavailable where the system lacks the library that sets text."""
    try:
        from weasyprint import HTML  # noqa: PLC0415  # loads a library of the system's, which only PDF needs
    except OSError as error:
        raise ReportUnavailable(
            "a PDF needs the library Pango: install it (Debian, Ubuntu: libpango-1.0-0 libpangoft2-1.0-0), or take format=html"
        ) from error
    written: bytes = HTML(string=to_html(report), url_fetcher=_nothing_from_outside).write_pdf()
    return written


def _nothing_from_outside(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f"a report loads nothing, and was to load {url}")


def _picture(picture: Picture) -> Markup:
    from service.reports.charts import to_svg  # noqa: PLC0415  # what draws takes long to load, and few processes draw

    return Markup(to_svg(picture))  # noqa: S704  # drawn by vl-convert, which escapes the texts in it


def _breakable(text: str) -> Markup:
    """A text whose words stay whole, dates among them, but for such as no column could hold: these may break."""
    pieces, end = [], 0
    for word in _MENDED_WORD.finditer(text):
        parts = Markup("<wbr>").join(_PIECE.findall(word[0]))
        whole = Markup('<span class="whole">{}</span>').format(word[0])
        pieces += [escape(text[end : word.start()]), parts if word["long"] else whole]
        end = word.end()
    return Markup().join([*pieces, escape(text[end:])])


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["svg"] = _picture
    made.filters["breakable"] = _breakable
    return made
