"""The pilot week over HTTP: what the list of its figures asks for."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

END = "2025-11-24T00:00:00Z"
BOUNDS = {"start": "2025-11-17T00:00:00Z", "end": END, "step": "1d"}
WITHOUT_WINDOW = ("/v1/config", "/v1/ledger")
MINUTE_S, HOUR_S = 60, 3_600
JUDGED: Mapping[str, tuple[str, dict[str, str]]] = {
    "wau_share_of_provisioned": ("wau_share", {}),
    "feature_adoption.csv_export": ("feature_adoption", {"feature": "csv_export"}),
    "feature_adoption.vis": ("feature_adoption", {"feature": "vis"}),
    "feature_adoption.audit_mode": ("feature_adoption", {"feature": "audit_mode"}),
    "ttfv_mean_minutes": ("time_to_first_value", {"stat": "mean"}),
}
ROWS: Mapping[str, str] = {
    "availability": "availability",
    "request_latency_p95_ms": "request_latency.p95",
    "page_load_p95_s": "meter.p95{meter=page_load.dashboard}",
    "error_rate": "error_rate",
    "mttr_p2_minutes": "mttr.mean{severity=P2}",
    "p0_p1_incidents": "incidents{severity=P0,P1}",
}
IN_MINUTES = {"ttfv_mean_minutes", "mttr_p2_minutes"}
"""Rows whose target the file gives in minutes, where the KPI's unit is the second."""


class Week:
    """The week over HTTP; each question is asked once."""

    def __init__(self, get: Callable[..., Any], *, copies_sent: int) -> None:
        self._get = get
        self._answers: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
        self.copies_sent = copies_sent
        """How often the whole file was sent."""

    def ask(self, name: str, **parameters: str) -> Any:
        """The answer of a KPI for the week, or of a path."""
        place = (name, tuple(sorted(parameters.items())))
        if place not in self._answers:
            path = name if name.startswith("/") else f"/v1/kpis/{name}"
            week = {} if name in WITHOUT_WINDOW or "step" in parameters else {"window": "week", "end": END}
            self._answers[place] = self._get(path, **week, **parameters)
        return self._answers[place]

    def value(self, kpi: str, **parameters: str) -> Any:
        """A KPI's value."""
        return self.ask(kpi, **parameters)["value"]

    def daily(self, kpi: str, member: str = "value", **parameters: str) -> list[Any]:
        """A member of each day's point."""
        return [point[member] for point in self.ask(f"/v1/kpis/{kpi}/series", **BOUNDS, **parameters)["points"]]

    def cell(self, kpi: str, dims: Mapping[str, str], **parameters: str) -> Any:
        """A row's value of a KPI that is split by these dimensions; 0 where there is no row."""
        rows = self.ask(kpi, by=",".join(dims), **parameters)["rows"]
        return next((row["value"] for row in rows if row["dims"].items() >= dims.items()), 0)

    def users(self, account: str, used: str, **parameters: str) -> Any:
        """How many of an account's users used a feature; a group's are asked for by its name."""
        return self.cell("feature_users", {"account": account, "feature": used}, **parameters)

    def judgement(self, name: str) -> list[Any]:
        """What a value is compared with, and its status."""
        kpi, parameters = JUDGED[name]
        answer = self.ask(kpi, **parameters)
        unit = MINUTE_S if name in IN_MINUTES else 1
        return [answer["op"], answer["target"] / unit, answer["limit"] / unit, answer["status"]]

    def row(self, name: str) -> list[Any]:
        """The same of a scorecard's row, which has no limit."""
        rows = self.ask("/v1/scorecards/sla")["rows"]
        row = next(each for each in rows if each["row"] == ROWS[name])
        return [row["op"], row["target"] / (MINUTE_S if name in IN_MINUTES else 1), row["status"]]

    def step(self, name: str) -> list[Any]:
        """A step of the funnel: users or accounts, the step that it is a share of, the share."""
        dims = {"step": name}
        declared = next(each for each in self.ask("/v1/config")["config"]["funnel"] if each["name"] == "pilot")["steps"]
        base = next(each for each in declared if each["name"] == name).get("base")
        return [self.cell("funnel", dims, funnel="pilot"), base, self.cell("funnel", dims, funnel="pilot", stat="share")]

    @cached_property
    def ledger(self) -> Mapping[str, int]:
        """Events by what became of them."""
        rows = self.ask("/v1/ledger")["rows"]
        return {outcome: sum(row[outcome] for row in rows) for outcome in ("stored", "duplicate", "dead_lettered")}
