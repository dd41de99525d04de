"""The App on a virtual bus and a memory hub, second by second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import can
import pytest

from duco_rt import body
from duco_rt.body import CanSecond, JsonSecond
from duco_rt.clock import SystemClock
from duco_rt.config import Device
from duco_rt.device.app import DucoApp
from duco_rt.device.app_metrics import ComputerMetrics
from duco_rt.device.buses import BusSource, Source
from duco_rt.errors import ConfigError, DeviceOffline
from duco_rt.model import HubMessage, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_memory import MemoryHub
from tests.device.virtual import bus, frame, new_channel, until_async

pytestmark = pytest.mark.servers

DBC = """VERSION ""
BU_: ECU
BO_ 256 Key: 1 ECU
 SG_ Ignition : 0|1@1+ (1,0) [0|1] "" Vector__XXX
BO_ 512 Position: 8 ECU
 SG_ Latitude : 0|32@1+ (1E-07,-210) [-90|90] "deg" Vector__XXX
 SG_ Longitude : 32|32@1+ (1E-07,-210) [-180|180] "deg" Vector__XXX
"""
POSITION = round((48.0 + 210) * 1e7).to_bytes(4, "little") + round((11.5 + 210) * 1e7).to_bytes(4, "little")
OFF, ON = frame(256, b"\0"), frame(256, b"\1")


class Rig:
    """One App, the sender on its bus, and everything that its hub got."""

    def __init__(self, folder: Path, **config: object) -> None:
        (folder / "app.dbc").write_text(DBC)
        self.channel = new_channel()
        self.sender = bus(self.channel)
        self.hub = MemoryHub(1000, Metrics())
        self.metrics = Metrics()
        self.messages: list[HubMessage] = []
        self.opened = threading.Event()
        self.app = DucoApp(
            "D",
            Device(**{"chassis_id": "D", "dbc": (str(folder / "app.dbc"),), **config}),  # type: ignore[arg-type]
            Source((BusSource("can1", self._open),), {"can1": 500_000}),
            self.hub.device("D"),
            folder,
            ComputerMetrics(str(folder)),
            SystemClock(),
            self.metrics,
        )

    def _open(self) -> can.BusABC:
        found = bus(self.channel)
        self.opened.set()  # from here on no frame passes the App by
        return found

    async def take(self) -> None:
        """The cloud side: everything, at once."""
        async for delivery in self.hub.stored():
            self.messages.append(delivery.message)
            delivery.ack()

    async def send(self, message: can.Message) -> None:
        """The machine: this frame every 20 ms."""
        while True:
            self.sender.send(message)
            await asyncio.sleep(0.02)

    async def command(
        self, action: object, command_id: object = "c1", method: str = "setRealTimeUpload"
    ) -> MethodResult:
        """A direct method."""
        return await self.hub.call("D", method, {"action": action, "reason": "user_action", "commandId": command_id}, 5)

    def seconds(self) -> int:
        """How many have been collected."""
        return int(self.metrics.value("device_seconds_total"))

    def can(self) -> list[tuple[HubMessage, list[CanSecond]]]:
        """The CAN messages with their seconds."""
        mine = [m for m in self.messages if m.msg_type == "vehicle_can"]
        return [(m, [s for s, _ in body.decode_can(body.inflate(m.body, m.content_encoding))]) for m in mine]

    def own(self) -> list[tuple[HubMessage, list[JsonSecond]]]:
        """The App's own messages with their seconds."""
        mine = [m for m in self.messages if m.msg_type == "client_raw_data"]
        return [(m, [s for s, _ in body.decode_json(body.inflate(m.body, m.content_encoding))]) for m in mine]


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[None]:
    """Run App and cloud side as long as the block, which ends in a drain."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(rig.app.run()), tasks.create_task(rig.take())]
        await asyncio.wait_for(rig.app.online(), 20)
        await until_async(rig.opened.is_set)
        yield
        await asyncio.wait_for(rig.app.drain(), 20)
        for task in running:
            task.cancel()
    rig.sender.shutdown()


async def test_a_drive(tmp_path: Path) -> None:
    """Batches, real time between a start and a stop, and a drain that hands everything over."""
    rig = Rig(tmp_path, upload_interval_s=2)
    answers: list[MethodResult] = []
    async with asyncio.TaskGroup() as tasks:
        machine = tasks.create_task(rig.send(frame(512, POSITION)))  # before the first second begins
        async with running(rig):
            await until_async(lambda: rig.seconds() == 3)
            before_ms = time.time() * 1000
            answers.append(await rig.command("start"))
            answers.append(await rig.command("jump", "c2"))
            answers.append(await rig.command("start", "c3", "reboot"))
            await until_async(lambda: rig.seconds() == 5)
            answers.append(await rig.command("stop", "c4"))
            machine.cancel()
    _check_answers(answers, before_ms)
    _check_positions(rig)
    _check_own_values(rig)
    with pytest.raises(DeviceOffline):
        await rig.command("start")


def _check_answers(answers: list[MethodResult], before_ms: float) -> None:
    start, jump, reboot, stop = answers
    assert start.status == 200
    assert set(start.payload) == {"commandId", "action", "realtime", "ts", "source"}
    ts = start.payload.pop("ts")
    assert start.payload == {"commandId": "c1", "action": "start", "realtime": True, "source": "device"}
    assert isinstance(ts, int)
    assert before_ms - 1 <= ts <= time.time() * 1000
    assert (jump.status, reboot.status) == (400, 404)
    assert (stop.status, stop.payload["action"], stop.payload["realtime"]) == (200, "stop", False)


def _check_positions(rig: Rig) -> None:
    """Both types carry the same seconds; the order is batch, the open batch at start, real time, the rest."""
    for kind in (rig.can(), rig.own()):
        first = kind[0][1][0].seq
        shape = [(m.realtime, [s.seq - first for s in seconds]) for m, seconds in kind]
        assert shape[:4] == [(False, [0, 1]), (False, [2]), (True, [3]), (True, [4])]
        assert shape[4] == (False, [5])
        assert len(shape) == 5
        for message, seconds in kind:
            assert (message.seq, message.ts_ms) == (seconds[0].seq, seconds[0].ts_ms)
        stamps = [s.ts_ms for _, seconds in kind for s in seconds]
        assert [later - earlier for earlier, later in pairwise(stamps)] == [1000] * 5
    assert [m.seq for m, _ in rig.can()] == [m.seq for m, _ in rig.own()]
    assert abs(rig.can()[0][0].seq - time.time()) < 60


def _check_own_values(rig: Rig) -> None:
    can_seconds = [s for _, seconds in rig.can() for s in seconds]
    own = [s for _, seconds in rig.own() for s in seconds]
    for raw, ready in zip(can_seconds[:5], own[:5], strict=True):
        assert ready.payload["gps_lat"] == pytest.approx(48.0)
        assert ready.payload["gps_lng"] == pytest.approx(11.5)
        assert ready.payload["timestamp"] == ready.ts_ms == raw.ts_ms
        assert ready.payload["can_frames_per_s"] == raw.frames > 0
        assert ready.payload["can_ids"] == 1
        bits = 100.0 * raw.frames * (47 + 64) / 500_000
        assert ready.payload["bus_load_percent"] == pytest.approx(bits, abs=0.01)
        assert {"cpu_percent", "memory_percent", "queue_messages", "second_late_ms"} <= set(ready.payload)
    assert [s.payload["realtime"] for s in own] == [False] * 3 + [True] * 2 + [False]
    assert 170 < float(own[3].payload["realtime_remaining_s"]) <= 180
    assert own[0].payload["realtime_remaining_s"] == 0


async def test_an_app_that_starts_again_goes_on_in_real_time(tmp_path: Path) -> None:
    """As long as the command would have held; after a stop it does not, and seq goes on without a hole."""
    shapes: list[list[bool]] = []
    seqs: list[int] = []
    for command in ("start", None, "stop", None):
        rig = Rig(tmp_path, upload_interval_s=1)
        async with running(rig):
            if command:
                await rig.command(command)
            await until_async(partial(_has_seconds, rig, 1))
        shapes.append([message.realtime for message, _ in rig.own()])
        seqs += [second.seq for _, seconds in rig.own() for second in seconds]
    assert [shape[0] for shape in shapes] == [True, True, False, False]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def _has_seconds(rig: Rig, count: int) -> bool:
    return rig.seconds() >= count


async def test_a_full_bus_loses_no_frame(tmp_path: Path) -> None:
    """4,000 frames a second for 3 s: each is uploaded once, in order, in the second of its time."""
    rig = Rig(tmp_path)
    async with running(rig):
        await rig.command("start")
        sending = threading.Thread(target=_fill, args=(rig.sender, 12_000))
        sending.start()
        await until_async(lambda: rig.metrics.value("device_frames_total") >= 12_000)
        sending.join()
    counters: dict[int, list[int]] = {}
    for message, seconds in rig.can():
        assert len(message.body) < 64 * 1024
        for second in seconds:
            for stream, times, data in second.slices():
                rows = [int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data), 8)]
                counters.setdefault(stream.can_id, []).extend(rows)
                assert -500_000 <= times.min() <= times.max() <= 1_500_000  # a second may close late: below
    assert counters == {can_id: list(range(can_id, 12_000, 50)) for can_id in range(50)}
    late = [float(s.payload["second_late_ms"]) for _, seconds in rig.own() for s in seconds]
    assert max(late) < 500


def _fill(sender: can.BusABC, count: int) -> None:
    """40 frames every 10 ms, each with its number and four bytes that no compression makes smaller."""
    begun_s = time.monotonic()
    for at in range(0, count, 40):
        for i in range(at, at + 40):
            noise = (i * 2_654_435_761 % 2**32).to_bytes(4, "big")
            sender.send(frame(i % 50, i.to_bytes(4, "big") + noise))
        time.sleep(max(0.0, begun_s + (at + 40) / 4000 - time.monotonic()))


KEYS = {"bus": (None, frame(512, POSITION), None), "signal:Ignition": (OFF, ON, OFF)}


@pytest.mark.parametrize("key", KEYS)
async def test_the_key(tmp_path: Path, key: str) -> None:
    """Off: nothing is collected and a start is refused; on: seconds; off again: real time ends, all is sent."""
    rig = Rig(tmp_path, key=key, key_bus_timeout_s=1.5)
    before, during, after = KEYS[key]
    async with running(rig):
        await _phase(rig, before, 0.3)
        assert rig.seconds() == 0
        refused = await rig.command("start")
        assert (refused.status, refused.payload["realtime"]) == (409, False)
        async with asyncio.TaskGroup() as tasks:
            machine = tasks.create_task(rig.send(during))
            await until_async(lambda: rig.seconds() == 1)
            assert (await rig.command("start")).status == 200
            machine.cancel()
        async with asyncio.TaskGroup() as tasks:
            machine = tasks.create_task(rig.send(after) if after else asyncio.sleep(0))
            async with asyncio.timeout(20):
                while (await rig.command("start")).status != 409:
                    await asyncio.sleep(0.02)
            machine.cancel()
        collected = rig.seconds()
        await _phase(rig, after, 0.3)
        assert rig.seconds() == collected
    assert [m.realtime for m, _ in rig.can()][:2] == [False, True]
    assert [s.seq for _, seconds in rig.own() for s in seconds] == [s.seq for _, seconds in rig.can() for s in seconds]
    assert sum(len(seconds) for _, seconds in rig.can()) == collected


async def _phase(rig: Rig, message: can.Message | None, seconds: float) -> None:
    """The machine sends this (None: nothing) for a while."""
    async with asyncio.TaskGroup() as tasks:
        machine = tasks.create_task(rig.send(message)) if message else None
        await asyncio.sleep(seconds)
        if machine:
            machine.cancel()


async def test_a_key_signal_that_no_database_has(tmp_path: Path) -> None:
    """A machine that would never start says so at once, with the key's name."""
    with pytest.raises(ConfigError, match=r"device\.key = 'signal:Nonsense'"):
        Rig(tmp_path, key="signal:Nonsense")
