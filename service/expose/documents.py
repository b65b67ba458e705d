"""What OpenAPI says of scorecards and records: parameters, and answers with an example each."""

from typing import Annotated, Any

from fastapi import Query

from service.http.openapi import problem_response

MAX_PAGE_ROWS = 1_000
_NO_NUL = "^[^\\x00]*$"

Window = Annotated[
    str | None,
    Query(description="`5m 1h 24h`, `1d 7d 28d 30d 90d`, `day week month quarter year`; without it, or `start`: `week`"),
]
Start = Annotated[str | None, Query(description="Beginning of bounds of your own: RFC 3339, or a date for its local midnight")]
End = Annotated[str | None, Query(description="End, not included; now by default")]
Format = Annotated[str | None, Query(description="`json` or `csv`; else the header Accept decides")]
ReportFormat = Annotated[str | None, Query(description="`html` (the default), `md`, `pdf` or `json`")]
Text = Annotated[str | None, Query(max_length=512, pattern=_NO_NUL)]
Cursor = Annotated[
    str | None, Query(max_length=4_096, description="`next` of the page before (in CSV the header Tidegauge-Cursor)")
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS, description="Most rows of the answer; `next` leads on")]
Source = Annotated[str, Query(min_length=1, max_length=512, pattern=_NO_NUL, description="As the event says it")]
EventId = Annotated[str, Query(alias="id", min_length=1, max_length=256, pattern=_NO_NUL, description="As the event says it")]
Time = Annotated[
    str | None, Query(max_length=64, pattern=_NO_NUL, description="As the event says it; left out if the event names none")
]

Responses = dict[int | str, dict[str, Any]]

# FastAPI leaves out what is null: an example shows only members that have a value.
_CURSOR = "kgGlSU5DLTc"
_WEEK = {
    "name": "week",
    "start": "2025-11-17T05:00:00Z",
    "end": "2025-11-24T05:00:00Z",
    "timezone": "America/New_York",
}


def answer(description: str, example: dict[str, Any], table: str = "") -> Responses:
    """A 200 with its example (and as a table, its first lines), and what a wrong parameter gives."""
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}, "example": example}}
    if table:
        content["text/csv"] = {"schema": {"type": "string"}, "example": table}
    return {200: {"description": description, "content": content}, 400: problem_response("A parameter is wrong")}


