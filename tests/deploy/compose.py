"""docker-compose.yml as the Compose Specification's own checker reads it, with an environment put in."""

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
ENVIRONMENT: Mapping[str, str] = {
    "POSTGRES_PASSWORD": "p" * 48,
    "KAFKA_CLUSTER_ID": "A" * 22,
    "METRICS_TOKEN": "t" * 64,
    "GRAFANA_ADMIN_PASSWORD": "g" * 32,
}
"""What deploy/make-env.sh draws by chance."""
OURS = "tidegauge:"
"""What our own image's name begins with."""
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<how>[?-])(?P<words>[^}]*))?\}")


class MissingVariable(Exception):
    """A variable has no value, and the file says what to do."""


def checker() -> Path:
    """The tool that deploy/install-tools.sh builds."""
    found = sorted((ROOT / "build" / "compose").glob("compose-spec-*"))
    if not found:
        raise RuntimeError("these tests need the Compose Specification's checker: run deploy/install-tools.sh, or `make tools`")
    return found[-1]


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    """What the checker says of a file; references and merges are resolved, variables are left as they are."""
    words = [str(checker()), "--no-interpolation", "--format", "json", str(file)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@cache
def _read() -> str:
    done = checked(FILE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def project(environment: Mapping[str, str] = ENVIRONMENT) -> dict[str, Any]:
    """The whole file; raises MissingVariable."""
    found: dict[str, Any] = json.loads(
        _read(), object_hook=lambda read: {name: _put(value, environment) for name, value in read.items()}
    )
    return found


def services(environment: Mapping[str, str] = ENVIRONMENT) -> dict[str, Any]:
    """The services by their names."""
    found: dict[str, Any] = project(environment)["services"]
    return found


def own_services() -> dict[str, Any]:
    """Those of our own image."""
    return {name: each for name, each in services().items() if each["image"].startswith(OURS)}


def variables() -> dict[str, str]:
    """Every variable of the file: `?` where it must have a value, else `-`."""
    return {found["name"]: found["how"] for found in _VARIABLE.finditer(_read())}


def _put(value: Any, environment: Mapping[str, str]) -> Any:
    """Variables in texts by their values (docs.docker.com, "Interpolation")."""
    if isinstance(value, list):
        return [_put(each, environment) for each in value]
    if not isinstance(value, str):
        return value

    def one(found: re.Match[str]) -> str:
        given = environment.get(found["name"], "")
        if not given and found["how"] == "?":
            raise MissingVariable(f"{found['name']}: {found['words']}")
        return given or (found["words"] if found["how"] == "-" else "") or ""

    return _VARIABLE.sub(one, value)


def command_lines(text: str) -> list[str]:
    """The lines of the shell that a page shows, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [said for block in blocks for line in block.splitlines() if (said := re.split(r"\s+#", line)[0].strip())]
