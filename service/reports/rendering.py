"""A report in one of its formats: as data, as Markdown, as a page, on paper."""

from typing import Literal, get_args

from service.reports.html import to_html, to_pdf
from service.reports.markdown import to_markdown
from service.reports.model import Report, encode

Format = Literal["json", "md", "html", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}


def render(report: Report, form: Format) -> bytes:
    """The report's bytes; takes up to seconds of CPU, so call it in a thread. Raises ReportUnavailable."""
    match form:
        case "json":
            return encode(report)
        case "md":
            return to_markdown(report).encode()
        case "html":
            return to_html(report).encode()
        case "pdf":
            return to_pdf(report)
