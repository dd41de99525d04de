"""A bus is read fully by a thread of its own, and again after it failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import can
import pytest

from duco_rt import body
from duco_rt.config import Bus
from duco_rt.device.can_bus import BusReader, FrameCollector, open_bus
from duco_rt.errors import ConfigError
from tests.device.virtual import Caught, bus, frame, new_channel, until

pytestmark = pytest.mark.servers  # buses take their real time

Start = Callable[[str, Callable[[], can.BusABC]], FrameCollector]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a reader, and stops it."""
    readers: list[BusReader] = []

    def start_(channel: str, open_: Callable[[], can.BusABC]) -> FrameCollector:
        collector = FrameCollector()
        readers.append(BusReader(channel, open_, collector))
        readers[-1].start()
        return collector

    yield start_
    for reader in readers:
        reader.stop()


def now_ms() -> int:
    """The beginning of what is collected now."""
    return round(time.time() * 1000)


def opened(collector: FrameCollector, sender: can.BusABC) -> None:
    """Return when the reader hears the sender, with nothing of it left over."""

    def heard() -> bool:
        sender.send(frame(0x7FF, timestamp=time.time()))
        return collector.close(0, 0)[0].frames > 0

    until(heard)
    sender.send(frame(0x7FE, timestamp=time.time()))  # after all of those
    until(lambda: any(stream.can_id == 0x7FE for stream in collector.close(0, 0)[0].streams))


def test_every_frame_arrives_in_order(start: Start) -> None:
    """5,000 frames at once: more than a second of a full 500 kbit/s bus."""
    channel = new_channel()
    collector = start("can1", partial(bus, channel))
    with bus(channel) as sender:
        opened(collector, sender)
        caught = Caught(collector, now_ms())
        for i in range(5000):
            sender.send(frame(i % 7, i.to_bytes(4, "big")))
        until(lambda: caught.count() >= 5000)
    assert caught.data() == {("can1", k): [i.to_bytes(4, "big") for i in range(k, 5000, 7)] for k in range(7)}
    assert caught.totals == {"can1": 5000}


