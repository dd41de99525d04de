"""The simulated machine as a bus: its frames when they would be on the wire, on both channels."""

from __future__ import annotations

import time

import can
import pytest

from duco_rt.device.machine_frames import MachineFrames
from duco_rt.device.simulated_bus import SimulatedBus

pytestmark = pytest.mark.servers  # buses take their real time


def test_its_frames_come_in_time_and_in_order() -> None:
    """Those of the machine with the same seed, none before its moment."""
    frames = MachineFrames(7)
    expected, following = frames.next_second(), frames.next_second()
    with SimulatedBus(7) as bus:
        found: list[tuple[float, can.Message]] = []
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s and (not found or found[-1][1].timestamp - found[0][1].timestamp < 0.5):
            message = bus.recv(timeout=0.2)
            if message is not None:
                found.append((time.time(), message))
        with pytest.raises(can.CanOperationError):
            bus.send(found[0][1])
    assert len(found) > 100
    sent = [(f.channel, f.can_id, f.extended, f.data) for f in [*expected, *following]]
    seen = [(m.channel, m.arbitration_id, m.is_extended_id, bytes(m.data)) for _, m in found]
    start = next(n for n in range(len(sent)) if sent[n : n + 5] == seen[:5])
    assert start > 0  # a machine begins within its second
    assert seen == sent[start : start + len(seen)]
    assert all(came_s >= message.timestamp for came_s, message in found)
    times = [message.timestamp for _, message in found]
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(0.5, abs=0.2)
    assert {m.channel for _, m in found} == {"can1", "can2"}


def test_asking_does_not_block() -> None:
    """Without a frame due, at once."""
    with SimulatedBus(1) as bus:
        begun_s = time.monotonic()
        while bus.recv(timeout=0) is not None:
            pass
        assert time.monotonic() - begun_s < 1
