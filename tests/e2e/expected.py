"""Every key of the pilot week's expected figures, in one list: how each is asked for over HTTP, and how close it has to be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.week import HOUR_S, JUDGED, MINUTE_S, Week

Path = tuple[str, ...]
"""Keys from the top of the file to a value."""
ANY = "*"
"""Stands for a name that the file gives: an account, a feature, a severity."""
Close = Callable[[Any, Mapping[str, float]], Any]
TOLERANCES = {"counts", "ratios", "latency_percentiles_relative", "means_relative"}
"""What says how close a figure has to be, and is none itself."""


def exactly(wanted: Any, tolerance: Mapping[str, float]) -> Any:
    """To the last unit."""
    return pytest.approx(wanted, rel=0, abs=tolerance["counts"]) if isinstance(wanted, int) else wanted


def ratio(wanted: Any, tolerance: Mapping[str, float]) -> Any:
    """Shares, and rows that hold one."""
    if isinstance(wanted, list):
        return [ratio(each, tolerance) for each in wanted]
    return pytest.approx(wanted, rel=0, abs=tolerance["ratios"]) if isinstance(wanted, float) else wanted


def mean(wanted: Any, tolerance: Mapping[str, float]) -> Any:
    """Means, and percentiles that interpolate; none where there was nothing."""
    return None if wanted is None else pytest.approx(wanted, rel=tolerance["means_relative"])


def percentile(wanted: Any, tolerance: Mapping[str, float]) -> Any:
    """The nearest rank of a histogram."""
    return pytest.approx(wanted, rel=tolerance["latency_percentiles_relative"])


@dataclass(frozen=True, slots=True)
class Figure:
    """One key, or all of one shape: `read` is given the names that stand where the path has `*`."""

    path: str
    """Keys, parted by `/` because names have dots in them."""
    read: Callable[..., Any]
    close: Close = exactly

    def names(self, path: Path) -> Path | None:
        """The names in a path of this shape; None for any other."""
        keys = tuple(self.path.split("/"))
        if len(keys) != len(path) or any(key not in (ANY, there) for key, there in zip(keys, path, strict=True)):
            return None
        return tuple(there for key, there in zip(keys, path, strict=True) if key == ANY)


def _times(seconds: float | None, unit_s: int) -> float | None:
    return None if seconds is None else seconds / unit_s


def _group(week: Week) -> str:
    groups = week.ask("/v1/config")["config"]["feature_groups"]
    return "; ".join(f"{name} is {' or '.join(features)}" for name, features in groups.items())


FIGURES = (
    Figure("events", lambda week: (week.ledger["stored"] + week.ledger["duplicate"]) / week.copies_sent),
    Figure("unique_events", lambda week: week.ledger["stored"]),
    Figure("window/*", lambda week, name: week.ask("wau")["window"][name]),
    Figure("accounts/invited", lambda week: week.ask("account_activation")["denominator"]),
    Figure("accounts/activated", lambda week: week.ask("account_activation")["numerator"]),
    Figure("accounts/activation_rate", lambda week: week.value("account_activation"), ratio),
    Figure("accounts/time_to_activation_hours_mean", lambda week: week.value("time_to_activation", stat="mean") / HOUR_S, mean),
    Figure("users/provisioned", lambda week: week.ask("user_activation")["denominator"]),
    Figure("users/logged_in", lambda week: week.ask("user_activation")["numerator"]),
    Figure("users/achieved_first_value", lambda week: week.ask("first_value_achieved")["numerator"]),
    Figure("users/achieved_share", lambda week: week.value("first_value_achieved"), ratio),
    Figure("ttfv_minutes/mean", lambda week: week.value("time_to_first_value", stat="mean") / MINUTE_S, mean),
    Figure("ttfv_minutes/p95_interpolated", lambda week: week.value("time_to_first_value", stat="p95") / MINUTE_S, mean),
    Figure(
        "ttfv_minutes/mean_by_account/*",
        lambda week, account: week.cell("time_to_first_value", {"account": account}, stat="mean") / MINUTE_S,
        mean,
    ),
    Figure("dau", lambda week: week.daily("dau")),
    Figure("average_dau_business_days", lambda week: week.value("average_dau", days="business"), mean),
    Figure("average_dau_all_days", lambda week: week.value("average_dau", days="all"), mean),
    Figure("wau", lambda week: week.value("wau")),
    Figure("wau_share_of_provisioned", lambda week: week.value("wau_share"), ratio),
    Figure("stickiness_business_days", lambda week: week.value("stickiness_weekly"), ratio),
    Figure("feature_adoption/*", lambda week, feature: week.cell("feature_adoption", {"feature": feature}), ratio),
    Figure(
        "heatmap/*",
        lambda week, feature: [week.cell("feature_heatmap", {"feature": feature, "weekday": str(day)}) for day in range(1, 8)],
    ),
    Figure("heatmap_totals/*", lambda week, feature: week.cell("feature_heatmap", {"feature": feature}, stat="total")),
    Figure("feature_users_by_account/*/export", lambda week, account: week.users(account, "export", feature="export")),
    Figure("feature_users_by_account/*/*", lambda week, account, feature: week.users(account, feature)),
    Figure("feature_users_by_account_note", _group),
    Figure("funnel/*", lambda week, step: week.step(step), ratio),
    Figure("availability/week", lambda week: week.value("availability"), ratio),
    Figure("availability/downtime_minutes", lambda week: week.value("downtime") / MINUTE_S),
    Figure("availability/daily", lambda week: week.daily("availability"), ratio),
    Figure("requests/daily", lambda week: week.daily("requests")),
    Figure("requests/week", lambda week: week.value("requests")),
    Figure("requests/errors_daily", lambda week: week.daily("error_rate", "numerator")),
    Figure("requests/errors_week", lambda week: week.ask("error_rate")["numerator"]),
    Figure("requests/error_rate", lambda week: week.value("error_rate"), ratio),
    Figure("requests/errors_by_status/*", lambda week, status: week.cell("requests", {"status": status})),
    Figure("requests/latency_ms_mean_daily", lambda week: week.daily("request_latency", stat="mean"), mean),
    Figure("requests/latency_ms/mean", lambda week: week.value("request_latency", stat="mean"), mean),
    Figure("requests/latency_ms/*", lambda week, name: week.value("request_latency", stat=name), percentile),
    Figure("incidents/by_severity/*", lambda week, severity: week.value("incidents", severity=severity)),
    Figure("incidents/false_positives", lambda week: week.value("false_positives")),
    Figure(
        "incidents/mttd_minutes/*",
        lambda week, severity: _times(week.value("mttd", stat="mean", severity=severity), MINUTE_S),
        mean,
    ),
    Figure(
        "incidents/mttr_minutes/*",
        lambda week, severity: _times(week.value("mttr", stat="mean", severity=severity), MINUTE_S),
        mean,
    ),
    Figure("tickets/count", lambda week: week.value("tickets")),
    Figure("tickets/by_category/*", lambda week, category: week.cell("tickets", {"category": category})),
    Figure("tickets/resolution_hours_mean", lambda week: week.value("resolution_time", stat="mean") / HOUR_S, mean),
    Figure("measurements/*/p95", lambda week, meter: week.value("meter", meter=meter, stat="p95"), percentile),
    Figure("measurements/*/*", lambda week, meter, name: week.value("meter", meter=meter, stat=name), mean),
    Figure("sla_scorecard/rows/*", lambda week, name: week.row(name)),
    Figure("sla_scorecard/met", lambda week: week.ask("/v1/scorecards/sla")["met"]),
    Figure("sla_scorecard/of", lambda week: week.ask("/v1/scorecards/sla")["judged"]),
    Figure("status_examples_target_limit/*", lambda week, name: week.judgement(name) if name in JUDGED else "is not asked for"),
)
"""The first that fits a path reads it."""


def paths(tree: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of the file that is no table, with its path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from paths(value, (*above, key))
        else:
            yield (*above, key), value


def reader_of(path: Path) -> tuple[Figure, Path] | None:
    """What reads a path, and the names in it; None where nothing does."""
    for figure in FIGURES:
        if (names := figure.names(path)) is not None:
            return figure, names
    return None
