"""Servers whose certificate is not to be accepted: none is, by any transport, and the error says what to do."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from duco_rt.clock import SystemClock
from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.tls import client_context
from duco_rt.transports.certificates import explained
from duco_rt.transports.hub_mqtt.hub import MqttHub
from duco_rt.transports.leases_redis import RedisLeases
from duco_rt.transports.live_redis_pubsub import RedisPubSubLive
from duco_rt.transports.log_kafka import KafkaLog
from duco_rt.transports.meta_http import HttpMeta
from duco_rt.transports.meta_http_client import Trust
from duco_rt.transports.store_clickhouse import ClickHouseStore
from tests.certificates import Certificates, Files
from tests.servers.server import HOST

pytestmark = pytest.mark.servers

NAME = "localhost"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Connection refused", "Connection refused"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl)",
            "no authority that is trusted here signed the server's certificate: live.ca_file names another "
            "(certificate verify failed: unable to get local issuer certificate)",
        ),
        (
            "Error 1. [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1).",
            "the server's certificate is over (or the clock of this machine is wrong) "
            "(certificate verify failed: certificate has expired)",
        ),
        (
            "CERTIFICATE_VERIFY_FAILED certificate verify failed: certificate is not yet valid",
            "the server's certificate is not valid yet (or the clock of this machine is wrong) "
            "(certificate verify failed: certificate is not yet valid)",
        ),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)", "the server speaks no TLS at this address"),
    ],
)
def test_explained(text: str, said: str) -> None:
    """Other errors stay as they are."""
    assert explained(text, "live") == said


class Tls(NamedTuple):
    """A server's port, the authority that a client is told to trust, and whether anybody spoke to it."""

    port: int
    ca: str
    heard: list[bytes]


@asynccontextmanager
async def serving(files: Files, ca: Path) -> AsyncIterator[Tls]:
    """A server that shakes hands, and hears what comes then."""
    heard: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            heard.append(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(hear, HOST, 0, ssl=context) as server:
        yield Tls(server.sockets[0].getsockname()[1], str(ca), heard)


async def _mqtt_cloud(tls: Tls) -> None:
    hub = MqttHub(f"mqtts://{NAME}:{tls.port}", Metrics(), client_id="c", ca_file=tls.ca)
    await anext(hub.stored())


async def _mqtt_device(tls: Tls) -> None:
    hub = MqttHub(f"mqtts://{NAME}:{tls.port}", Metrics(), client_id="c", ca_file=tls.ca, clock=SystemClock())
    device = hub.device("D")

    async def no_method(*_: object) -> object:
        raise NotImplementedError

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(device.run(no_method, lambda: None))  # type: ignore[arg-type]  # never called
        while "no connection" not in device._problem:
            await asyncio.sleep(0.01)
        problem = device._problem
        running.cancel()
    raise TransportError(problem)


async def _live(tls: Tls) -> None:
    live = RedisPubSubLive(f"rediss://{NAME}:{tls.port}", 10, Metrics(), pattern=False, ca_file=tls.ca)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        [found] = await asyncio.gather(live.subscribe("c"), return_exceptions=True)
        running.cancel()
    if isinstance(found, BaseException):
        raise found


async def _meta(tls: Tls) -> None:
    meta = HttpMeta(f"https://{NAME}:{tls.port}", Metrics(), trust=Trust(ssl=client_context(tls.ca, "meta.ca_file")))
    try:
        await meta.devices()
    finally:
        await meta.close()


USES: dict[str, tuple[str, Callable[[Tls], Awaitable[object]]]] = {
    "mqtt, cloud": ("hub", _mqtt_cloud),
    "mqtt, device": ("hub", _mqtt_device),
    "redis live": ("live", _live),
    "redis leases": ("leases", lambda tls: RedisLeases(f"rediss://{NAME}:{tls.port}", ca_file=tls.ca).held()),
    "kafka check": ("log", lambda tls: KafkaLog(f"{NAME}:{tls.port}", ["t"], Metrics(), ca_file=tls.ca).check()),
    "kafka read": (
        "log",
        lambda tls: anext(KafkaLog(f"{NAME}:{tls.port}", [], Metrics(), ca_file=tls.ca).read_raw(1, 1)),
    ),
    "clickhouse": (
        "store",
        lambda tls: ClickHouseStore(f"clickhouses://{NAME}:{tls.port}", ca_file=tls.ca).last_seen("t"),
    ),
    "https": ("meta", _meta),
}
FAULTS = {
    "another authority": "no authority that is trusted here signed the server's certificate: {}.ca_file names another",
    "another name": "the server's certificate is for another name than {}'s address has",
    "over": "the server's certificate is over",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("use", USES)
async def test_no_transport_accepts_it(use: str, fault: str, tmp_path: Path) -> None:
    """Nothing is said to such a server, no password either."""
    mine, foreign = Certificates(tmp_path / "mine"), Certificates(tmp_path / "foreign")
    files = {
        "another authority": lambda: foreign.server(NAME),
        "another name": lambda: mine.server("elsewhere.example"),
        "over": lambda: mine.server(NAME, days=-1),
    }[fault]()
    section, call = USES[use]
    async with asyncio.timeout(20), serving(files, mine.ca) as tls:
        with pytest.raises(TransportError) as raised:
            await call(tls)
        assert FAULTS[fault].format(section) in str(raised.value)
        assert f"{NAME}:{tls.port}" in str(raised.value)
        assert b"".join(tls.heard) == b""


@pytest.mark.parametrize("use", USES)
async def test_the_right_one_is(use: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the server is spoken to; that it says nothing is another error."""
    monkeypatch.setattr("duco_rt.transports.log_kafka_cluster.CONNECT_S", 1.0)
    mine = Certificates(tmp_path / "mine")
    section, call = USES[use]
    async with asyncio.timeout(20), serving(mine.server(NAME), mine.ca) as tls:
        with pytest.raises(TransportError) as raised:
            await call(tls)
        assert "certificate" not in str(raised.value) and section
        assert b"".join(tls.heard) != b""
