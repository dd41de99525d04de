"""The simulated wheel loader's two buses: a second of CAN frames at a time, encoded by the shipped DBC files.

All signals of a second are encoded at once: a matrix of 20 ms samples by signals is scaled, shifted and
joined to 64-bit words, and each frame takes its bytes out of it. cantools only reads the definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import cantools.database
import numpy as np
from cantools.database.can import Database, Message, Signal
from numpy.typing import NDArray

from duco_rt.device.machine import STEP_S, Machine
from duco_rt.device.machine_signals import row, signals

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 50  # 20 ms samples of a second
SECOND_US = 1_000_000
STEP_US = SECOND_US // STEPS
JITTER_US = 150
# channel, DBC file, bits of what is not simulated, shortest time from one frame to the next in microseconds
BUSES = (("can1", "j1939", True, 540), ("can2", "loader", False, 230))
_U64 = np.uint64
_ALL_ONES = (1 << 64) - 1


class MachineFrame(NamedTuple):
    """A CAN frame; `offset_us` are microseconds since its second began."""

    offset_us: int
    channel: str
    can_id: int
    extended: bool
    data: bytes


class _Field(NamedTuple):
    """A signal within the little-endian 64-bit word of its message."""

    signal: Signal
    shift: int
    swapped: bool


class _Slot(NamedTuple):
    """A message that is sent: each of its pages is a word, one after the other."""

    channel: str
    can_id: int
    extended: bool
    length: int
    cycle_us: int
    first_word: int
    pages: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything about the encoding that all machines share; arrays go along the signals or the words."""

    names: list[str]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    mask: NDArray[np.uint64]
    shift: NDArray[np.uint64]
    swapped: NDArray[np.bool_]
    word_starts: list[int]
    word_base: NDArray[np.uint64]
    slots: list[_Slot]

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.uint64]:
        """Physical values (samples by signals, cut to their ranges) to words (samples by words)."""
        raw = np.rint((np.clip(values, self.low, self.high) - self.offset) / self.scale)
        bits = (raw.astype(np.int64).view(_U64) & self.mask) << self.shift
        bits[:, self.swapped] = bits[:, self.swapped].byteswap()
        joined: NDArray[np.uint64] = np.bitwise_or.reduceat(bits, self.word_starts, axis=1)
        return joined | self.word_base


@cache
def load_dbc(name: str) -> Database:
    """Return the definitions of a shipped DBC file (`name` without its suffix), read once a process."""
    text = (resources.files("duco_rt") / "dbc" / f"{name}.dbc").read_text(encoding="ascii")
    database = cantools.database.load_string(text, "dbc", strict=True)
    assert isinstance(database, Database)
    return database


def _field(signal: Signal) -> _Field:
    if signal.byte_order == "little_endian":
        return _Field(signal, signal.start, False)
    # a Motorola start bit names the most significant bit; count it from the word's first byte
    first = signal.start // 8 * 8 + 7 - signal.start % 8
    return _Field(signal, 64 - first - signal.length, True)


def _place(field: _Field, raw: int) -> int:
    word = (raw & ((1 << field.signal.length) - 1)) << field.shift
    return int.from_bytes(word.to_bytes(8, "big"), "little") if field.swapped else word


def _pages(message: Message) -> Iterator[tuple[int | None, list[Signal]]]:
    """Yield each value of the multiplexer (None without one) with the signals that go with it."""
    selector = next((s for s in message.signals if s.is_multiplexer), None)
    ids = sorted({i for s in message.signals for i in s.multiplexer_ids or ()})
    for page in ids if selector else [None]:
        yield page, [s for s in message.signals if not s.multiplexer_ids or page in s.multiplexer_ids]


def _word(page: int | None, fields: list[_Field], simulated: frozenset[str], ones: bool) -> int:
    """Return a page's bits apart from the simulated signals, which are 0."""
    base = _ALL_ONES if ones else 0
    for field in fields:
        if field.signal.name in simulated:
            base &= ~_place(field, -1)
        elif field.signal.is_multiplexer and page is not None:
            base |= _place(field, page)
    return base


