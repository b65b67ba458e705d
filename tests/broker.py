"""A Kafka broker of the tests' own: one node (KRaft), on ports of 127.0.0.1, that may be killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

from service.supervisor import free_ports

JARS = Path(__file__).parent.parent / "build" / "kafka" / "lib"
USER = "tidegauge"
PASSWORD = "told-to-the-tests"  # noqa: S105
START_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 180.0

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{guarded}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={directory}/broker.pem
log.dirs={directory}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""
_LOGGING = """
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = {directory}/broker.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{{1}} %m%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


class Broker:
    """One broker in a directory of its own; it keeps its port and its data from start to start.

    A directory that a broker had before is gone on with.
    """

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.directory = directory
        free, self.guarded_port, controller = free_ports(3)
        self.port = port or free
        self.ca_file = directory / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None
        java = shutil.which("java")
        if java is None or not JARS.is_dir():
            raise RuntimeError("these tests need a Kafka broker: run deploy/install-tools.sh, which fetches it, or `make tools`")
        logging = directory / "log4j2.properties"
        logging.write_text(_LOGGING.format(directory=directory))
        self._properties = directory / "server.properties"
        self._properties.write_text(
            _PROPERTIES.format(port=self.port, guarded=self.guarded_port, controller=controller, directory=directory)
        )
        self._make_certificate()
        options = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j.configurationFile={logging}"]
        self._java = [java, *options, "-cp", f"{JARS}/*"]
        if not (directory / "data" / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        identity = str(uuid.uuid4())
        words = ["kafka.tools.StorageTool", "format", "-t", identity, "-c", str(self._properties)]
        words += ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        made = subprocess.run([*self._java, *words], check=False, capture_output=True, text=True, timeout=START_TIMEOUT_S)
        if made.returncode:
            raise RuntimeError(f"the broker's directory cannot be made: {made.stdout}{made.stderr}")

    @property
    def command(self) -> list[str]:
        """What runs it."""
        return [*self._java, "kafka.Kafka", str(self._properties)]

    @property
    def bootstrap(self) -> str:
        """Where clients begin."""
        return f"127.0.0.1:{self.port}"

    @property
    def guarded_bootstrap(self) -> str:
        """Where clients begin that speak TLS and prove themselves as USER with PASSWORD."""
        return f"127.0.0.1:{self.guarded_port}"

    def start(self) -> None:
        """Start, and wait until the port answers."""
        with (self.directory / "output.log").open("ab") as output:
            self._process = subprocess.Popen(self.command, stdout=output, stderr=output)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the broker did not start: {(self.directory / 'output.log').read_text()[-2_000:]}")

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it, if it runs."""
        self._end(signal.SIGTERM)

    def _make_certificate(self) -> None:
        """A certificate that signs itself, and the broker's key with it in one file."""
        key = self.directory / "key.pem"
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(self.ca_file)]
        subprocess.run(["openssl", *words], check=True, capture_output=True)
        (self.directory / "broker.pem").write_text(key.read_text() + self.ca_file.read_text())

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        os.kill(process.pid, number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
