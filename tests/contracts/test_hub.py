"""What every hub promises to both of its sides, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.errors import DeviceOffline, DeviceTimeout, TransportError
from duco_rt.model import HubMessage, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Delivery, Hub, HubDevice, MethodHandler
from tests.contracts.hub_adapters import ADAPTERS, WITHIN_S, Open, Reading, begun, carried, up


@pytest.fixture
def metrics() -> Metrics:
    """The registry that the hub counts in."""
    return Metrics()


@pytest.fixture(params=ADAPTERS, scope="module")
def adapter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """The adapter's opener; its server runs for all tests."""
    with request.param(tmp_path_factory.mktemp("hub")) as open_hub:
        yield open_hub


@pytest.fixture
async def opened(adapter: Open, metrics: Metrics) -> AsyncIterator[Callable[[int], Awaitable[Hub]]]:
    """Opens a hub with room for so many messages, and closes it."""
    hubs: list[Hub] = []

    async def open_(messages_max: int) -> Hub:
        hubs.append(await adapter(messages_max, metrics))
        return hubs[-1]

    yield open_
    for hub in hubs:
        await hub.close()


@pytest.fixture
async def hub(opened: Callable[[int], Awaitable[Hub]]) -> Hub:
    """A hub with plenty of room."""
    return await opened(1000)


def message(seq: int, chassis_id: str = "DUCO_001", *, realtime: bool = False) -> HubMessage:
    """Return the message of second seq."""
    return HubMessage(chassis_id, "vehicle_can", realtime, seq * 1000, seq, "x/y", "identity", b"body %d" % seq)


async def answer(method: str, payload: dict[str, object]) -> MethodResult:
    """A device that repeats what it was told."""
    return MethodResult(200, {"method": method, **payload})


@asynccontextmanager
async def calling(hub: Hub) -> AsyncIterator[None]:
    """What `call` and `connected` need is carried, and works."""
    async with carried(hub.run()):
        await up(hub)
        yield


@asynccontextmanager
async def on_hub(hub: Hub, chassis_id: str = "DUCO_001", on_method: MethodHandler = answer) -> AsyncIterator[HubDevice]:
    """A device that is on the hub."""
    device = hub.device(chassis_id)
    async with carried(device.run(on_method, lambda: None)):
        await asyncio.wait_for(device.online(), WITHIN_S)
        yield device


