"""docker-compose.yml is what the Compose Specification says, and all that it names exists in the project."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from service import settings as environment
from service.cli.commands import COMMANDS
from service.expose import process
from service.store.embedded import SETTINGS
from tests.deploy.compose import ENVIRONMENT, FILE, ROOT, MissingVariable, checked, own_services, project, services, variables

ROLES = {"api-1", "api-2", "aggregate-1", "aggregate-2", "evaluate", "source"}
PARTS = {"postgres", "kafka", "prometheus", "alertmanager", "grafana"}
ONCE = {"migrate", "rules"}


def command_of(service: dict[str, Any]) -> list[str]:
    return cast(list[str], service.get("command") or [])


def port_of(name: str) -> int:
    """What a service listens on, as its own settings say."""
    service = services()[name]
    said = " ".join(command_of(service)) + " " + " ".join(map(str, service.get("environment", {}).values()))
    match name:
        case "postgres":
            return 5432
        case "kafka":
            return int(re.search(r"PLAINTEXT://:(\d+)", said)[1])  # type: ignore[index]
        case "prometheus" | "alertmanager" | "grafana":
            return {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000}[name]  # their images' own
        case _:
            setting = "TIDEGAUGE_PORT" if command_of(service) == ["api"] else "TIDEGAUGE_OPS_PORT"
            return int(service["environment"][setting])


def test_it_has_every_role_and_all_that_they_stand_on() -> None:
    assert set(services()) == ROLES | PARTS | ONCE


def test_the_checker_refuses_a_word_that_the_specification_does_not_have(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text().replace("healthcheck:", "health_check:"))
    done = checked(wrong)
    assert done.returncode != 0
    assert "health_check" in done.stderr


@pytest.mark.parametrize("name", sorted(own_services()))
def test_our_own_settings_are_taken_by_the_service_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in own_services()[name]["environment"].items():
        monkeypatch.setenv(variable, value)
    settings = environment.load()
    assert urlsplit(settings.database_url or "").hostname == "postgres"
    assert settings.kafka_bootstrap == f"kafka:{port_of('kafka')}"
    assert settings.host == "0.0.0.0"  # noqa: S104  # within the network of the file
    assert settings.metrics_token.get_secret_value() == ENVIRONMENT["METRICS_TOKEN"]
    assert ENVIRONMENT["POSTGRES_PASSWORD"] not in (settings.database_url or "")


def test_our_own_commands_are_commands() -> None:
    for name, service in own_services().items():
        assert command_of(service)[0] in COMMANDS, name
        assert "entrypoint" not in service


def test_every_role_is_asked_whether_it_is_ready_where_it_listens() -> None:
    routes = {route.path for route in process.router(CollectorRegistry(), role="test", checks={}, siblings={}).routes}  # type: ignore[attr-defined]
    for name in ROLES:
        probe = services()[name]["healthcheck"]["test"]
        assert probe[:2] == ["CMD", "python"]
        compile(probe[-1], name, "exec")
        url = urlsplit(re.search(r"http://[^']+", probe[-1])[0])  # type: ignore[index]
        assert (url.hostname, url.port) == ("127.0.0.1", port_of(name))
        assert url.path == "/readyz"
        assert url.path in routes


def test_the_others_are_asked_where_they_listen() -> None:
    for name in ("prometheus", "alertmanager", "grafana"):
        url = urlsplit(services()[name]["healthcheck"]["test"][-1])
        assert (url.hostname, url.port) == ("127.0.0.1", port_of(name))
    assert services()["kafka"]["healthcheck"]["test"][-1] == str(port_of("kafka"))
    user, database = (services()["postgres"]["environment"][name] for name in ("POSTGRES_USER", "POSTGRES_DB"))
    assert {f"--username={user}", f"--dbname={database}"} <= set(services()["postgres"]["healthcheck"]["test"])
    address = urlsplit(services()["api-1"]["environment"]["TIDEGAUGE_DATABASE_URL"])
    assert (address.username, address.port, address.path) == (user, port_of("postgres"), f"/{database}")


def test_who_waits_for_another_waits_for_something_that_comes() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            awaited = services()[other]
            if how["condition"] == "service_healthy":
                assert "test" in awaited["healthcheck"], f"{name} waits for {other}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert awaited["restart"] == "no", f"{name} waits for the end of {other}"
    for name in ROLES:
        assert set(services()[name]["depends_on"]) == {"migrate", "postgres", "kafka"}


def test_nothing_can_be_reached_from_another_machine() -> None:
    published = {}
    for name, service in services().items():
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name
            assert port["target"] == port_of(name), name
            published[name] = int(port["published"])
        assert service.get("network_mode") is None
        assert not service.get("privileged")
    assert set(published) == {"api-1", "api-2", "prometheus", "alertmanager", "grafana"}
    assert len(set(published.values())) == len(published)
    assert project()["networks"]["inside"]["internal"] is True
    for name in ("postgres", "kafka", "migrate", "rules", "aggregate-1", "aggregate-2", "source"):
        assert set(services()[name]["networks"]) == {"inside"}


def test_there_is_no_password_until_one_was_drawn() -> None:
    assert {name for name, how in variables().items() if how == "?"} == set(ENVIRONMENT)
    for name in ENVIRONMENT:
        with pytest.raises(MissingVariable, match=f"{name}.*deploy/make-env.sh"):
            project({key: value for key, value in ENVIRONMENT.items() if key != name})
    secret = re.compile(r"PASSWORD|TOKEN|SECRET")
    for service in services({name: f"${name}" for name in ENVIRONMENT}).values():
        for name, value in service.get("environment", {}).items():
            assert not secret.search(name) or value == "" or value.removeprefix("$") in ENVIRONMENT, name


def test_the_environment_that_is_written_has_every_variable_and_is_not_written_twice(tmp_path: Path) -> None:
    script, file = ROOT / "deploy" / "make-env.sh", tmp_path / "env"
    subprocess.run([script, file], check=True, capture_output=True, timeout=60)
    assert file.stat().st_mode & 0o077 == 0
    written = dict(line.split("=", 1) for line in file.read_text().splitlines() if not line.startswith("#"))
    assert set(written) == set(variables())
    assert all(len(written[name]) >= 22 for name in ENVIRONMENT)
    assert len({written[name] for name in ENVIRONMENT}) == len(ENVIRONMENT)
    project(written)
    assert environment.Settings(metrics_token=SecretStr(written["METRICS_TOKEN"])).metrics_token
    before = file.read_text()
    subprocess.run([script, file], check=True, capture_output=True, timeout=60)
    assert file.read_text() == before
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_file_that_is_mounted_is_in_the_project_and_cannot_be_written_to() -> None:
    mounted = 0
    for name, service in services().items():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                mounted += 1
                assert volume["read_only"], name
                assert Path(volume["source"]).exists(), f"{name} mounts {volume['source']}"
                assert Path(volume["source"]).is_relative_to(ROOT / "deploy")
            else:
                assert volume["source"] in project()["volumes"], name
    assert mounted >= 5
    assert {
        volume["source"] for each in services().values() for volume in each.get("volumes", []) if volume["type"] != "bind"
    } == set(project()["volumes"])


def test_grafana_finds_its_dashboards_and_every_variable_of_its_data_sources() -> None:
    grafana = services()["grafana"]
    targets = {volume["target"]: Path(volume["source"]) for volume in grafana["volumes"] if volume["type"] == "bind"}
    provisioning = targets["/etc/grafana/provisioning"]
    named = set(re.findall(r"\$\{([A-Z_]+)\}", (provisioning / "datasources" / "tidegauge.yml").read_text()))
    assert named
    assert named <= set(grafana["environment"])
    interval = re.search(r"timeInterval: (\S+)", (provisioning / "datasources" / "tidegauge.yml").read_text())
    assert interval is not None
    assert f"scrape_interval: {interval[1]}\n" in (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    path = re.search(r"path: (\S+)", (provisioning / "dashboards" / "tidegauge.yml").read_text())
    assert path is not None
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (targets[path[1]] / Path(home).name).is_file()


def test_every_service_is_bounded_and_says_what_it_is_made_of() -> None:
    for name, service in services().items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        assert service["logging"]["options"]["max-size"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z]+)?$", service["image"]), f"{name}: {service['image']} is no version"


def test_our_own_containers_write_nowhere_but_in_memory_and_have_no_rights() -> None:
    for name, service in own_services().items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert [each.partition(":")[0] for each in service["tmpfs"]] == ["/tmp"], name  # noqa: S108
        assert service["build"]["dockerfile"] == "deploy/Dockerfile"


def test_versions_are_those_that_the_project_is_tested_with() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {each["image"] for each in own_services().values()} == {f"tidegauge:{version}"}
    kafka = re.search(
        r"<artifactId>kafka_2.13</artifactId>\s*<version>([\d.]+)<", (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    )
    assert kafka is not None
    assert services()["kafka"]["image"] == f"apache/kafka:{kafka[1]}"


def test_postgres_is_set_as_the_embedded_one_is() -> None:
    words = command_of(services()["postgres"])
    said = dict(word.split("=", 1) for flag, word in zip(words[1::2], words[2::2], strict=True) if flag == "-c")
    own = {"shared_buffers", "max_connections"}  # more of both: it has more clients, and memory of its own
    for name, value in said.items():
        assert name in own or SETTINGS[name] == value, name


def test_promtool_takes_the_configuration_as_prometheus_sees_it(tmp_path: Path) -> None:
    for volume in services()["prometheus"]["volumes"]:
        if volume["type"] == "bind":
            target = tmp_path / Path(volume["target"]).relative_to("/etc/prometheus")
            (shutil.copytree if Path(volume["source"]).is_dir() else shutil.copy)(volume["source"], target)
    [secret] = services()["prometheus"]["secrets"]
    token = tmp_path / Path(secret["target"]).relative_to("/etc/prometheus")
    token.parent.mkdir()
    token.write_text(ENVIRONMENT["METRICS_TOKEN"])
    done = subprocess.run(
        ["promtool", "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
