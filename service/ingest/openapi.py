"""What OpenAPI says about the door: every form with examples that work as they stand."""

from typing import Any

from starlette.responses import Response

from service.domain.families.envelope import STRUCTURED
from service.http.openapi import BASIC, BEARER, problem_response
from service.ingest.media import BATCH, NDJSON, PLAIN

REQUEST_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "01JD3Z8Q4S8W",
    "source": "/services/api",
    "type": "io.tidegauge.request.v1",
    "account": "acme",
    "data": {"service": "api", "route": "/reports/{id}", "method": "GET", "status": 200, "latency_ms": 41.7},
}
USAGE_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "01JD3Z8Q4S8X",
    "source": "/services/web",
    "type": "io.tidegauge.usage.v1",
    "subject": "user-17",
    "account": "acme",
    "data": {"feature": "dashboard", "session": "s-991", "properties": {"plan": "pro"}},
}
NDJSON_EXAMPLE = (
    '{"specversion":"1.0","id":"01JD3Z8Q4S8Y","source":"/services/hooks","type":"io.tidegauge.delivery.v1","subject":"d-5",'
    '"data":{"integration":"benevity","outcome":"delivered","latency_ms":312}}\n'
    '{"specversion":"1.0","id":"01JD3Z8Q4S8Z","source":"/monitors/eu","type":"io.tidegauge.probe.v1",'
    '"data":{"component":"platform_api","up":true,"interval_s":30}}\n'
)
BINARY_ATTRIBUTES = {
    "ce-specversion": "1.0",
    "ce-id": "01JD3Z8Q4S90",
    "ce-source": "/services/web",
    "ce-type": "io.tidegauge.measurement.v1",
    "ce-subject": "",
    "ce-time": "",
    "ce-account": "acme",
}
BINARY_DATA = {"meter": "web_vital.lcp", "value": 1830, "unit": "ms", "attributes": {"page": "home"}}

_EVENT = {"$ref": "#/components/schemas/Event"}
_REJECTED = {
    "type": "array",
    "description": "The events that were refused, kept as dead letters; sending them again would not help",
    "items": {
        "type": "object",
        "required": ["index", "id", "reason", "detail"],
        "properties": {
            "index": {"type": "integer", "description": "Position in the request, from 0"},
            "id": {"type": ["string", "null"], "description": "The event's id, where it could be read"},
            "reason": {"type": "string", "description": "One of the closed list of reasons"},
            "detail": {"type": "string", "description": "The field, the limit and the way out"},
        },
    },
}
_COUNT = {"type": "integer", "minimum": 0}
_REJECTED_COUNT = {"Tidegauge-Rejected": {"description": "How many events were refused", "schema": {"type": "integer"}}}
_RETRY = "Seconds after which to try again"
_DESCRIPTION = """
Takes up to 10,000 events (10 MB, also after unpacking) as CloudEvents 1.0: one (`application/cloudevents+json`), a batch
(`application/cloudevents-batch+json`), either (`application/json`), one a line (`application/x-ndjson`), or in binary mode
(`application/json` with `ce-` headers, percent-encoded). `Content-Encoding: gzip` is taken.

A 202 means durable: every event that is not listed in `rejected` is counted exactly once, however often it is sent.
Try again with the same ids after 408, 429, 5xx and broken connections; never after the other 4xx.
""".strip()


def _accepted(count: str) -> dict[str, Any]:
    return {"type": "object", "required": [count, "rejected"], "properties": {count: _COUNT, "rejected": _REJECTED}}


def _answer(description: str, count: str, example: dict[str, Any]) -> dict[str, Any]:
    content = {PLAIN: {"schema": _accepted(count), "example": example}}
    return {"description": description, "headers": _REJECTED_COUNT, "content": content}


def _header(name: str, example: str) -> dict[str, Any]:
    entry = {
        "name": name,
        "in": "header",
        "required": False,
        "description": f"The attribute `{name[3:]}` in binary mode, percent-encoded",
        "schema": {"type": "string"},
    }
    return entry | ({"example": example} if example else {})


_BODIES: dict[str, Any] = {
    STRUCTURED: {"schema": _EVENT, "examples": {"one": {"summary": "One request that was answered", "value": REQUEST_EVENT}}},
    BATCH: {
        "schema": {"type": "array", "items": _EVENT},
        "examples": {"batch": {"summary": "Two events", "value": [REQUEST_EVENT, USAGE_EVENT]}},
    },
    PLAIN: {
        "schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT}, {"type": "object", "description": "Binary: the data"}]},
        "examples": {
            "one": {"summary": "One event", "value": USAGE_EVENT},
            "several": {"summary": "An array of events", "value": [USAGE_EVENT, REQUEST_EVENT]},
            "binary": {"summary": "Binary mode: with the ce- headers, the data alone", "value": BINARY_DATA},
        },
    },
    NDJSON: {
        "schema": {"type": "string", "description": "An event a line"},
        "examples": {"lines": {"summary": "Two lines", "value": NDJSON_EXAMPLE}},
    },
}
_DRY_RUN = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "`true` checks the events, stores nothing and answers 200",
    "schema": {"type": "boolean", "default": False},
}
_REFUSED = {"index": 3, "id": "01JD3Z8Q4S91", "reason": "missing_field", "detail": "data.service is missing: name the service"}

POST_EVENTS: dict[str, Any] = {
    "summary": "Send events",
    "description": _DESCRIPTION,
    "operation_id": "postEvents",
    "response_class": Response,
    "response_description": "Every event that is not listed in `rejected` is durable",
    "responses": {
        200: _answer("With `dry_run=true`: what would happen", "would_accept", {"would_accept": 3, "rejected": [_REFUSED]}),
        202: _answer("Every event that is not listed is durable", "accepted", {"accepted": 3, "rejected": [_REFUSED]}),
        400: problem_response("The body is not JSON as a whole, or not gzip; or a parameter is wrong"),
        401: problem_response("No valid key", WWW_Authenticate="How to hand one over"),
        403: problem_response("The key lacks the scope `ingest`"),
        408: problem_response("The body did not come in time: try again"),
        413: problem_response("More than 10 MB (also unpacked) or 10,000 events: split the request"),
        415: problem_response("A media type, charset or encoding that is not taken"),
        422: problem_response("Not one event is valid: `accepted` and `rejected` as in a 202", Tidegauge_Rejected="How many"),
        429: problem_response("Too many requests with this key", Retry_After=_RETRY),
        503: problem_response("The log takes no writes: try again", Retry_After=_RETRY),
    },
    "openapi_extra": {
        "security": [{BEARER: ["ingest"]}, {BASIC: ["ingest"]}],
        "parameters": [_DRY_RUN, *(_header(name, example) for name, example in BINARY_ATTRIBUTES.items())],
        "requestBody": {"required": True, "content": _BODIES},
    },
}
GET_SCHEMAS: dict[str, Any] = {
    "summary": "The contract as JSON Schema",
    "description": "A schema for each event type, by its name: the envelope and its `data`, every limit, and an example.",
    "operation_id": "getSchemas",
    "response_class": Response,
    "responses": {200: {"description": "Schemas by event type", "content": {PLAIN: {"schema": {"type": "object"}}}}},
}