async def until(condition: Callable[[], bool]) -> None:
    """Return when it holds."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.01)


async def take_all(stored: Reading[Delivery], seqs: set[int]) -> list[HubMessage]:
    """Read and acknowledge until each of these seqs was there."""
    taken: list[HubMessage] = []
    while not seqs <= {message.seq for message in taken}:
        delivery = await stored.next()
        taken.append(delivery.message)
        delivery.ack()
    return taken


async def test_a_send_ends_at_the_latest_when_its_message_is_acknowledged(hub: Hub) -> None:
    """Whoever took it then has it for good; acknowledging twice is once."""
    async with on_hub(hub) as device, begun(hub, hub.stored()) as stored, asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(device.send(message(1)))
        delivery = await stored.next()
        assert delivery.message == message(1)
        delivery.ack()
        delivery.ack()
        await asyncio.wait_for(sending, WITHIN_S)


async def test_what_was_not_acknowledged_comes_again_in_order(hub: Hub) -> None:
    """A reader that dies between taking and storing loses nothing; what it had acknowledged may come too."""
    async with on_hub(hub) as device, asyncio.TaskGroup() as tasks:
        async with begun(hub, hub.stored()) as stored:
            for seq in range(6):
                tasks.create_task(device.send(message(seq)))
            held = [await stored.next() for _ in range(4)]
            assert [delivery.message.seq for delivery in held] == [0, 1, 2, 3]
            held[0].ack()
            held[2].ack()
        async with begun(hub, hub.stored()) as again:
            seqs = [taken.seq for taken in await take_all(again, {1, 3, 4, 5})]
        assert seqs == sorted(set(seqs))


async def test_the_order_of_each_device_is_kept(hub: Hub) -> None:
    """However the messages of several devices mix."""
    async with (
        on_hub(hub, "D0") as d0,
        on_hub(hub, "D1") as d1,
        on_hub(hub, "D2") as d2,
        begun(hub, hub.stored()) as stored,
        asyncio.TaskGroup() as tasks,
    ):
        for seq in range(40):
            tasks.create_task((d0, d1, d2)[seq % 3].send(message(seq, f"D{seq % 3}")))
        taken = await take_all(stored, set(range(40)))
    seen: dict[str, list[int]] = {}
    for each in taken:
        seen.setdefault(each.chassis_id, []).append(each.seq)
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


# Few examples of many messages: a reading of some hubs takes a second to begin.
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(MESSAGES, min_size=10, max_size=20))
async def test_a_message_arrives_untouched(hub: Hub, sent: list[HubMessage]) -> None:
    """Body and every property, on both readings."""
    async with on_hub(hub) as device, begun(hub, hub.stored()) as stored, begun(hub, hub.live()) as live:
        for each in sent:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(device.send(each))
                delivery = await stored.next()
                assert delivery.message == each
                if each.realtime:
                    assert await live.next() == each
                delivery.ack()


async def test_live_has_the_real_time_messages_alone_and_waits_for_nobody(hub: Hub) -> None:
    """It goes on while nothing is acknowledged, and batches do not appear in it."""
    async with on_hub(hub) as device, asyncio.TaskGroup() as tasks:
        async with begun(hub, hub.live()) as live:
            for seq in range(6):
                tasks.create_task(device.send(message(seq, realtime=seq % 2 == 1)))
            assert [(await live.next()).seq for _ in range(3)] == [1, 3, 5]
        async with begun(hub, hub.stored()) as stored:
            await take_all(stored, set(range(6)))


async def test_a_slow_live_reader_loses_the_oldest_counted(
    opened: Callable[[int], Awaitable[Hub]], metrics: Metrics
) -> None:
    """And holds up neither the device nor the storage path."""
    hub = await opened(5)
    async with on_hub(hub) as device, begun(hub, hub.stored()) as stored, begun(hub, hub.live()) as live:
        for seq in range(9):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(device.send(message(seq, realtime=True)))
                await take_all(stored, {seq})
            if seq == 0:
                assert (await live.next()).seq == 0
        await until(lambda: metrics.value("hub_live_dropped_total") >= 3)
        assert [(await live.next()).seq for _ in range(5)] == [4, 5, 6, 7, 8]
    assert metrics.value("hub_live_dropped_total") == 3


async def test_a_method_gets_the_devices_own_answer(hub: Hub) -> None:
    """Name, payload and result go through as they are."""
    async with calling(hub), on_hub(hub):
        await until(lambda: hub.connected("DUCO_001") is not False)
        result = await hub.call("DUCO_001", "setRealTimeUpload", {"action": "start"}, WITHIN_S)
    assert result == MethodResult(200, {"method": "setRealTimeUpload", "action": "start"})


async def test_a_device_that_is_not_there(hub: Hub) -> None:
    """Never there, or gone: DeviceOffline, and `connected` says so where the hub can tell."""
    call = partial(hub.call, "DUCO_001", "m", {}, WITHIN_S)
    async with calling(hub):
        with pytest.raises(DeviceOffline, match="DUCO_001"):
            await call()
        assert not hub.connected("DUCO_001")
        async with on_hub(hub):
            await until(lambda: hub.connected("DUCO_001") is not False)
            assert not hub.connected("DUCO_002")
        await until(lambda: not hub.connected("DUCO_001"))
        with pytest.raises(DeviceOffline, match="DUCO_001"):
            await call()


async def test_a_device_that_does_not_answer(hub: Hub) -> None:
    """DeviceTimeout after the time that was given; the device's other methods go on meanwhile."""

    async def silent(method: str, payload: dict[str, object]) -> MethodResult:
        if method == "silent":
            await asyncio.Event().wait()
        return await answer(method, payload)

    async with calling(hub), on_hub(hub, on_method=silent):
        await until(lambda: hub.connected("DUCO_001") is not False)
        with pytest.raises(DeviceTimeout, match="DUCO_001"):
            await hub.call("DUCO_001", "silent", {}, 2.0)  # long enough for the call to reach the device
        assert (await hub.call("DUCO_001", "other", {}, WITHIN_S)).status == 200


async def test_a_device_that_comes_back_is_the_one_that_is_called(hub: Hub) -> None:
    """The newest connection answers, and stays when the older one's end is noticed."""

    async def newer(_: str, __: dict[str, object]) -> MethodResult:
        return MethodResult(201, {})

    older = hub.device("DUCO_001")
    async with calling(hub), carried(older.run(answer, lambda: None)) as old:
        await asyncio.wait_for(older.online(), WITHIN_S)
        async with on_hub(hub, on_method=newer):
            old.cancel()
            await until(lambda: hub.connected("DUCO_001") is not False)
            assert (await hub.call("DUCO_001", "m", {}, WITHIN_S)).status == 201


async def test_a_device_is_online_while_it_runs(hub: Hub) -> None:
    """Before and after, it is not."""
    device = hub.device("DUCO_001")
    seen = [device.is_online]
    async with carried(device.run(answer, lambda: None)):
        await asyncio.wait_for(device.online(), WITHIN_S)
        seen.append(device.is_online)
    seen.append(device.is_online)
    assert seen == [False, True, False]


async def test_closed(hub: Hub) -> None:
    """Closing twice is safe; after it nothing is taken, and `check` says so."""
    await hub.close()
    await hub.close()
    with pytest.raises(TransportError):
        await hub.device("DUCO_001").send(message(1))
    with pytest.raises(TransportError, match="closed"):
        await hub.check()
