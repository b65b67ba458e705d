"""`make stack` itself: the stack in the foreground until Ctrl-C, with what died started again."""

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from service.errors import TidegaugeError
from tests.e2e.monitoring import DEPLOY
from tests.e2e.stack import PORTS, Stack, free_ports

DIRECTORY = Path(".tidegauge/stack")
LOOK_S = 0.5
LONGEST_LOOK_S = 10.0


def main(
    directory: Annotated[Path, typer.Option(help="Where everything lies: data, configuration, logs")] = DIRECTORY,
    shift: Annotated[int, typer.Option(min=0, max=56_000, help="Added to every port, for a second stack")] = 0,
    free: Annotated[bool, typer.Option("--free-ports", help="Take ports that nobody listens on")] = False,  # noqa: FBT002
    interval_s: Annotated[int | None, typer.Option(min=1, help="Between scrapes; as deploy/prometheus says if left out")] = None,
) -> None:
    """Kafka, Postgres, Prometheus, Alertmanager, two APIs, two aggregators and an evaluator, on this machine."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    ports = free_ports() if free else {name: port + shift for name, port in PORTS.items()}
    try:
        with _only_one(directory):
            _refuse_taken(ports)
            stack = _laid_out(directory, ports, interval_s)
            with stack:
                _say_where(stack)
                _keep(stack)
    except KeyboardInterrupt:
        _say(f"Stopped. The data is kept in {directory}; the next start goes on from here.")


def _laid_out(directory: Path, ports: Mapping[str, int], interval_s: int | None) -> Stack:
    """The stack with the alerts of deploy/ and who is told of them."""
    told = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    stack = Stack(directory, ports=ports, interval_s=interval_s, alertmanager_yml=told, say=_say)
    for file in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        shutil.copy(file, stack.prometheus.rules)
    return stack


def _keep(stack: Stack) -> NoReturn:
    """Start again what ends, ever more slowly what ends at once."""
    pause_s = LOOK_S
    while True:
        time.sleep(pause_s)
        try:
            ended = stack.revive()
        except TidegaugeError as error:  # Postgres does not start: a full disk, say, which passes
            ended = [f"postgres ({error})"]
        for name in ended:
            _say(f"{name} died, and is started again")
        pause_s = min(2 * pause_s, LONGEST_LOOK_S) if ended else LOOK_S


def _say_where(stack: Stack) -> None:
    environment = stack.directory / "environment"
    environment.touch(mode=0o600)
    settings = {name: value for name, value in stack.installation.environment.items() if name.startswith("TIDEGAUGE_")}
    environment.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(settings.items())))
    lines = [f"  {name:12} {stack.address(name)}" for name in stack.ports if name != "kafka"]
    lines += [f"  {'kafka':12} {stack.broker.bootstrap}", f"  {'postgres':12} {stack.postgres.url}"]
    _say("\n".join(["", "The stack is up; Ctrl-C stops it.", *lines]))
    _say(
        "\nIn another terminal:\n"
        f"  . {environment}\n"
        "  tidegauge tenants create NAME --timezone UTC\n"
        "  tidegauge keys create --tenant NAME --scopes ingest,read\n"
        f"  tidegauge rules --output {stack.prometheus.rules} && curl -X POST {stack.prometheus.address}/-/reload\n"
    )


def _refuse_taken(ports: Mapping[str, int]) -> None:
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                _refuse(f"port {port} of {name} is taken: stop what listens there, or add ARGS='--shift 10000'")


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which a killed process loses by itself."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "stack.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            _refuse(f"a stack (process {lock.read().strip()}) runs in {directory}: stop it, or add ARGS='--directory OTHER'")
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _say(sentence: str) -> None:
    typer.echo(sentence)


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"stack: {sentence}", err=True)
    raise typer.Exit(1)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
