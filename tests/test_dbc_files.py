"""The shipped DBC files: strictly readable, complete, and right about a real truck."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cantools.database
import pytest
from cantools.database.can import Database, Message, Signal

DBC = Path(__file__).resolve().parent.parent / "duco_rt" / "dbc"
NAMES = ("loader", "j1939", "gnss")


@cache
def load(name: str) -> Database:
    """Read a shipped file as strictly as cantools can."""
    database = cantools.database.load_file(DBC / f"{name}.dbc", strict=True)
    assert isinstance(database, Database)
    return database


def all_signals(name: str) -> list[Signal]:
    """Every signal of a file."""
    return [signal for message in load(name).messages for signal in message.signals]


def physical(signal: Signal, raw: int) -> float:
    """A raw value in the signal's unit."""
    value = signal.raw_to_scaled(raw, decode_choices=False)
    assert isinstance(value, int | float)
    return value


def test_signal_names_are_unique_over_all_files() -> None:
    """A field's name is the plain signal name, whichever buses a device has."""
    names = Counter(signal.name for name in NAMES for signal in all_signals(name))
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if len(name) > 32] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_signal_says_what_it_is(name: str) -> None:
    """Unit or named values, a comment, and a range that its bits can carry."""
    for signal in all_signals(name):
        assert signal.unit or signal.choices or signal.is_multiplexer, signal.name
        assert signal.comment, signal.name
        assert signal.minimum is not None and signal.maximum is not None, signal.name
        least, most = (-(1 << signal.length - 1), (1 << signal.length - 1) - 1)
        if not signal.is_signed:
            least, most = 0, (1 << signal.length) - 1
        low, high = (physical(signal, raw) for raw in (least, most))
        assert low - 1e-6 <= signal.minimum < signal.maximum <= high + 1e-6, signal.name


def test_loader_has_the_demo_fields_and_cycle_times() -> None:
    """What the demo promises, on an 11-bit bus of both byte orders, with one multiplexed message."""
    messages = load("loader").messages
    assert {"speed", "engine_rpm", "brake_status"} <= {s.name for s in all_signals("loader")}
    assert all(not m.is_extended_frame and 10 <= (m.cycle_time or 0) <= 1000 for m in messages)
    assert all(1000 % (m.cycle_time or 1) == 0 for m in messages)
    assert {s.byte_order for s in all_signals("loader")} == {"little_endian", "big_endian"}
    assert [m.name for m in messages if m.is_multiplexed()] == ["DIAGNOSTICS"]
    brake = next(s for s in all_signals("loader") if s.name == "brake_status")
    assert {int(raw): str(name) for raw, name in (brake.choices or {}).items()} == {
        0: "released",
        1: "applied",
    }


def test_j1939_messages_are_parameter_groups() -> None:
    """Extended, matched by PGN, each group once, and each signal with a parameter number of its own."""
    messages = load("j1939").messages
    for message in messages:
        assert message.is_extended_frame and message.length == 8
        assert message.dbc is not None
        frame_format = message.dbc.attributes["VFrameFormat"]
        assert frame_format.definition.choices[int(frame_format.value)] == "J1939PG"
    assert len({pgn(m.frame_id) for m in messages}) == len(messages)
    spns = [s.spn for s in all_signals("j1939")]
    assert all(spns) and len(set(spns)) == len(spns)


def pgn(can_id: int) -> int:
    """The parameter group number of an extended CAN id."""
    number = can_id >> 8 & 0x3FFFF
    return number if number >> 8 & 0xFF >= 240 else number & 0x3FF00


def frames(path: Path, channel: str) -> Iterator[tuple[int, bytes]]:
    """Ids and data of one bus of a recording."""
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            _, bus, frame, *_ = line.split()
            if bus == channel:
                can_id, _, data = frame.partition("#")
                yield int(can_id, 16), bytes.fromhex(data)


def available(message: Message, data: bytes) -> Iterator[tuple[str, float]]:
    """Physical values of a J1939 message without those that are "not available" or "error"."""
    raws = message.decode(data, decode_choices=False, scaling=False)
    assert isinstance(raws, dict)
    for signal in message.signals:
        raw, bits = raws[signal.name], signal.length
        assert isinstance(raw, int)
        if raw < ((1 << bits) - 2 if bits < 8 else 0xFE << bits - 8):
            yield signal.name, physical(signal, raw)


def test_truck_recording_shows_its_fields(recordings: Path) -> None:
    """A parked truck: 30 fields and more, all within their ranges, and those that are known agree."""
    by_pgn = {pgn(m.frame_id): m for m in load("j1939").messages}
    limits = {s.name: (s.minimum, s.maximum) for s in all_signals("j1939")}
    decoded = {
        (message, data)
        for can_id, data in frames(recordings / "truck-j1939-gps.log.gz", "can1")
        if (message := pgn(can_id)) in by_pgn
    }
    seen: dict[str, set[float]] = {}
    for number, data in decoded:
        for name, value in available(by_pgn[number], data):
            low, high = limits[name]
            assert low is not None and high is not None and low <= value <= high, (name, value)
            seen.setdefault(name, set()).add(value)
    assert len(seen) >= 30
    assert seen["WheelBasedVehicleSpeed"] == seen["TachographVehicleSpeed"] == seen["FrontAxleSpeed"] == {0.0}
    assert max(seen["HighResTotalVehicleDistance"]) == pytest.approx(158_910.6)
    assert 2023.0 in seen["Year"] and seen["AmbientAirTemperature"] == {0.0}
    assert max(seen["BrakePedalPosition"]) == pytest.approx(43.2)
    assert max(seen["ServiceBrakeCircuit1AirPressure"]) == 944.0


def test_gnss_recording_is_where_the_truck_stands(recordings: Path) -> None:
    """The module's position stays put, its speed is nearly nothing and gravity pulls down."""
    by_id = {m.frame_id: m for m in load("gnss").messages}
    seen: dict[str, list[float]] = {}
    for can_id, data in frames(recordings / "truck-j1939-gps.log.gz", "can9"):
        values = by_id[can_id].decode(data, decode_choices=False)
        assert isinstance(values, dict)
        for name, value in values.items():
            assert isinstance(value, int | float)
            seen.setdefault(name, []).append(value)
    for name, bounds in {
        "GnssLatitude": (52.511, 52.513),
        "GnssLongitude": (-1.713, -1.712),
        "GnssAltitudeAboveSea": (95.0, 125.0),
        "GnssGroundSpeed": (0.0, 0.3),
        "GnssAccelerationZ": (9.0, 10.2),
        "GnssAngularRateZ": (-0.5, 0.5),
        "GnssEpoch": (1_701_363_700.0, 1_701_364_200.0),
    }.items():
        assert bounds[0] <= min(seen[name]) <= max(seen[name]) <= bounds[1], name
