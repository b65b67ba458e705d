"""Cases for `promtool test rules`, written by hand, and a run of them.

https://prometheus.io/docs/prometheus/2.42/configuration/unit_testing_rules/ says what the notation of values means.
"""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

TIMEOUT_S = 300
INSTANCES = ("api-1", "api-2")
"""Every instance shows the same: an alert is one all the same."""

Why = Literal["fires", "silent", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """At a minute, how many alerts fire (None: none)."""

    minute: int
    firing: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What becomes of one rule under some series; `rule` are labels that no other rule has."""

    alert: str
    rule: Mapping[str, str]
    why: tuple[Why, ...]
    series: Mapping[str, str]
    checks: Sequence[Check]
    interval: str = "1m"
    alone: str = ""
    """What it may not share a run with has another text here."""
    others: Sequence[tuple[int, str, Sequence[tuple[str, float]]]] = field(default=())
    """More that is asked: minute, expression, samples as (labels, value)."""

    def document(self) -> dict[str, Any]:
        """The case as promtool reads it."""
        labels = {"alertname": self.alert, "alertstate": "firing", **self.rule}
        shown = ",".join(f"{name}={yaml_quoted(value)}" for name, value in labels.items())
        tests = [
            {
                "expr": f"count(ALERTS{{{shown}}})",
                "eval_time": f"{check.minute}m",
                "exp_samples": [{"labels": "{}", "value": check.firing}] if check.firing else [],
            }
            for check in self.checks
        ]
        tests += [
            {
                "expr": expr,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": name, "value": value} for name, value in samples],
            }
            for minute, expr, samples in self.others
        ]
        series = [{"series": name, "values": values} for name, values in self.series.items()]
        return {
            "name": f"{self.alert} {shown}",
            "interval": self.interval,
            "input_series": series,
            "promql_expr_test": tests,
        }


def together(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Cases as promtool reads them; those of the same kinds, which have no series in common, share a run, for each is dear."""
    runs: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for case in cases:
        runs.setdefault((case.why, case.interval, case.alone), []).append(case.document())
    return [
        {
            "name": ", ".join(each["name"] for each in run),
            "interval": run[0]["interval"],
            "input_series": [series for each in run for series in each["input_series"]],
            "promql_expr_test": [test for each in run for test in each["promql_expr_test"]],
        }
        for run in runs.values()
    ]


def yaml_quoted(text: str) -> str:
    """A PromQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def everywhere(name: str, labels: str, values: str) -> dict[str, str]:
    """One series on every instance."""
    return {f'{name}{{{labels},instance="{instance}",job="tidegauge-kpis"}}': values for instance in INSTANCES}


def check_rules(files: Iterable[Path]) -> None:
    """`promtool check rules`, every lint an error."""
    ran("check", "rules", "--lint=all", "--lint-fatal", *map(str, files))


def run_cases(directory: Path, rules: Mapping[str, str], cases: Sequence[Case], *, interval: str = "1m") -> None:
    """Run cases against files of rules, in one go; fails with what promtool says."""
    for name, text in rules.items():
        (directory / name).write_text(text)
    # In the order in which they are given: alerts rest on recordings.
    groups = [group["name"] for text in rules.values() for group in groups_in(text)]
    document = {
        "rule_files": [str(directory / name) for name in rules],
        "evaluation_interval": interval,
        "group_eval_order": groups,
        "tests": together(cases),
    }
    file = directory / "cases.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    ran("test", "rules", str(file))


def groups_in(text: str) -> list[dict[str, Any]]:
    """The groups of a file of rules."""
    found: list[dict[str, Any]] = yaml.safe_load(text)["groups"]
    return found


def rules_in(text: str) -> list[dict[str, Any]]:
    """The rules of a file."""
    return [rule for group in groups_in(text) for rule in group["rules"]]


def ran(*words: str) -> str:
    """What promtool says; fails with all of it where it is not content."""
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"promtool {' '.join(words[:2])}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
