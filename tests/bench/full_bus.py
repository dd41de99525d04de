"""A made-up bus: a full one of 500 kbit/s, 4,000 frames a second of 80 ids with 8 signals each, and a light one.

Every value follows from the number of its frame, so any second is the same whenever and wherever it is made. Values
change as those of machines do (waves with a little noise, counters, ramps, rare switches), so they compress as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import CanSecond, Order, Stream, order_type
from duco_rt.model import Parsing, ParsingFile

START_MS = 1_795_305_600_000
CHANNEL = "can1"

_Numbers = NDArray[np.uint64]
_FIRST_ID = 0x80
_CHUNK_S = 30
_JITTER_US = 250
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)


class Signal(NamedTuple):
    """A signal of a layout; `kind` is how it changes: wave, count, ramp or switch."""

    name: str
    bits: int
    kind: str
    signed: bool = False
    scale: float = 1
    offset: float = 0
    intel: bool = True


def _motorola(*signals: Signal) -> tuple[Signal, ...]:
    return tuple(signal._replace(intel=False) for signal in signals)


LAYOUTS: dict[str, tuple[Signal, ...]] = {
    "Drive": (
        Signal("Speed", 16, "wave", scale=0.125),
        Signal("Torque", 16, "wave", signed=True, scale=0.01),
        Signal("Temperature", 8, "wave", offset=-40),
        Signal("Load", 8, "wave", scale=0.4),
        Signal("Slip", 10, "wave", signed=True, scale=0.1),
        Signal("Counter", 4, "count"),
        Signal("Brake", 1, "switch"),
        Signal("Clutch", 1, "switch"),
    ),
    "Total": _motorola(
        Signal("Distance", 32, "ramp", scale=0.05),
        Signal("Level", 8, "wave", scale=0.4),
        Signal("Angle", 10, "wave", signed=True, scale=0.2),
        Signal("Gear", 4, "switch"),
        Signal("Counter", 4, "count"),
        Signal("State", 4, "switch"),
        Signal("Lamp", 1, "switch"),
        Signal("Key", 1, "switch"),
    ),
    "Pump": (
        Signal("Pressure", 12, "wave", scale=0.1),
        Signal("Return", 12, "wave", scale=0.1),
        Signal("Flow", 12, "wave", signed=True),
        Signal("Valve", 12, "wave", signed=True, scale=0.05, offset=5),
        Signal("Oil", 8, "wave", offset=-40),
        Signal("Counter", 4, "count"),
        Signal("Mode", 2, "switch"),
        Signal("Fault", 2, "switch"),
    ),
    "Arm": _motorola(
        Signal("Lift", 16, "wave", signed=True, scale=0.01),
        Signal("Tilt", 16, "wave", signed=True, scale=0.01),
        Signal("Stick", 12, "wave", signed=True),
        Signal("Voltage", 8, "wave", scale=0.2),
        Signal("Counter", 4, "count"),
        Signal("Mode", 4, "switch"),
        Signal("Step", 3, "switch"),
        Signal("Lock", 1, "switch"),
    ),
    "Gateway": (
        Signal("Voltage", 16, "wave", scale=0.001),
        Signal("Current", 8, "wave", signed=True),
        Signal("Counter", 4, "count"),
        Signal("State", 4, "switch"),
        *_motorola(
            Signal("Energy", 20, "ramp", scale=0.1),
            Signal("Share", 8, "wave", scale=0.4),
            Signal("Mode", 3, "switch"),
            Signal("Ready", 1, "switch"),
        ),
    ),
}
"""Eight signals that fill 8 bytes, one after the other, none across the byte where the order changes."""


class _Group(NamedTuple):
    """Messages (m,) that have one layout and one rate, made together."""

    layout: tuple[Signal, ...]
    rate_hz: int
    messages: NDArray[np.uint64]

    def words(self, first_s: int, count_s: int) -> _Numbers:
        """The data of their frames, little-endian, (m, count_s * rate_hz)."""
        frame = np.arange(first_s * self.rate_hz, (first_s + count_s) * self.rate_hz, dtype=np.uint64)
        low, high = np.zeros((2, len(self.messages), len(frame)), np.uint64)
        for n, (signal, at) in enumerate(zip(self.layout, _places(self.layout), strict=True)):
            raw = self._raw(signal, np.uint64(n), frame) & np.uint64((1 << signal.bits) - 1)
            if signal.intel:
                low |= raw << np.uint64(at)
            else:
                high |= raw << np.uint64(64 - at - signal.bits)
        return low | high.byteswap()

    def _raw(self, signal: Signal, number: np.uint64, frame: _Numbers) -> _Numbers:
        salt = _hash(self.messages * np.uint64(8) + number)[:, np.newaxis]
        match signal.kind:
            case "count":
                return frame + salt
            case "ramp":
                return (salt >> np.uint64(46)) + frame // np.uint64(3)
            case "switch":
                return _hash(salt ^ (frame // (np.uint64(20 * self.rate_hz) + (salt & np.uint64(1023)))))
        if signal.bits <= 8:  # a temperature, a level: measured less often than it is sent
            frame = frame // np.uint64(16)
            rate_hz = self.rate_hz / 16
        else:
            rate_hz = float(self.rate_hz)
        full = 1 << signal.bits
        period_s = 20 + (salt % np.uint64(300)).astype(np.float64)
        wave = np.sin(frame / rate_hz * (2 * np.pi) / period_s + period_s)
        noise = (_hash(frame + salt) >> np.uint64(62)).view(np.int64)
        middle = 0 if signal.signed else full // 2
        return (middle + np.rint(0.4 * full * wave).astype(np.int64) + noise).view(np.uint64)

    def times_us(self, first_s: int, count_s: int) -> NDArray[np.int64]:
        """Times from the begin of their second, (m, count_s * rate_hz), rising within each."""
        period_us = 1_000_000 // self.rate_hz
        frame = np.arange(first_s * self.rate_hz, (first_s + count_s) * self.rate_hz, dtype=np.uint64)
        salt = _hash(self.messages + np.uint64(1 << 32))[:, np.newaxis]
        phase_us = _JITTER_US + salt % np.uint64(period_us - 2 * _JITTER_US)
        jitter_us = _hash(frame + salt) % np.uint64(2 * _JITTER_US)
        at_us = frame % np.uint64(self.rate_hz) * np.uint64(period_us) + phase_us + jitter_us
        times_us: NDArray[np.int64] = at_us.view(np.int64) - _JITTER_US
        return times_us


@dataclass(frozen=True)
class Bus:
    """A bus with a message for each of `rates_hz`, which divide 1,000,000."""

    rates_hz: tuple[int, ...]

    @property
    def frames_hz(self) -> int:
        """Frames a second."""
        return sum(self.rates_hz)

    @property
    def signals_hz(self) -> int:
        """Values a second."""
        return 8 * self.frames_hz

    def dbc(self) -> str:
        """The database; names are `Drive00_Speed`, …"""
        rows = ['VERSION ""\n\nBS_:\n\nBU_: ECU\n']
        for message in range(len(self.rates_hz)):
            name, layout = _name(message), self._layout(message)
            rows.append(f"\nBO_ {_FIRST_ID + message} {name}: 8 ECU")
            for signal, at in zip(layout, _places(layout), strict=True):
                start = at if signal.intel else 8 * (at // 8) + 7 - at % 8
                bits = f"{start}|{signal.bits}@{'1' if signal.intel else '0'}{'-' if signal.signed else '+'}"
                rows.append(f' SG_ {name}_{signal.name} : {bits} ({signal.scale},{signal.offset}) [0|0] "" ECU')
        return "\n".join(rows) + "\n"

    def parsing(self) -> Parsing:
        """The database as a parsing for every bus."""
        return Parsing("full_bus", 1, (ParsingFile("full_bus.dbc", self.dbc()),))

    def fields(self) -> list[str]:
        """The names of all fields."""
        every = range(len(self.rates_hz))
        return [f"{_name(message)}_{signal.name}" for message in every for signal in self._layout(message)]

    def seconds(self, count: int, first: int = 0, start_ms: int = START_MS) -> Iterator[CanSecond]:
        """Seconds `first` (whose seq it is, too), `first` + 1, … of a bus that was switched on at `start_ms`."""
        streams = tuple(Stream(CHANNEL, _FIRST_ID + n, False, 0, 8, hz) for n, hz in enumerate(self.rates_hz))
        owners: Order = np.repeat(np.arange(len(streams), dtype=order_type(len(streams))), self.rates_hz)
        for begin in range(first, first + count, _CHUNK_S):
            several = min(_CHUNK_S, first + count - begin)
            data, times_us = self._chunk(begin, several)
            order: Order = owners.take(np.argsort(times_us, axis=1, kind="stable"))
            for n in range(several):
                at = begin + n
                yield CanSecond(
                    start_ms + at * 1000, at, 0, 1, streams, order[n].copy(), times_us[n].copy(), data[n].tobytes()
                )

    def _chunk(self, first: int, count: int) -> tuple[_Numbers, NDArray[np.int32]]:
        """Data and times (count, frames) of seconds."""
        data = np.empty((count, self.frames_hz), np.uint64)
        times_us = np.empty((count, self.frames_hz), np.int32)
        starts = np.cumsum(self.rates_hz) - self.rates_hz
        for group in self._groups():
            words, at_us = group.words(first, count), group.times_us(first, count)
            for row, message in enumerate(group.messages.tolist()):
                columns = slice(starts[message], starts[message] + group.rate_hz)
                data[:, columns] = words[row].reshape(count, group.rate_hz)
                times_us[:, columns] = at_us[row].reshape(count, group.rate_hz)
        return data, times_us

    def _groups(self) -> Sequence[_Group]:
        found: dict[tuple[int, int], list[int]] = {}
        for message, rate_hz in enumerate(self.rates_hz):
            found.setdefault((message % len(LAYOUTS), rate_hz), []).append(message)
        return [_Group(self._layout(held[0]), hz, np.array(held, np.uint64)) for (_, hz), held in found.items()]

    @staticmethod
    def _layout(message: int) -> tuple[Signal, ...]:
        return list(LAYOUTS.values())[message % len(LAYOUTS)]


def _name(message: int) -> str:
    return f"{list(LAYOUTS)[message % len(LAYOUTS)]}{message:02}"


def _places(layout: Sequence[Signal]) -> list[int]:
    """The first bit of each signal: from the lowest up for Intel, from the top down for Motorola."""
    ends = np.cumsum([signal.bits for signal in layout]).tolist()
    return [end - signal.bits for end, signal in zip(ends, layout, strict=True)]


def _hash(numbers: _Numbers) -> _Numbers:
    """Numbers that look random."""
    mixed = numbers * _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    return mixed ^ (mixed >> np.uint64(32))


FULL = Bus((100,) * 20 + (50,) * 30 + (20,) * 20 + (10,) * 10)
"""4,000 frames a second."""

LIGHT = Bus((20,) * 10 + (10,) * 20 + (2,) * 50)
"""500 frames a second."""
