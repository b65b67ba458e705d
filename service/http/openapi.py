"""The OpenAPI document: FastAPI's, with both ways to hand over a key and the problems that any route can answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.http.problems import MEDIA_TYPE

BEARER = "bearer"
BASIC = "basic"
SECURITY_SCHEMES = {
    BEARER: {"type": "http", "scheme": "bearer", "description": "An API key"},
    BASIC: {"type": "http", "scheme": "basic", "description": "An API key as the user name, the password empty"},
}
EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvents 1.0 envelope; `GET /v1/schemas` gives the schema of each type with its `data`",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 256, "description": "The same again is the same event"},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 512},
        "type": {"type": "string", "examples": ["io.tidegauge.request.v1"]},
        "subject": {"type": "string", "minLength": 1, "maxLength": 256, "description": "What the event is about"},
        "time": {"type": "string", "format": "date-time", "description": "When it happened; missing: when it is received"},
        "account": {"type": "string", "minLength": 1, "maxLength": 128, "description": "The customer; missing: platform-wide"},
        "data": {"type": "object"},
    },
}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "URN of the kind of problem"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is the matter, the limit, and the way out"},
        "request_id": {"type": "string", "description": "As in the header X-Request-Id and in the logs"},
    },
}


def problem_response(description: str, **headers: str) -> dict[str, Any]:
    """An entry of `responses` for a problem; `headers` are names (`_` for `-`) with their descriptions."""
    entry: dict[str, Any] = {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if headers:
        entry["headers"] = {
            name.replace("_", "-"): {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    return entry


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        components = made.setdefault("components", {})
        components.setdefault("schemas", {}).update(Problem=PROBLEM_SCHEMA, Event=EVENT_SCHEMA)
        components["securitySchemes"] = SECURITY_SCHEMES
        for operation in _operations(made):
            _name_both_schemes(operation)
            _take_out_the_framework_s_error(operation)
        for unused in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(unused, None)
        app.openapi_schema = made
    return app.openapi_schema


def _operations(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in made.get("paths", {}).values() for operation in path.values() if isinstance(operation, dict)]


def _name_both_schemes(operation: dict[str, Any]) -> None:
    """Either scheme does: FastAPI knows only the one that the dependency names."""
    scopes = [entry[BEARER] for entry in operation.get("security", []) if BEARER in entry]
    if scopes:
        operation["security"] = [{BEARER: scopes[0]}, {BASIC: scopes[0]}]
        operation["responses"].setdefault("401", problem_response("No valid key", WWW_Authenticate="How to hand one over"))
        operation["responses"].setdefault("403", problem_response("The key lacks the scope"))


def _take_out_the_framework_s_error(operation: dict[str, Any]) -> None:
    """Wrong parameters are answered with a problem, not with FastAPI's own form."""
    entry = operation.get("responses", {}).get("422")
    if entry is not None and "HTTPValidationError" in str(entry):
        operation["responses"]["422"] = problem_response("A parameter is wrong")
