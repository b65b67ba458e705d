"""What OpenAPI says of `/v1/config`."""

from typing import Any

from service.http.openapi import problem_response

_FILE = 'valid_from = 2027-01-04T05:00:00Z\n\n[[target]]\nkpi = "availability"\nop = ">="\ntarget = "99.9%"\n'
_CONFIG = {"tenant": {"timezone": "America/New_York"}, "valid_from": "2027-01-04T05:00:00Z"}
_MISTAKE = {"path": "target[0].kpi", "line": 4, "message": "there is no KPI availabilty; did you mean availability?"}
_VERSION: dict[str, Any] = {
    "tenant": "pilot",
    "version": 2,
    "newest_version": 3,
    "valid_from": "2027-01-04T05:00:00Z",
    "planned": [{"version": 3, "valid_from": "2027-02-01T05:00:00Z"}],
    "config": _CONFIG,
    "programme_week": {"week": 3, "of": 8},
}
_OUTCOME: dict[str, Any] = {
    "version": 3,
    "valid_from": "2027-02-01T05:00:00Z",
    "stored": True,
    "changes": [{"key": "activity.wau_window", "before": "7d", "after": "week"}],
    "warnings": [],
}
_ETAG = {"ETag": {"description": "Send it as If-Match with the next change", "schema": {"type": "string"}}}


def _json(example: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}, "example": example}}


GET_CONFIG: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The version that counts at the time asked for (0 where nothing was declared), every key with its value; "
        "as TOML the file itself, for keys with the scope `admin`",
        "headers": _ETAG,
        "content": _json(_VERSION) | {"application/toml": {"schema": {"type": "string"}, "example": _FILE}},
    },
    400: problem_response("A parameter is wrong"),
}
PUT_CONFIG: dict[str, Any] = {
    "responses": {
        200: {
            "description": "What differs from what counted before, key by key; `stored` is false for a dry run and where "
            "nothing differs",
            "headers": _ETAG,
            "content": _json(_OUTCOME),
        },
        400: problem_response("The body is no UTF-8, or a header cannot be read"),
        408: problem_response("The body did not come in time: try again"),
        412: problem_response("If-Match: it was changed meanwhile; `version` is the newest"),
        413: problem_response("The file is too large"),
        415: problem_response("A media type, charset or encoding that is not taken"),
        422: problem_response(f"Every mistake at once, in `mistakes`, such as {_MISTAKE}; nothing is stored"),
        503: problem_response("Not possible at the moment: try again", Retry_After="Seconds"),
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "The ETag that was read: the change is refused if somebody else was faster",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/toml": {"schema": {"type": "string"}, "example": _FILE},
                "application/json": {"schema": {"type": "object"}, "example": _CONFIG},
            },
        },
    },
}
