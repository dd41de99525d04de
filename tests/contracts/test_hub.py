"""What every hub promises to both of its sides, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.errors import DeviceOffline, DeviceTimeout, TransportError
from duco_rt.metrics import Metrics
from duco_rt.model import HubMessage, MethodResult
from duco_rt.transports.base import Delivery, Hub

Open = Callable[[int], Awaitable[Hub]]
WITHIN_S = 5.0


async def _memory(messages_max: int, metrics: Metrics) -> Hub:
    from duco_rt.transports.hub_memory import MemoryHub

    return MemoryHub(messages_max, metrics)


ADAPTERS = {"memory": _memory}


@pytest.fixture
def metrics() -> Metrics:
    """The registry that the hub counts in."""
    return Metrics()


@pytest.fixture(params=ADAPTERS)
async def opened(request: pytest.FixtureRequest, metrics: Metrics) -> AsyncIterator[Open]:
    """Opens the adapter's hub with room for so many messages, and closes it."""
    hubs: list[Hub] = []

    async def open_(messages_max: int) -> Hub:
        hubs.append(await ADAPTERS[request.param](messages_max, metrics))
        return hubs[-1]

    yield open_
    for hub in hubs:
        await hub.close()


@pytest.fixture
async def hub(opened: Open) -> Hub:
    """A hub with plenty of room."""
    return await opened(1000)


def message(seq: int, chassis_id: str = "DUCO_001", *, realtime: bool = False) -> HubMessage:
    """Return the message of second seq."""
    return HubMessage(chassis_id, "vehicle_can", realtime, seq * 1000, seq, "x/y", "identity", b"body %d" % seq)


async def take(source: AsyncIterator[Delivery], count: int) -> list[Delivery]:
    """The next deliveries, not acknowledged."""
    async with asyncio.timeout(WITHIN_S):
        return [await anext(source) for _ in range(count)]


async def close(source: AsyncIterator[object]) -> None:
    """End a reading as a reader does that goes away."""
    await source.aclose()  # type: ignore[attr-defined]  # every adapter's reading is an async generator


async def answer(method: str, payload: dict[str, object]) -> MethodResult:
    """A device that repeats what it was told."""
    return MethodResult(200, {"method": method, **payload})


async def test_a_send_ends_when_its_message_is_acknowledged(hub: Hub) -> None:
    """Not a moment earlier: what the cloud side has not stored, the device still holds."""
    stored = hub.stored()
    async with asyncio.TaskGroup() as tasks:
        first, second = (tasks.create_task(hub.device("DUCO_001").send(message(seq))) for seq in (1, 2))
        held = await take(stored, 2)
        assert not first.done()
        assert not second.done()
        held[1].ack()
        await asyncio.wait_for(asyncio.shield(second), WITHIN_S)
        assert not first.done()
        held[0].ack()
        held[0].ack()
        await asyncio.wait_for(first, WITHIN_S)
    await close(stored)


async def test_what_was_not_acknowledged_comes_again_in_order(hub: Hub) -> None:
    """A reader that dies between taking and storing loses nothing; what it acknowledged does not come twice."""
    async with asyncio.TaskGroup() as tasks:
        for seq in range(6):
            tasks.create_task(hub.device("DUCO_001").send(message(seq)))
        stored = hub.stored()
        held = await take(stored, 4)
        held[1].ack()
        await asyncio.sleep(0)
        await close(stored)
        again = hub.stored()
        rest = await take(again, 5)
        assert [delivery.message.seq for delivery in rest] == [0, 2, 3, 4, 5]
        for delivery in rest:
            delivery.ack()
        await close(again)


async def test_the_order_of_each_device_is_kept(hub: Hub) -> None:
    """However the messages of several devices mix."""
    async with asyncio.TaskGroup() as tasks:
        for seq in range(40):
            chassis_id = f"D{seq % 3}"
            tasks.create_task(hub.device(chassis_id).send(message(seq, chassis_id)))
        stored = hub.stored()
        seen: dict[str, list[int]] = {}
        for delivery in await take(stored, 40):
            seen.setdefault(delivery.message.chassis_id, []).append(delivery.message.seq)
            delivery.ack()
        await close(stored)
    assert seen == {f"D{n}": list(range(n, 40, 3)) for n in range(3)}


