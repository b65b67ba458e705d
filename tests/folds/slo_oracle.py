"""What an event comes to for SLOs, again, in plain Python: one event and one SLO at a time."""

from collections.abc import Iterator, Mapping

from service.domain.families.rows import Row
from service.domain.foldconfig import FoldConfig
from service.domain.slo import Selection

LIVE_US = 15 * 60 * 1_000_000
FINALS = {"delivered", "failed", "dead_lettered"}


def counts_for(
    config: FoldConfig, kind: str, row: Row, dims: Mapping[str, str], value: int | None
) -> Iterator[tuple[str, str, bool]]:
    """Each SLO that the event counts for: its name, why it is excluded, whether it is good."""
    for slo in config.slos:
        good = is_good(slo, kind, dims, value)
        if good is not None and all(allows(name, set(values), slo, row, dims) for name, values in slo.where):
            yield slo.name, dims.get("excluded", ""), good


def is_good(slo: Selection, kind: str, dims: Mapping[str, str], value: int | None) -> bool | None:
    """None where the SLO is about something else."""
    if slo.kind == "delivery_on_time" and kind == "delivery" and dims["outcome"] in FINALS:
        return dims["outcome"] == "delivered" and (dims["limited"] == "" or dims["on_time"] == "true")
    if slo.kind == "request_success" and kind == "request":
        return dims["status"] != "timeout" and int(dims["status"]) < 500
    if slo.kind == "usage" and kind == "usage":
        return dims["ok"] == ""
    if (slo.kind, kind) in {("request_latency", "request"), ("meter", "meter")}:
        assert value is not None
        assert slo.bound is not None
        return {"<=": value <= slo.bound, "<": value < slo.bound, ">=": value >= slo.bound, ">": value > slo.bound}[
            slo.comparison
        ]
    return None


def allows(name: str, values: set[str], slo: Selection, row: Row, dims: Mapping[str, str]) -> bool:
    if name == "account":
        everyones = slo.kind in {"request_success", "request_latency"} and row.account == ""
        return row.account in values or everyones
    return dims.get(name, "") in values


def is_live(row: Row, time_us: int) -> bool:
    return not row.backfill and row.received_us - time_us <= LIVE_US
