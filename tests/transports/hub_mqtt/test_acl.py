"""The ACL file of docs/mqtt.md, letter for letter, on a broker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.hub_mqtt.client import Publication, Session
from duco_rt.transports.hub_mqtt.connection import Connection, connected
from duco_rt.transports.hub_mqtt.hub import MqttHub
from tests.contracts.hub_adapters import begun, carried, up
from tests.servers.mosquitto import SETTINGS, Mosquitto
from tests.servers.server import HOST
from tests.transports.hub_flows import message, running

pytestmark = pytest.mark.servers

USERS = ("A", "B", "ingest", "metaapi")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "mqtt.md"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker with the ACL of the docs and a password for each user."""
    blocks = re.findall(r"```acl\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    users = {name: f"secret of {name}" for name in USERS}
    server = Mosquitto(tmp_path_factory.mktemp("broker"), users=users, acl=blocks[0], persistence=False).start()
    yield server
    server.kill()


def hub_of(broker: Mosquitto, user: str, group: str = "secret") -> MqttHub:
    """Return the hub as this user sees it."""
    password = f"secret of {user}"
    return MqttHub(broker.url, Metrics(), client_id=f"as-{user}", group=group, user=user, password=password)


def raw(
    broker: Mosquitto, user: str, got: list[tuple[str, bytes]], will: Publication | None = None
) -> AbstractAsyncContextManager[Connection]:
    """Return a connection of this user that may try what it likes; `got` is what it is sent."""
    secret = f"secret of {user}"
    session = Session(HOST, broker.port, f"raw-{user}", username=user, password=secret, will=will)
    return connected(session, lambda topic, payload, _: got.append((topic, payload)))


async def caught_up(*connections: Connection) -> None:
    """Return when each has read all that the broker had for it: its answer to one more question comes after that."""
    for connection in connections:
        await connection.subscribe("nothing/is/published/here", qos=1)


def test_the_docs_have_every_setting_that_the_tests_need() -> None:
    """By its name; the values differ where a test wants it so."""
    conf = re.findall(r"```\nlistener(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[0]
    names = {line.split()[0] for line in SETTINGS.splitlines()} - {"persistence_location", "autosave_on_changes"}
    assert names <= {line.split()[0] for line in conf.splitlines() if line.strip()}


async def test_everything_that_is_to_work_works(broker: Mosquitto) -> None:
    """Telemetry, live, methods and presence, each with the user of its role."""
    ingest, metaapi = hub_of(broker, "ingest"), hub_of(broker, "metaapi")
    fleet = MqttHub(broker.url, Metrics(), client_id="f", user="{chassisId}", password="secret of A")
    device = fleet.device("A")
    async with (
        begun(ingest, ingest.stored()) as stored,
        begun(ingest, ingest.live()) as live,
        carried(metaapi.run()),
        running(device),
    ):
        await up(metaapi)
        await device.send(message(1, "A", realtime=True))
        delivery = await stored.next()
        delivery.ack()
        assert delivery.message == await live.next() == message(1, "A", realtime=True)
        assert (await metaapi.call("A", "m", {}, 20.0)).status == 200
        assert metaapi.connected("A")


@pytest.mark.parametrize(
    "topic",
    [
        topics.events(message(1, "A")),
        topics.status("A"),
        topics.answer("A", 200, "rid"),
        topics.method("A", "m", "rid"),
        topics.method("B", "m", "rid"),
        topics.events(message(1, "ingest")),
    ],
)
async def test_a_device_cannot_speak_for_another(broker: Mosquitto, topic: str) -> None:
    """Not telemetry, presence, answers or calls: the broker refuses, and nothing arrives."""
    heard: list[tuple[str, bytes]] = []
    async with (
        raw(broker, "A", heard) as a,
        raw(broker, "ingest", heard) as ingest,
        raw(broker, "metaapi", heard) as metaapi,
        raw(broker, "B", []) as b,
    ):
        await ingest.subscribe(topics.EVENTS, qos=1)
        for mine in (topics.ANSWERS, topics.STATUSES):
            await metaapi.subscribe(mine, qos=1)
        await a.subscribe(topics.methods("A"), qos=1)
        await caught_up(a, ingest, metaapi)
        heard.clear()  # what was retained
        with pytest.raises(TransportError, match="refused"):
            await b.publish(Publication(topic, b'{"online":true}'))
        await caught_up(a, ingest, metaapi)
    assert not heard


async def test_nor_by_its_last_will(broker: Mosquitto) -> None:
    """Its own arrives, another's does not."""
    heard: list[tuple[str, bytes]] = []
    async with raw(broker, "metaapi", heard) as metaapi:
        await metaapi.subscribe(topics.STATUSES, qos=1)
        await caught_up(metaapi)
        heard.clear()  # what was retained
        for chassis_id in ("A", "B"):
            will = Publication(topics.status(chassis_id), b"{}")
            # the newer ends the older, whose will it was
            async with raw(broker, "B", [], will) as older, raw(broker, "B", []):
                with pytest.raises(TransportError):
                    await asyncio.wait_for(older.lost(), 20)
        async with asyncio.timeout(20):
            while not heard:
                await asyncio.sleep(0.01)
        await caught_up(metaapi)
    assert heard == [(topics.status("B"), b"{}")]


async def test_a_device_hears_nothing_of_another(broker: Mosquitto) -> None:
    """Whatever it subscribes to; its own methods it hears."""
    heard: list[tuple[str, bytes]] = []
    async with raw(broker, "B", heard) as b, raw(broker, "A", []) as a, raw(broker, "metaapi", []) as metaapi:
        for topic in ("#", "devices/#", topics.EVENTS, topics.methods("A"), topics.STATUSES, topics.ANSWERS):
            await b.subscribe(topic, qos=1)
        await a.publish(Publication(topics.events(message(1, "A")), b""))
        await a.publish(Publication(topics.status("A"), b"{}", retain=True))
        await a.publish(Publication(topics.answer("A", 200, "rid"), b""))
        await metaapi.publish(Publication(topics.method("A", "m", "rid"), b""))
        await metaapi.publish(Publication(topics.method("B", "m", "rid"), b"last"))
        async with asyncio.timeout(20):
            while not heard:
                await asyncio.sleep(0.01)
        await caught_up(b)
    assert set(heard) == {(topics.method("B", "m", "rid"), b"last")}


@pytest.mark.parametrize(("guess", "arrive"), [("duco-ingest", 20), ("hidden", 10)])
async def test_why_the_group_is_a_secret(broker: Mosquitto, guess: str, arrive: int) -> None:
    """A device that knows the ingestors' group takes a share of their messages, unread: no ACL file hinders it."""
    ingested: list[tuple[str, bytes]] = []
    async with raw(broker, "ingest", ingested) as ingest, raw(broker, "A", []) as a, raw(broker, "B", []) as b:
        await ingest.subscribe(topics.shared("hidden", topics.EVENTS), qos=1)
        await b.subscribe(topics.shared(guess, topics.EVENTS), qos=1)
        for seq in range(20):
            await a.publish(Publication(topics.events(message(seq, "A")), b""))
        await caught_up(ingest)
    assert len(ingested) == arrive


@pytest.mark.parametrize(("user", "password"), [("A", "wrong"), ("nobody", "secret of nobody"), ("", "")])
async def test_who_is_not_let_in(broker: Mosquitto, user: str, password: str) -> None:
    """TransportError says so, and names the broker."""
    hub = MqttHub(broker.url, Metrics(), client_id="c", user=user, password=password)
    with pytest.raises(TransportError, match=rf"{broker.port}: no connection: .*Not authorized"):
        await anext(hub.stored())
