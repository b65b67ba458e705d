"""What Prometheus scrapes in a deployment is there, is scraped by itself, and is what `make stack` scrapes, too."""

import json
import re
from pathlib import Path

import yaml

from tests.deploy.compose import ROOT, own_services, services
from tests.deploy.test_compose import port_of
from tests.e2e.stack import ROLES, files_of_targets

PROMETHEUS = ROOT / "deploy" / "prometheus"
CONFIGURATION = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
JOBS = {job["job_name"]: job for job in CONFIGURATION["scrape_configs"]}


def files_of(job: str) -> list[Path]:
    return [PROMETHEUS / file for found in JOBS[job]["file_sd_configs"] for file in found["files"]]


def targets_of(*files: Path) -> dict[str, str]:
    """Addresses by instance."""
    groups = [group for file in files for group in json.loads(file.read_text())]
    return {group["labels"]["instance"]: target for group in groups for target in group["targets"]}


def test_each_process_is_scraped_by_itself_where_it_listens() -> None:
    running = {name for name, service in own_services().items() if service["restart"] != "no"}
    assert targets_of(*files_of("tidegauge")) == {name: f"{name}:{port_of(name)}" for name in running}


def test_the_kpis_are_scraped_from_each_api_with_the_token() -> None:
    apis = {name for name, service in own_services().items() if service["command"] == ["api"]}
    assert set(targets_of(*files_of("tidegauge-kpis"))) == apis
    assert JOBS["tidegauge-kpis"]["metrics_path"] == "/metrics/kpis"
    [secret] = services()["prometheus"]["secrets"]
    assert secret["target"] == f"/etc/prometheus/{JOBS['tidegauge-kpis']['authorization']['credentials_file']}"


def test_who_watches_is_watched_and_alerts_go_to_the_alertmanager() -> None:
    watched = targets_of(*files_of("monitoring"))
    assert watched == {
        "prometheus": f"127.0.0.1:{port_of('prometheus')}",
        "alertmanager": f"alertmanager:{port_of('alertmanager')}",
    }
    [alertmanagers] = CONFIGURATION["alerting"]["alertmanagers"]
    [files] = alertmanagers["file_sd_configs"]
    assert targets_of(*(PROMETHEUS / file for file in files["files"])) == {"alertmanager": watched["alertmanager"]}


def test_every_file_of_targets_is_read_and_make_stack_writes_the_same_ones() -> None:
    named = {file.name for job in JOBS for file in files_of(job)}
    assert {file.name for file in (PROMETHEUS / "targets").iterdir()} == named
    files = files_of_targets(lambda name: f"127.0.0.1:{name}")
    assert {f"{name}.json" for name in files} == named
    assert {*files["api"], *files["roles"]} == set(ROLES)
    assert {*files["api"], *files["roles"]} <= set(services())


def test_rules_name_jobs_that_are_scraped() -> None:
    assert CONFIGURATION["rule_files"] == ["rules/*.yml"]
    [rules] = [volume for volume in services()["prometheus"]["volumes"] if volume["target"] == "/etc/prometheus/rules"]
    written = services()["rules"]
    assert rules["source"] == written["volumes"][0]["source"]
    assert written["volumes"][0]["target"] == written["command"][written["command"].index("--output") + 1]
    named: set[tuple[str, str]] = set()
    for file in (PROMETHEUS / "rules").glob("*.yml"):
        named |= set(re.findall(r'job(=~?)"([^"]*)"', file.read_text()))
    for operator, job in named:
        assert any(re.fullmatch(job, known) if operator == "=~" else job == known for known in JOBS), job
