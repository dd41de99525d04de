"""Methods of a device: each is answered, whatever it does, and none holds up another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from duco_rt.model import MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.hub_mqtt.client import Publication, Session
from duco_rt.transports.hub_mqtt.connection import Connection, connected
from duco_rt.transports.hub_mqtt.methods import Methods
from tests.servers.mosquitto import Mosquitto
from tests.servers.server import HOST

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all of these tests."""
    server = Mosquitto(tmp_path_factory.mktemp("broker"), persistence=False).start()
    yield server
    server.kill()


class Asker:
    """Calls methods and reads the answers."""

    def __init__(self, connection: Connection, answers: asyncio.Queue[tuple[str, bytes]]) -> None:
        self._connection, self._answers = connection, answers

    async def call(self, name: str, payload: bytes, request_id: str = "1") -> None:
        """Call a method."""
        await self._connection.publish(Publication(topics.method("D", name, request_id), payload))

    async def answer(self) -> tuple[int, str, dict[str, object]]:
        """Status, request id and payload of the next answer."""
        topic, payload = await asyncio.wait_for(self._answers.get(), 20)
        of = topics.read_answer(topic)
        return of.status, of.request_id, json.loads(payload)


class Behaviour:
    """What the device's methods do."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.cancelled = 0

    async def on_method(self, name: str, payload: dict[str, object]) -> MethodResult:
        """One that waits, some that fail, others that answer."""
        match name:
            case "wait":
                try:
                    await self.go_on.wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            case "fail":
                raise KeyError("what it lacks")
            case "odd":
                return MethodResult(200, {"not": float("nan")})
        return MethodResult(207, {"name": name, **payload})


@pytest.fixture
def behaviour() -> Behaviour:
    """What the device does."""
    return Behaviour()


@pytest.fixture
def metrics() -> Metrics:
    """What the device counts."""
    return Metrics()


@pytest.fixture
async def asker(broker: Mosquitto, behaviour: Behaviour, metrics: Metrics) -> AsyncIterator[Asker]:
    """Who asks a device that answers."""
    answers: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    methods = Methods(topics.read_method, lambda s, rid: topics.answer("D", s, rid), behaviour.on_method, metrics)
    cloud, device = Session(HOST, broker.port, "cloud"), Session(HOST, broker.port, "device")
    async with (
        connected(cloud, lambda topic, payload, _: answers.put_nowait((topic, payload))) as asking,
        connected(device, methods.arrived) as answering,
        methods.answered_on(answering),
    ):
        await asking.subscribe(topics.ANSWERS, qos=1)
        await answering.subscribe(topics.methods("D"), qos=1)
        yield Asker(asking, answers)


async def test_the_answer_is_the_handlers(asker: Asker) -> None:
    """Status and payload; an empty payload or null is an empty object."""
    for payload, expected in (
        (b'{"a":1}', {"name": "m/+ü", "a": 1}),
        (b"", {"name": "m/+ü"}),
        (b"null", {"name": "m/+ü"}),
    ):
        await asker.call("m/+ü", payload, "rid")
        assert await asker.answer() == (207, "rid", expected)


@pytest.mark.parametrize("payload", [b"{", b"[1]", b"1", b"\xff", b"[" * 100_000])
async def test_a_payload_that_is_no_object(asker: Asker, payload: bytes) -> None:
    """400, and the handler is not called."""
    await asker.call("fail", payload)
    assert (await asker.answer())[0] == 400


@pytest.mark.parametrize("name", ["fail", "odd"])
async def test_a_method_that_fails(asker: Asker, name: str) -> None:
    """500 with what happened, and the device goes on."""
    await asker.call(name, b"{}")
    status, _, payload = await asker.answer()
    assert status == 500
    assert payload["error"]
    await asker.call("other", b"{}")
    assert (await asker.answer())[0] == 207


async def test_a_slow_method_holds_up_nobody(asker: Asker, behaviour: Behaviour) -> None:
    """Others are answered meanwhile, and it is when it is done."""
    await asker.call("wait", b"{}", "slow")
    await asker.call("other", b"{}", "quick")
    assert (await asker.answer())[1] == "quick"
    behaviour.go_on.set()
    assert (await asker.answer())[1] == "slow"


async def test_too_many_at_once(asker: Asker, behaviour: Behaviour, metrics: Metrics) -> None:
    """The 65th is left without an answer, counted."""
    for n in range(70):
        await asker.call("wait", b"{}", f"{n}")
    async with asyncio.timeout(20):
        while metrics.value("device_methods_dropped_total") < 6:
            await asyncio.sleep(0.01)
    behaviour.go_on.set()
    assert {(await asker.answer())[1] for _ in range(64)} == {f"{n}" for n in range(64)}


async def test_what_still_runs_at_the_end_is_cancelled(
    behaviour: Behaviour, metrics: Metrics, broker: Mosquitto
) -> None:
    """The block does not wait for it."""
    methods = Methods(lambda _: ("wait", "1"), str, behaviour.on_method, metrics)  # type: ignore[arg-type]
    async with asyncio.timeout(20), connected(Session(HOST, broker.port, "c"), methods.arrived) as connection:
        async with methods.answered_on(connection):
            methods.arrived("x", b"{}", 1)
            await asyncio.sleep(0)
        methods.arrived("x", b"{}", 2)
    assert behaviour.cancelled == 1
