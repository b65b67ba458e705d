"""Prometheus and Alertmanager as plain processes, on the configuration of deploy/, with targets of our own."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.child import Child, answers

DEPLOY = Path(__file__).parents[2] / "deploy"
TIMEOUT_S = 120.0
CONFIGURATION = DEPLOY / "prometheus" / "prometheus.yml"
NOBODY = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
"""A configuration of Alertmanager that shows alerts and tells nobody."""


class Prometheus:
    """A Prometheus in a directory, laid out as deploy/prometheus is; `rules` may be written to before and after the start."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int,
        targets: Mapping[str, Mapping[str, str]],
        token: str,
        interval_s: int | None = None,
    ) -> None:
        """Lay the directory out.

        `targets` are the files of targets/: an address by instance, by the file's name; `interval_s` is the time between
        scrapes and between evaluations of rules (None: as in deploy/).
        """
        self.address = f"http://127.0.0.1:{port}"
        self.rules = directory / "rules"
        self.rules.mkdir(parents=True, exist_ok=True)
        text = CONFIGURATION.read_text(encoding="utf-8")
        if interval_s is not None:
            text = re.sub(r"(scrape|evaluation)_interval: \w+", rf"\1_interval: {interval_s}s", text)
        (directory / "prometheus.yml").write_text(text, encoding="utf-8")
        write_targets(directory / "targets", targets)
        kept = directory / "secrets"
        kept.mkdir(mode=0o700, exist_ok=True)
        (kept / "metrics_token").write_text(token)
        words = [f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}"]
        words += [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle", "--log.level=warn"]
        self.child = Child(
            "prometheus", [_binary("prometheus"), *words], directory, ready=lambda: answers(f"{self.address}/-/ready")
        )

    def reload(self) -> None:
        """Read configuration and rules again; fails with what Prometheus says of them."""
        answer = httpx.post(f"{self.address}/-/reload", timeout=TIMEOUT_S, trust_env=False)
        assert answer.is_success, answer.text

    def get(self, path: str, **parameters: str) -> Any:
        """`data` of an answer of the HTTP API, by its path below /api/v1 (prometheus.io, "HTTP API")."""
        answer = httpx.get(f"{self.address}/api/v1/{path}", params=parameters, timeout=TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query: `metric` and `value` (instant in seconds, text) each."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def up(self) -> dict[tuple[str, str], bool]:
        """What is scraped, by job and instance, and whether the last scrape went well."""
        active = self.get("targets", state="active")["activeTargets"]
        return {(one["labels"]["job"], one["labels"]["instance"]): one["health"] == "up" for one in active}


class Alertmanager:
    """An Alertmanager by itself (no cluster) in a directory."""

    def __init__(self, directory: Path, *, port: int, configuration: str = NOBODY) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.address = f"http://127.0.0.1:{port}"
        file = directory / "alertmanager.yml"
        file.write_text(configuration, encoding="utf-8")
        words = [f"--config.file={file}", f"--storage.path={directory / 'data'}", "--cluster.listen-address="]
        words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        command = [_binary("prometheus-alertmanager", "alertmanager"), *words]
        self.child = Child("alertmanager", command, directory, ready=lambda: answers(f"{self.address}/-/ready"))


def write_targets(directory: Path, targets: Mapping[str, Mapping[str, str]]) -> None:
    """Files of targets (prometheus.io, "file_sd_config"): `{file: {instance: HOST:PORT}}`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, addresses in targets.items():
        groups = [{"targets": [address], "labels": {"instance": instance}} for instance, address in addresses.items()]
        (directory / f"{name}.json").write_text(json.dumps(groups, indent=2) + "\n", encoding="utf-8")


def _binary(*names: str) -> str:
    """The first of these commands that there is: Debian calls one of them otherwise than its makers do."""
    for name in names:
        if found := shutil.which(name):
            return found
    raise RuntimeError(f"{' or '.join(names)} is not installed: run deploy/install-tools.sh, or `make tools`")