MESSAGES = st.builds(
    HubMessage,
    st.just("DUCO_001"),
    st.sampled_from(["vehicle_can", "client_raw_data", "own-type"]),
    st.booleans(),
    st.integers(0, 2**53),
    st.integers(0, 2**53),
    st.sampled_from(["application/vnd.duco.can;v=1", "text/plain; charset=utf-8"]),
    st.sampled_from(["identity", "deflate"]),
    st.binary(max_size=500),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=MESSAGES)
async def test_a_message_arrives_untouched(hub: Hub, sent: HubMessage) -> None:
    """Body and every property, on both readings."""
    stored, live = hub.stored(), hub.live()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hub.device("DUCO_001").send(sent))
        (delivery,) = await take(stored, 1)
        assert delivery.message == sent
        if sent.realtime:
            assert await asyncio.wait_for(anext(live), WITHIN_S) == sent
        delivery.ack()
    await close(stored)
    await close(live)


async def test_live_has_the_real_time_messages_alone_and_waits_for_nobody(hub: Hub) -> None:
    """It goes on while nothing is acknowledged, and batches do not appear in it."""
    live = hub.live()
    async with asyncio.TaskGroup() as tasks:
        for seq in range(6):
            tasks.create_task(hub.device("DUCO_001").send(message(seq, realtime=seq % 2 == 1)))
        async with asyncio.timeout(WITHIN_S):
            assert [(await anext(live)).seq for _ in range(3)] == [1, 3, 5]
        await close(live)
        stored = hub.stored()
        for delivery in await take(stored, 6):
            delivery.ack()
        await close(stored)


async def test_a_slow_live_reader_loses_the_oldest_counted(opened: Open, metrics: Metrics) -> None:
    """And holds up neither the device nor the storage path."""
    hub = await opened(5)
    stored, live = hub.stored(), hub.live()
    for seq in range(8):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hub.device("DUCO_001").send(message(seq, realtime=True)))
            (await take(stored, 1))[0].ack()
    async with asyncio.timeout(WITHIN_S):
        assert [(await anext(live)).seq for _ in range(5)] == [3, 4, 5, 6, 7]
    assert metrics.value("hub_live_dropped_total") == 3
    await close(stored)
    await close(live)


async def test_a_method_gets_the_devices_own_answer(hub: Hub) -> None:
    """Name, payload and result go through as they are."""
    await hub.device("DUCO_001").connect(answer)
    result = await hub.call("DUCO_001", "setRealTimeUpload", {"action": "start"}, WITHIN_S)
    assert result == MethodResult(200, {"method": "setRealTimeUpload", "action": "start"})


async def test_a_device_that_is_not_there(hub: Hub) -> None:
    """Never connected, or gone: DeviceOffline, and `connected` says so where the hub can tell."""
    device = hub.device("DUCO_001")
    for step in ("never", "gone"):
        with pytest.raises(DeviceOffline, match="DUCO_001"):
            await hub.call("DUCO_001", "m", {}, 0.5)
        assert not hub.connected("DUCO_001")
        if step == "never":
            await device.connect(answer)
            assert hub.connected("DUCO_001") in (True, None)
            assert not hub.connected("DUCO_002")
            await device.close()
            await device.close()


async def test_a_device_that_does_not_answer(hub: Hub) -> None:
    """DeviceTimeout after the time that was given."""

    async def silent(_: str, __: dict[str, object]) -> MethodResult:
        await asyncio.Event().wait()
        raise AssertionError

    await hub.device("DUCO_001").connect(silent)
    with pytest.raises(DeviceTimeout, match="DUCO_001"):
        await hub.call("DUCO_001", "m", {}, 0.05)


async def test_a_device_that_comes_back_is_the_one_that_is_called(hub: Hub) -> None:
    """The newest connection answers."""

    async def newer(_: str, __: dict[str, object]) -> MethodResult:
        return MethodResult(201, {})

    await hub.device("DUCO_001").connect(answer)
    await hub.device("DUCO_001").connect(newer)
    assert (await hub.call("DUCO_001", "m", {}, WITHIN_S)).status == 201


async def test_closed(hub: Hub) -> None:
    """Closing twice is safe; after it nothing is taken."""
    await hub.close()
    await hub.close()
    with pytest.raises(TransportError):
        await hub.device("DUCO_001").send(message(1))
