"""Three brokers of the tests' own, each a controller as well: small, on ports of 127.0.0.1, killed and started one by one."""

import asyncio
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

from service.supervisor import free_ports
from tests.broker import JARS

NODES = (1, 2, 3)
START_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 180.0

_PROPERTIES = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=3
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=3
share.coordinator.state.topic.replication.factor=3
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
"""


class Cluster:
    """Three nodes; one that is killed keeps its port and its data."""

    def __init__(self, directory: Path) -> None:
        java = shutil.which("java")
        if java is None or not JARS.is_dir():
            raise RuntimeError("these tests need a Kafka broker: run deploy/install-tools.sh, which fetches it, or `make tools`")
        self._java = [java, "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*"]
        ports = free_ports(2 * len(NODES))
        self._ports = dict(zip(NODES, ports, strict=False))
        self._directories = {node: directory / str(node) for node in NODES}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        controllers = dict(zip(NODES, ports[len(NODES) :], strict=True))
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in controllers.items())
        identity = str(uuid.uuid4())
        for node, place in self._directories.items():
            place.mkdir(parents=True)
            words = {"node": node, "port": self._ports[node], "controller": controllers[node], "voters": voters}
            (place / "server.properties").write_text(_PROPERTIES.format(directory=place, **words))
            command = [*self._java, "kafka.tools.StorageTool", "format", "-t", identity, "-c", str(place / "server.properties")]
            subprocess.run(command, check=True, capture_output=True, timeout=START_TIMEOUT_S)

    @property
    def bootstrap(self) -> str:
        """All three: a client must begin somewhere when one is dead."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def start(self, *nodes: int) -> None:
        """Start nodes, all at once, and wait until their ports answer."""
        for node in nodes:
            place = self._directories[node]
            with (place / "output.log").open("ab") as output:
                command = [*self._java, "kafka.Kafka", str(place / "server.properties")]
                self._processes[node] = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + START_TIMEOUT_S
        for node in nodes:
            while not self._answers(node):
                assert time.monotonic() < deadline, (self._directories[node] / "output.log").read_text()[-2_000:]
                time.sleep(0.1)

    def kill(self, node: int) -> None:
        """SIGKILL, in the middle of whatever it does."""
        process = self._processes.pop(node)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """Stop all that run."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    async def restart(self, *nodes: int) -> None:
        """Start nodes beside whatever else goes on."""
        await asyncio.to_thread(self.start, *nodes)

    def _answers(self, node: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self._ports[node])) == 0