SCORECARDS = answer("Their names and how many rows they have", {"scorecards": [{"name": "sla", "rows": 6}]})
SCORECARD = answer(
    "Every row with its figure, target and status; `before` is the figure of the window before (of an open one: of the same "
    "part), `trend` and `verdict` what became of it. `decision` is `go` from 80 points of `health` on, `conditional_go` from "
    "60 on, `no_go` below, null without a score. With `account` all of it is of that account",
    {
        "name": "sla",
        "account": "acme",
        "window": _WEEK,
        "before": _WEEK | {"start": "2025-11-10T05:00:00Z", "end": "2025-11-17T05:00:00Z"},
        "provisional": False,
        "met": 1,
        "judged": 1,
        "share_met": 1.0,
        "state": "green",
        "unjudged_critical": [],
        "decision": "go",
        "health": {"score": 84.0, "window": _WEEK},
        "rows": [
            {
                "row": "error_rate",
                "title": "Error rate",
                "value": 0.004,
                "numerator": 8,
                "denominator": 2000,
                "unit": "ratio",
                "before": 0.006,
                "absolute": -0.002,
                "points": -0.2,
                "relative": -0.3333,
                "trend": "down",
                "verdict": "better",
                "p": 0.021,
                "few": False,
                "op": "<=",
                "target": 0.005,
                "limit": 0.01,
                "benchmark": [0.001, 0.01],
                "status": "green",
            }
        ],
    },
    "row,title,value,…\r\nerror_rate,Error rate,0.004,…\r\n",
) | {404: problem_response("There is no scorecard of that name (those that there are, are named), or no such account")}
INCIDENTS = answer(
    "A page of incidents as they are known now",
    {
        "incidents": [
            {
                "id": "INC-7",
                "state": "resolved",
                "severity": "P1",
                "service": "api",
                "title": "Slow reports",
                "kind": "availability",
                "cause": "deployment",
                "outage": False,
                "affected_users": 12,
                "action_items": 2,
                "account": "acme",
                "accounts": ["acme", "globex"],
                "opened_at": "2025-11-18T09:00:00Z",
                "detected_at": "2025-11-18T09:04:00Z",
                "acknowledged_at": "2025-11-18T09:06:00Z",
                "escalated_at": "2025-11-18T09:20:00Z",
                "mitigated_at": "2025-11-18T10:00:00Z",
                "resolved_at": "2025-11-18T10:30:00Z",
                "postmortem_at": "2025-11-20T15:00:00Z",
            }
        ],
        "next": _CURSOR,
    },
    "id,state,severity,…\r\nINC-7,resolved,P1,…\r\n",
)
DEAD_LETTERS = answer(
    "A page of refused events",
    {
        "dead_letters": [
            {
                "source": "/services/web",
                "id": "u-17",
                "time": "2025-11-18T08:59:59Z",
                "reason": "missing_field",
                "detail": "data.feature: is missing",
                "origin": "http",
                "received_at": "2025-11-18T09:00:00Z",
                "count": 1,
                "state": "open",
                "event": '{"specversion": "1.0", "id": "u-17", "source": "/services/web", "data": {}}',
            }
        ],
        "next": _CURSOR,
    },
    "source,id,time,…\r\n/services/web,u-17,,…\r\n",
)
LEDGER = answer(
    "`appended = stored + duplicate + dead_lettered` in every row; what is pending belongs to the whole installation",
    {
        "rows": [
            {"source": "/services/web", "day": "2025-11-18", "appended": 12, "stored": 10, "duplicate": 1, "dead_lettered": 1}
        ],
        "next": _CURSOR,
        "installation": {"pending": 0, "balanced": True},
        "watermark": "2025-11-18T09:00:02.123456Z",
    },
    "source,day,appended,stored,duplicate,dead_lettered\r\n/services/web,2025-11-18,12,10,1,1\r\n",
)
EVENT = answer(
    "`stored`, `dead_letter` (with `reason` and `detail`), `hour_closed` (too long ago to tell), or `not_seen` up to `watermark`",
    {
        "source": "/services/web",
        "id": "u-17",
        "time": "2025-11-18T08:59:59Z",
        "state": "dead_letter",
        "reason": "missing_field",
        "detail": "data.feature: is missing",
        "watermark": "2025-11-18T09:00:02.123456Z",
    },
)
REPORTS = answer(
    "What reports there are, of which window, and which blanks notes can fill",
    {
        "reports": [
            {
                "name": "weekly",
                "title": "Weekly report",
                "window": "week",
                "of_account": False,
                "sections": ["Summary", "Adoption"],
                "blanks": ["summary", "priorities"],
                "formats": ["json", "md", "html", "pdf"],
            }
        ]
    },
)
REPORT: Responses = {
    200: {
        "description": "The report in the format asked for",
        "content": {
            "text/html": {"schema": {"type": "string"}},
            "text/markdown": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"type": "object"}},
        },
    },
    400: problem_response("A parameter is wrong"),
    404: problem_response("There is no such report, or copy"),
}
REPORT_COPY: Responses = {
    201: {"description": "Its number", "content": {"application/json": {"schema": {"type": "object"}, "example": {"id": 17}}}},
    400: problem_response("A parameter is wrong"),
}
REPORT_COPIES = answer(
    "When each was made, of which bounds, and whether its webhook took it",
    {
        "copies": [
            {
                "id": 17,
                "report": "weekly",
                "account": "",
                "due_at": "2025-11-24T06:00:00Z",
                "start_at": "2025-11-17T05:00:00Z",
                "end_at": "2025-11-24T05:00:00Z",
                "made_at": "2025-11-24T06:00:04Z",
                "webhook": "https://hooks.example.com/reports",
                "posted_at": "2025-11-24T06:00:05Z",
                "attempts": 1,
                "failure": "",
            }
        ]
    },
)