@cache
def _plan() -> _Plan:
    machine = Machine(0)
    simulated = frozenset(signals(machine, np.array([row(machine)] * STEPS, np.float64)))
    columns: list[_Field] = []
    starts: list[int] = []
    bases: list[int] = []
    slots: list[_Slot] = []
    for channel, dbc, ones, _ in BUSES:
        for message in load_dbc(dbc).messages:
            if not message.cycle_time or simulated.isdisjoint(s.name for s in message.signals):
                continue
            first = len(bases)
            for page, page_signals in _pages(message):
                fields = [_field(s) for s in page_signals]
                starts.append(len(columns))
                bases.append(_word(page, fields, simulated, ones))
                columns += [f for f in fields if f.signal.name in simulated]
            slots.append(
                _Slot(
                    channel,
                    message.frame_id,
                    message.is_extended_frame,
                    message.length,
                    message.cycle_time * 1000,
                    first,
                    len(bases) - first,
                )
            )
    return _Plan(
        names=[f.signal.name for f in columns],
        low=np.array([f.signal.minimum for f in columns], np.float64),
        high=np.array([f.signal.maximum for f in columns], np.float64),
        offset=np.array([f.signal.offset for f in columns], np.float64),
        scale=np.array([f.signal.scale for f in columns], np.float64),
        mask=np.array([(1 << f.signal.length) - 1 for f in columns], _U64),
        shift=np.array([f.shift for f in columns], _U64),
        swapped=np.array([f.swapped for f in columns]),
        word_starts=starts,
        word_base=np.array(bases, _U64),
        slots=slots,
    )


class MachineFrames:
    """A simulated wheel loader as its buses show it: `next_second` steps it and returns its frames."""

    def __init__(self, seed: int) -> None:
        """Make the machine of `seed` and give each message a phase of its own within its cycle time."""
        self.machine = Machine(seed)
        self._plan = plan = _plan()
        self._rng = rng = np.random.default_rng(seed)
        times: list[int] = []
        owners: list[_Slot] = []
        words: list[int] = []
        for slot in plan.slots:
            phase_us = int(rng.integers(slot.cycle_us))
            for k in range(SECOND_US // slot.cycle_us):
                times.append(phase_us + k * slot.cycle_us)
                owners.append(slot)
                words.append(slot.first_word + k % slot.pages)
        self._times = np.array(times, np.int64)
        self._source = self._times // STEP_US * len(plan.word_base) + np.array(words)
        self._heads = [(s.channel, s.can_id, s.extended) for s in owners]
        self._lengths = [s.length for s in owners]
        self._channels = [(np.array([s.channel == name for s in owners]), gap) for name, _, _, gap in BUSES]

    def next_second(self) -> list[MachineFrame]:
        """Advance the machine by one second; return its frames in order, one at a time on each bus."""
        plan = self._plan
        values = self.sample()
        data = plan.encode(values).ravel()[self._source].astype("<u8").tobytes()
        times = self._arrivals()
        offsets = times.tolist()
        heads, lengths = self._heads, self._lengths
        return [
            MachineFrame._make((offsets[i], *heads[i], data[i * 8 : i * 8 + lengths[i]]))
            for i in np.argsort(times, kind="stable").tolist()
        ]

    def sample(self) -> NDArray[np.float64]:
        """Advance the machine by one second; return its physical values, a row each 20 ms."""
        machine = self.machine
        rows = []
        for _ in range(STEPS):
            machine.step(STEP_S)
            rows.append(row(machine))
        by_name = signals(machine, np.array(rows, np.float64))
        names = self._plan.names
        values = np.empty((len(names), STEPS))
        for i, name in enumerate(names):
            values[i] = by_name[name]
        return values.T

    def _arrivals(self) -> NDArray[np.int64]:
        """Return when each frame comes, in microseconds: a little late or early, one at a time on a bus."""
        wanted = self._times + self._rng.integers(-JITTER_US, JITTER_US, len(self._times))
        arrivals = np.empty_like(wanted)
        for own, gap_us in self._channels:
            mine = np.maximum(wanted[own], 0)
            order = np.argsort(mine, kind="stable")
            room = np.arange(len(mine)) * gap_us
            # a frame waits for the one before it, and the last one still ends up within the second
            queued = np.maximum.accumulate(mine[order] - room) + room
            latest = SECOND_US - 1 - room[::-1]
            placed = np.empty_like(mine)
            placed[order] = np.minimum(queued, latest)
            arrivals[own] = placed
        return arrivals
