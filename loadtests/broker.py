"""A Kafka broker to measure at: the tests' own, with a compiler and a heap as one that serves for hours has."""

from pathlib import Path

from tests.broker import JARS, Broker

HEAP = "512m"


class MeasuredBroker(Broker):
    """One broker on 127.0.0.1, acknowledged records in the page cache (a single node, as Kafka is run)."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        logging = directory / "log4j2.properties"
        options = [f"-Xms{HEAP}", f"-Xmx{HEAP}", "-XX:+UseSerialGC", f"-Dlog4j.configurationFile={logging}"]
        self._java = [self._java[0], *options, "-cp", f"{JARS}/*"]

    @property
    def pid(self) -> int:
        """The broker's process."""
        if self._process is None:
            raise RuntimeError("the broker does not run: start it first")
        return self._process.pid

    @property
    def version(self) -> str:
        """Kafka's version, as its own jar is named."""
        return next(JARS.glob("kafka-clients-*.jar")).stem.removeprefix("kafka-clients-")
