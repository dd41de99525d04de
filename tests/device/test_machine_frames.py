"""The simulated wheel loader's frames: timing, encoding and what they say."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from duco_rt.device.machine_frames import SECOND_US, MachineFrame, MachineFrames, load_dbc

CHANNELS = {"can1": "j1939", "can2": "loader"}


@pytest.fixture(scope="module")
def seconds() -> list[list[MachineFrame]]:
    """Half a minute of frames."""
    frames = MachineFrames(1)
    return [frames.next_second() for _ in range(30)]


def decoded(second: list[MachineFrame]) -> dict[str, float]:
    """Last value of each signal, as a plain DBC reader sees it."""
    values: dict[str, float] = {}
    for frame in second:
        message = load_dbc(CHANNELS[frame.channel]).get_message_by_frame_id(frame.can_id)
        found = message.decode(frame.data, decode_choices=False)
        assert isinstance(found, dict)
        values.update((name, float(value)) for name, value in found.items() if isinstance(value, int | float))
    return values


def test_same_seed_same_frames() -> None:
    """Frame by frame, times included; another seed sends something else at other times."""
    first, again, other = (MachineFrames(seed) for seed in (7, 7, 8))
    for _ in range(3):
        ours = first.next_second()
        assert ours == again.next_second()
        theirs = other.next_second()
        assert [f.offset_us for f in ours] != [f.offset_us for f in theirs]
        assert [f.data for f in ours] != [f.data for f in theirs]


def test_times_are_those_of_a_bus(seconds: list[list[MachineFrame]]) -> None:
    """In order, within the second, and one frame at a time on each bus."""
    for second in seconds:
        offsets = [frame.offset_us for frame in second]
        assert offsets == sorted(offsets)
        assert offsets[0] >= 0 and offsets[-1] < SECOND_US
        for channel, gap_us in (("can1", 540), ("can2", 230)):
            own = [frame.offset_us for frame in second if frame.channel == channel]
            assert min(np.diff(own)) >= gap_us


def test_rates_and_source_addresses(seconds: list[list[MachineFrame]]) -> None:
    """More than 500 frames a second over both buses, always as many, from several units."""
    assert {len(second) for second in seconds} == {589}
    channels = Counter(frame.channel for frame in seconds[0])
    assert channels["can1"] > 200 and channels["can2"] > 300
    units = {frame.can_id & 0xFF for frame in seconds[0] if frame.channel == "can1"}
    assert {0x00, 0x03, 0x0B, 0x17} <= units
    assert all(frame.extended == (frame.channel == "can1") for frame in seconds[0])


def test_cycle_times_are_kept(seconds: list[list[MachineFrame]]) -> None:
    """Each message comes at its cycle time, also over the second's end, give or take a few frames' time."""
    times: dict[tuple[str, int], list[int]] = {}
    for number, second in enumerate(seconds):
        for frame in second:
            key = frame.channel, frame.can_id
            times.setdefault(key, []).append(number * SECOND_US + frame.offset_us)
    for (channel, can_id), own in times.items():
        cycle_ms = load_dbc(CHANNELS[channel]).get_message_by_frame_id(can_id).cycle_time
        assert cycle_ms is not None
        assert len(own) == len(seconds) * 1000 // cycle_ms
        gaps = np.diff(own)
        assert gaps.mean() == pytest.approx(cycle_ms * 1000, rel=0.02)
        assert np.abs(gaps - cycle_ms * 1000).max() < 6000


def test_all_loader_messages_are_sent(seconds: list[list[MachineFrame]]) -> None:
    """Every message and every page of the machine's own bus, each second."""
    for second in seconds:
        names = {signal.name for m in load_dbc("loader").messages for signal in m.signals}
        assert names <= set(decoded(second))


def test_encoding_equals_cantools() -> None:
    """Every word of a second, built a second time by cantools from the same physical values."""
    frames = MachineFrames(4)
    for _ in range(20):
        frames.next_second()
    plan = frames._plan
    values = frames.sample()
    words = plan.encode(values)
    column = {name: i for i, name in enumerate(plan.names)}
    compared = 0
    for slot in plan.slots:
        message = load_dbc(CHANNELS[slot.channel]).get_message_by_frame_id(slot.can_id)
        j1939 = slot.channel == "can1"
        for page in range(slot.pages):
            for step in range(0, len(values), 7):
                raws: dict[str, int] = {}
                for signal in message.signals:
                    if signal.multiplexer_ids and page not in signal.multiplexer_ids:
                        continue
                    if signal.is_multiplexer:
                        raws[signal.name] = page
                    elif signal.name not in column:
                        raws[signal.name] = (1 << signal.length) - 1
                    else:
                        i = column[signal.name]
                        value = min(max(values[step, i], plan.low[i]), plan.high[i])
                        raws[signal.name] = int(signal.scaled_to_raw(float(value)))
                expected = message.encode(raws, scaling=False, padding=j1939, strict=False)
                word = int(words[step, slot.first_word + page]).to_bytes(8, "little")
                assert word[: slot.length] == expected, message.name
                compared += 1
    assert compared > 300


def test_values_stay_within_the_dbc_ranges() -> None:
    """Five minutes: nothing has to be cut to fit, but for what a step of the signal rounds away."""
    frames = MachineFrames(2)
    plan = frames._plan
    for _ in range(300):
        values = frames.sample()
        outside = (values < plan.low - plan.scale) | (values > plan.high + plan.scale)
        assert not outside.any(), [plan.names[i] for i in np.flatnonzero(outside.any(axis=0))]


def test_frames_say_the_same_on_both_buses(seconds: list[list[MachineFrame]]) -> None:
    """The J1939 bus and the machine's own agree, and tell of a machine at work."""
    speeds = []
    for second in seconds:
        values = decoded(second)
        assert values["EngineSpeed"] == pytest.approx(values["engine_rpm"], abs=200.0)
        assert 600.0 < values["engine_rpm"] < 2300.0
        assert values["WheelBasedVehicleSpeed"] == pytest.approx(values["speed"], abs=2.5)
        assert values["EngineCoolantTemperature"] == values["coolant_temperature"]
        assert 55.9 < values["Latitude"] < 56.1 and 9.9 < values["Longitude"] < 10.1
        speeds.append(values["speed"])
    assert min(speeds) < 1.0 and max(speeds) > 5.0
    statuses = {decoded(second)["brake_status"] for second in seconds}
    assert statuses == {0.0, 1.0}


def test_unsimulated_signals_are_not_available(seconds: list[list[MachineFrame]]) -> None:
    """What a J1939 message has and the machine lacks is all ones; spare bits are, too."""
    ambient = next(f for f in seconds[0] if f.channel == "can1" and f.can_id >> 8 & 0xFFFF == 0xFEF5)
    assert ambient.data[:3] == b"\xff\xff\xff" and ambient.data[5:] == b"\xff\xff\xff"
    assert ambient.data[3:5] != b"\xff\xff"
    message = load_dbc("j1939").get_message_by_name("EEC1")
    frame = next(f for f in seconds[0] if f.can_id == message.frame_id)
    assert frame.data[7] == 0xFF


def test_databases_are_read_once() -> None:
    """Twenty machines share the definitions."""
    assert load_dbc("loader") is load_dbc("loader")
    assert MachineFrames(1)._plan is MachineFrames(2)._plan


def test_a_second_is_cheap() -> None:
    """A second of one machine costs a few milliseconds of CPU, so that many run beside everything else."""
    frames = MachineFrames(1)
    costs = []
    for _ in range(30):
        began = time.process_time()
        frames.next_second()
        costs.append(time.process_time() - began)
    assert min(costs) < 0.010
