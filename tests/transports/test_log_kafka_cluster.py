"""Topics, login and what `check` says."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from duco_rt.errors import ConfigError, TransportError
from duco_rt.transports.log_kafka_cluster import Cluster, Login
from tests.needs import needs
from tests.servers.kafka import KafkaServer, prefix
from tests.servers.server import HOST, free_port


async def partitions(kafka: KafkaServer, *topics: str) -> list[int]:
    """How many each topic has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics(list(topics))}
    await admin.close()
    return [found[topic] for topic in topics]


@pytest.mark.servers
async def test_missing_topics_are_made_and_others_left_alone(kafka: KafkaServer) -> None:
    """With as many partitions as was asked for; two processes may do it at once."""
    there, missing = prefix(), prefix()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(there, 2, 1)])
    await admin.close()
    clusters = [Cluster(kafka.bootstrap_servers, "test", Login(), 5, 1) for _ in range(3)]
    await asyncio.gather(*(cluster.ensure([there, missing]) for cluster in clusters))
    assert await partitions(kafka, there, missing) == [2, 5]
    await clusters[0].check()


@pytest.mark.servers
async def test_a_topic_that_cannot_be_made_is_named(kafka: KafkaServer) -> None:
    """With the broker's reason."""
    name = prefix()
    with pytest.raises(TransportError, match=rf"{kafka.bootstrap_servers}: topics: .*{name} .*[Rr]eplication"):
        await Cluster(kafka.bootstrap_servers, "test", Login(), 1, 3).ensure([name])


@pytest.mark.servers  # it waits
async def test_check_tells_within_two_seconds_what_is_wrong() -> None:
    """Nobody there, or somebody who does not answer."""
    with socket.create_server((HOST, 0)) as silent:
        for port, why in ((1, "Unable to bootstrap"), (silent.getsockname()[1], "no answer in time")):
            async with asyncio.timeout(5):
                with pytest.raises(TransportError, match=f"kafka at {HOST}:{port}: check: .*{why}"):
                    await Cluster(f"{HOST}:{port}", "test", Login(), 1, 1).check()


def test_the_login_is_what_the_driver_wants(tmp_path: Path) -> None:
    """Without user and file there is no TLS; a file that is none is a wrong configuration."""
    assert Login().options() == {}
    options = Login("duco", "secret").options()
    assert (options["security_protocol"], options["sasl_plain_password"]) == ("SASL_SSL", "secret")
    (tmp_path / "no.pem").write_text("no")
    for name in ("no.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=rf"log\.ca_file: .*{name}"):
            Login(ca_file=str(tmp_path / name)).options()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A broker that wants TLS and a login; its address and the file of its authority."""
    folder = tmp_path_factory.mktemp("secured")
    keytool, store, ca = str(needs("keytool")), str(folder / "keys.p12"), str(folder / "ca.pem")
    known = ["-alias", "a", "-keystore", store, "-storepass", "password"]
    pair = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=test", "-ext", f"san=ip:{HOST}", "-validity", "2"]
    for command in (pair, ["-exportcert", "-rfc", "-file", ca]):
        subprocess.run([keytool, *command, *known], check=True, capture_output=True, timeout=60)
    address = f"{HOST}:{free_port()}"
    settings = {
        "sasl.enabled.mechanisms": "PLAIN",
        "ssl.keystore.location": store,
        "ssl.keystore.password": "password",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            'org.apache.kafka.common.security.plain.PlainLoginModule required user_duco="secret";'
        ),
    }
    server = KafkaServer(folder / "broker", listeners=f"SASL_SSL://{address}", settings=settings).start()
    yield address, ca
    server.kill()
    shutil.rmtree(folder)


@pytest.mark.servers
async def test_a_login_over_tls(secured: tuple[str, str]) -> None:
    """The right one works, a wrong password and an unknown authority are told."""
    address, ca = secured
    topic = prefix()
    cluster = Cluster(address, "test", Login("duco", "secret", ca), 1, 1)
    await cluster.ensure([topic])
    await cluster.check()
    for login in (Login("duco", "wrong", ca), Login("duco", "secret"), Login()):
        with pytest.raises(TransportError, match=address):
            await Cluster(address, "test", login, 1, 1).check()