FRAMES = {
    "base": (can.Message(arbitration_id=0x123, is_extended_id=False, data=b"\1\2"), (0x123, False, 0, 2)),
    "extended": (can.Message(arbitration_id=0x18FEEE00, is_extended_id=True, data=b""), (0x18FEEE00, True, 0, 0)),
    "FD": (
        can.Message(arbitration_id=1, is_extended_id=False, is_fd=True, bitrate_switch=True, data=bytes(64)),
        (1, False, body.FD | body.BRS, 64),
    ),
    "FD, error state": (
        can.Message(arbitration_id=1, is_extended_id=False, is_fd=True, error_state_indicator=True, data=bytes(12)),
        (1, False, body.FD | body.ESI, 12),
    ),
    "remote": (
        can.Message(arbitration_id=2, is_extended_id=False, is_remote_frame=True, dlc=8),
        (2, False, body.REMOTE, 8),
    ),
    "error": (can.Message(arbitration_id=0, is_extended_id=False, is_error_frame=True), (0, False, body.ERROR, 0)),
    "own": (can.Message(arbitration_id=3, is_extended_id=False, is_rx=False, data=b"x"), (3, False, body.TX, 1)),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_kinds_of_frames(kind: str) -> None:
    """Id, flags and length as they were on the bus; the time to the microsecond."""
    message, (can_id, extended, flags, length) = FRAMES[kind]
    message.timestamp = 1_700_000_000.123456
    collector = FrameCollector()
    collector.add("can1", [message], 0)
    second, totals = collector.close(1_700_000_000_000, 4)
    assert second.streams == (body.Stream("can1", can_id, extended, flags, length, 1),)
    assert abs(second.times_us[0] - 123_456) <= 1
    assert totals["can1"].bits == (67 if extended else 47) + 8 * length


def test_an_unnamed_bus_takes_the_channels_of_its_messages() -> None:
    """As a recording of several buses has them; a name that is given wins."""
    collector = FrameCollector()
    messages = [can.Message(channel=name, arbitration_id=1, data=b"x") for name in ("can1", "can2", 3)]
    collector.add("", messages, 0)
    collector.add("mine", messages, 0)
    second, totals = collector.close(0, 0)
    assert [s.channel for s in second.streams] == ["can1", "can2", "3", "mine"]
    assert totals["mine"].frames == 3


def test_a_foreign_clock_is_set_by_the_first_frames(start: Start) -> None:
    """An interface that counts from its own start: our time, its distances."""
    channel = new_channel()
    collector = start("can1", partial(bus, channel))
    with bus(channel, keeps_times=True) as sender:
        opened(collector, sender)
        before = now_ms()
        caught = Caught(collector, before)
        for i in range(100):
            sender.send(frame(1, bytes([i]), timestamp=17.0 + i / 1000))
        until(lambda: caught.count() >= 100)
    times = caught.times_us()
    assert all(abs(times[i] - times[0] - i * 1000) <= 2 for i in range(100))
    assert -2_000_000 < times[0] < 2_000_000


def test_a_clock_that_runs_along_is_left_alone(start: Start) -> None:
    """Times near ours are the interface's own, to the microsecond."""
    channel = new_channel()
    collector = start("can1", partial(bus, channel))
    with bus(channel, keeps_times=True) as sender:
        opened(collector, sender)
        before = now_ms()
        caught = Caught(collector, before)
        sender.send(frame(1, timestamp=before / 1000 - 0.5))
        until(lambda: caught.count() >= 1)
    assert abs(caught.times_us()[0] + 500_000) <= 1


def test_a_bus_that_fails_is_opened_again(start: Start) -> None:
    """With what it says meanwhile; frames before and after are there."""
    opens: list[int] = []
    collector: FrameCollector
    states: list[str | None] = []

    class Failing(can.BusABC):
        def __init__(self) -> None:
            super().__init__(channel="failing")
            opens.append(1)
            states.append(collector.failed)
            self.left = 3

        def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
            if not self.left:
                if len(opens) > 1:
                    time.sleep(min(timeout or 0.0, 0.05))
                    return None, True
                raise can.CanOperationError("bus off")
            self.left -= 1
            return frame(len(opens), bytes([self.left]), timestamp=time.time()), True

        def send(self, msg: can.Message, timeout: float | None = None) -> None:
            raise NotImplementedError

    collector = FrameCollector()
    reader = BusReader("can1", Failing, collector)
    caught = Caught(collector, now_ms())
    reader.start()
    until(lambda: caught.count() >= 6)
    until(lambda: collector.failed is None)
    reader.stop()
    assert caught.data()["can1", 2] == [b"\2", b"\1", b"\0"]
    assert states == [None, "can1: bus off"]


def test_a_driver_that_raises_anything_is_tried_again(start: Start) -> None:
    """The thread outlives it; another bus of the device that works hides nothing."""
    opens: list[int] = []

    def open_() -> can.BusABC:
        opens.append(1)
        raise AttributeError("driver bug")

    collector = start("can1", open_)
    until(lambda: len(opens) >= 2)
    collector.bus_works("can2")
    assert collector.failed == "can1: driver bug"


def test_a_bus_that_cannot_be_is_not_tried_again(start: Start) -> None:
    """The reason is kept, and the thread ends."""
    opens: list[int] = []

    def open_() -> can.BusABC:
        opens.append(1)
        raise ConfigError("device.buses can1: no such interface")

    collector = start("can1", open_)
    until(lambda: collector.failed is not None)
    time.sleep(0.1)
    assert (len(opens), collector.failed) == (1, "device.buses can1: no such interface")


def test_a_configured_bus() -> None:
    """Opened as python-can names it; an unknown interface names the key."""
    with open_bus(Bus("can1", "virtual", new_channel())) as found:
        assert isinstance(found, can.BusABC)
    with pytest.raises(ConfigError, match=r"device\.buses can1: .*nonsense"):
        open_bus(Bus("can1", "nonsense", "x"))
