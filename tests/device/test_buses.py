"""Which buses a device reads follows from the configuration alone."""

from __future__ import annotations

from pathlib import Path

import can
import pytest

from duco_rt.config import Bus, Device
from duco_rt.device.buses import chassis_ids, sources
from duco_rt.device.replay_bus import ReplayBus
from duco_rt.device.simulated_bus import SimulatedBus
from tests.device.virtual import frame, new_channel

pytestmark = pytest.mark.servers  # buses take their real time

NAMES = {
    ("DUCO_001", 1): ["DUCO_001"],
    ("DUCO_001", 3): ["DUCO_001", "DUCO_002", "DUCO_003"],
    ("M9", 2): ["M9", "M10"],
    ("M098", 3): ["M098", "M099", "M100"],
    ("loader", 3): ["loader", "loader_2", "loader_3"],
    ("loader", 1): ["loader"],
}


@pytest.mark.parametrize(("first", "count"), NAMES)
def test_names_follow_the_first(first: str, count: int) -> None:
    """Its number counts on; without one they get their own."""
    assert chassis_ids(first, count) == NAMES[first, count]


def test_simulated_machines_are_what_is_left() -> None:
    """Each with its own seed, so that no two do the same."""
    found = sources(Device(simulate=2, seed=5))
    assert list(found) == ["DUCO_001", "DUCO_002"]
    buses = [source.buses[0].open() for source in found.values()]
    assert all(isinstance(bus, SimulatedBus) for bus in buses)
    assert [bus.channel_info for bus in buses] == ["simulated machine 5", "simulated machine 6"]
    assert all(source.bitrates == {"can1": 250_000, "can2": 500_000} for source in found.values())
    for bus in buses:
        bus.shutdown()


def test_configured_buses() -> None:
    """All of them for the one device, under the names that the data carries."""
    channel = new_channel()
    config = Device(
        chassis_id="D", buses=(Bus("can1", "virtual", channel), Bus("can2", "virtual", new_channel(), bitrate=250_000))
    )
    (source,) = sources(config).values()
    assert [bus.channel for bus in source.buses] == ["can1", "can2"]
    assert source.bitrates == {"can1": 500_000, "can2": 250_000}
    with source.buses[0].open() as bus, can.Bus(interface="virtual", channel=channel) as sender:
        sender.send(frame(5))
        received = bus.recv(timeout=2)
    assert received is not None
    assert received.arbitration_id == 5


def test_a_recording_goes_before_all_others(tmp_path: Path) -> None:
    """With the channels of its frames."""
    file = tmp_path / "a.log"
    file.write_text("(1.0) can7 123#01\n")
    found = sources(Device(chassis_id="D", replay=str(file), simulate=3, buses=(Bus("can1", "virtual", "x"),)))
    assert list(found) == ["D"]
    (bus,) = found["D"].buses
    assert bus.channel == ""
    opened = bus.open()
    assert isinstance(opened, ReplayBus)
    opened.shutdown()
