"""Which of the contract's forms a request has: from its media type and its `ce-` headers.

CloudEvents HTTP protocol binding 1.0.2, sections 3.1 (binary), 3.2 (structured) and 3.3 (batch).
"""

import re
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers

from service.domain.families.envelope import STRUCTURED
from service.http.problems import Kind, Problem
from service.ingest.decode import Form

BATCH = "application/cloudevents-batch+json"
PLAIN = "application/json"
NDJSON = "application/x-ndjson"
_FORMS = {STRUCTURED: Form.OBJECT, BATCH: Form.ARRAY, PLAIN: Form.JSON, NDJSON: Form.NDJSON}
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_PREFIX = b"ce-"
MAX_ATTRIBUTES = 100
_ESCAPED = re.compile(rb"\\(.)")


def form_of(headers: Headers) -> tuple[Form, dict[str, str] | None]:
    """The form of a request, and in binary mode its attributes by name (lower case, percent-decoded).

    Raises the problem 415 for other media types and charsets, 400 for attributes that are given twice.
    """
    given = headers.get("content-type", "")
    if given in _FORMS and "ce-specversion" not in headers:
        return _FORMS[given], None
    media_type, charset = parse(given)
    if charset and charset not in CHARSETS:
        raise _unsupported(f"charset {charset!r} is not taken: send UTF-8")
    binary = "ce-specversion" in headers
    if binary and _is_data(media_type):
        return Form.BINARY, {**_attributes(headers), "datacontenttype": media_type or PLAIN}
    form = _FORMS.get(media_type)
    if form is None:
        what = f"Content-Type {media_type[:100]!r} is not taken" if media_type else "the header Content-Type is missing"
        only = f"with ce- headers {PLAIN}, else " if binary else ""
        raise _unsupported(f"{what}: send {only}{', '.join(_FORMS)}")
    return form, None


def _is_data(media_type: str) -> bool:
    """Whether it is the type of an event's own data: JSON of any kind but that of whole events."""
    return media_type in {PLAIN, ""} or (media_type.endswith("+json") and media_type not in _FORMS)


def parse(content_type: str) -> tuple[str, str]:
    """Media type and charset, in lower case, without quotes."""
    media_type, *parameters = content_type.split(";")
    charset = ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return media_type.strip().lower(), charset


def _attributes(headers: Headers) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for name, value in headers.raw:
        if not name.startswith(_PREFIX):
            continue
        attribute = name[len(_PREFIX) :].decode("latin-1")
        if attribute in attributes:
            raise Problem(Kind.BAD_REQUEST, f"the header ce-{attribute[:100]} is given twice: send it once")
        if len(attributes) >= MAX_ATTRIBUTES:
            raise Problem(Kind.BAD_REQUEST, f"more than {MAX_ATTRIBUTES} ce- headers: send fewer")
        attributes[attribute] = _decoded(value)
    return attributes


def _decoded(value: bytes) -> str:
    """A header's value as text (section 3.1.3.2): quotes taken off, then percent-decoded.

    Bytes that are no UTF-8 become lone surrogates: the decoder refuses the event for them.
    """
    value = value.strip()
    if len(value) > 1 and value.startswith(b'"') and value.endswith(b'"'):
        value = _ESCAPED.sub(rb"\1", value[1:-1])
    return unquote_to_bytes(value).decode("utf-8", "surrogateescape")


def _unsupported(detail: str) -> Problem:
    return Problem(Kind.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Post": ", ".join(_FORMS)})
