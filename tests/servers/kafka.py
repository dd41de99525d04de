"""A Kafka broker of the tests' own: Apache Kafka in KRaft mode, one node, its jars from `kafka_artifacts.sh`."""

from __future__ import annotations

import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest

from tests.needs import lacks, needs
from tests.servers.server import HOST, Server, free_port

_POM = Path(__file__).with_name("kafka-pom.xml")
_CLUSTER = "duco_rt_tests_kafka_0g"
# Two cores and a heap of this size suffice for what tests do; the archive of classes halves the time of a start.
_JAVA = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_LOG_LEVEL = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # A broker that was killed is let in again when its session has run out, and asks at each heartbeat. One that only
    # waits for its turn on a loaded machine must not lose its session: its partitions would have no leader.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "100",
    "controller.quorum.election.timeout.ms": "100",
    "controller.quorum.election.backoff.max.ms": "50",
    "controller.quorum.append.linger.ms": "0",
    "log.index.size.max.bytes": "65536",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "group.coordinator.threads": "1",
}
_prefixes = count(1)


def prefix() -> str:
    """A name for a test's topics and groups that no other test of this session has."""
    return f"t{next(_prefixes)}"


def home() -> Path:
    """The folder of the jars, of a formatted store and of the archive of classes; without it the test skips."""
    found = re.search(r"<kafka\.version>(.*)</kafka\.version>", _POM.read_text())
    assert found
    folder = Path(os.environ.get("DUCO_KAFKA_DIR") or Path.home() / ".cache" / "duco_rt" / f"kafka-{found[1]}")
    if not (folder / "jars").is_dir():
        lacks("Kafka", "tests/servers/kafka_artifacts.sh fetches it; that needs maven, default-jre-headless")
    return folder


class KafkaServer(Server):
    """Its data survive a kill. `listeners` come beside the plain one; `settings` are lines of server.properties."""

    start_s = 60.0

    def __init__(
        self,
        folder: Path,
        *,
        listeners: str = "",
        settings: dict[str, str] | None = None,
        java: Sequence[str] | None = None,
    ) -> None:
        super().__init__(folder)
        self._java = [str(needs("java")), *_JAVA, _LOG_LEVEL]
        self._classes = ["-cp", f"{home() / 'jars'}/*"]
        if java is None:
            java = (f"-XX:SharedArchiveFile={_archive()}",)
        self._options = java
        self._controller_port = free_port()
        self._listeners = [listeners] if listeners else []
        self._settings = settings or {}

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Format the store the first time, then run."""
        own = [f"PLAINTEXT://{self.bootstrap_servers}", f"CONTROLLER://{HOST}:{self._controller_port}"]
        lines = {
            **_SETTINGS,
            "listeners": ",".join([*own, *self._listeners]),
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "log.dirs": str(self.folder / "data"),
            **self._settings,
        }
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        if not (self.folder / "data").exists():
            self._format(properties)
        return [*self._java, *self._options, *self._classes, "kafka.Kafka", str(properties)]

    def answers(self) -> bool:
        """Whether it answers a request of its protocol; it lets requests in when its partitions have their leader."""
        request = struct.pack(">hhih", 18, 0, 1, -1)  # ApiVersions, version 0, correlation 1, no client id
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                return len(connection.recv(4)) == 4
        except OSError:
            return False

    def _format(self, properties: Path) -> None:
        """The tool takes as long as the broker: its result is kept. Nothing in it depends on the folder or a port."""
        formatted = home() / "formatted"
        if not formatted.exists():
            tool = ["kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, "--config", str(properties)]
            subprocess.run([*self._java, *self._classes, *tool], check=True, capture_output=True, timeout=60)
            with tempfile.TemporaryDirectory(dir=home()) as half:
                shutil.copytree(self.folder / "data", Path(half) / "data")
                try:
                    (Path(half) / "data").rename(formatted)
                except OSError:
                    if not formatted.exists():  # else another worker's test has just put its own there
                        raise
        else:
            shutil.copytree(formatted, self.folder / "data")


def _archive() -> Path:
    """The classes that a broker loads, made by a first broker that ends in order; a broker does without it too."""
    archive = home() / "classes.jsa"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=home()) as half:
            made = Path(half) / "classes.jsa"
            KafkaServer(Path(half) / "broker", java=(f"-XX:ArchiveClassesAtExit={made}",)).start().stop()
            if made.exists():
                made.rename(archive)
    return archive


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One broker for all tests that leave it running; each takes a `prefix()` of its own."""
    server = KafkaServer(tmp_path_factory.mktemp("kafka")).start()
    yield server
    server.kill()
