"""One message of a compiled parsing: which signals it has, always and by multiplexers, and how they are read. Pure.

It is read in two ways: one frame at a time (`decode`) and many frames as columns (`blocks`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from duco_rt.pipeline.decoding.bits import Data
from duco_rt.pipeline.decoding.described import DescribedMessage, DescribedSignal, Number
from duco_rt.pipeline.decoding.signals import Read, SignalPlan, compile_signal, raw_reader
from duco_rt.pipeline.decoding.windows import BlockPlan, compile_block

Decoded = dict[str, Number | None]

_LEAST, _MOST = -math.inf, math.inf


class Signals(NamedTuple):
    """Signals to read from one frame: field and reader, by the word that they are read from."""

    intel: tuple[tuple[str, Read], ...]
    motorola: tuple[tuple[str, Read], ...]

    def read(self, lo: int, hi: int, out: Decoded) -> None:
        """Add the value of every field; None where J1939 has none."""
        for field, read in self.intel:
            out[field] = read(lo)
        for field, read in self.motorola:
            out[field] = read(hi)


class Multiplexer(NamedTuple):
    """A multiplexer signal and what each of its raw values selects."""

    read: Callable[[int], int]
    intel: bool
    selects: dict[int, Signals]
    nested: dict[int, tuple[Multiplexer, ...]]

    def path(self, lo: int, hi: int) -> tuple[int, ...]:
        """The raw values of it and of the multiplexers within it, as far as they select something."""
        selected = self.read(lo if self.intel else hi)
        path: tuple[int, ...] = (selected,)
        for nested in self.nested.get(selected, ()):
            path += nested.path(lo, hi)
        return path

    def demultiplex(self, lo: int, hi: int, out: Decoded) -> None:
        """Add the fields of the selected pages."""
        selected = self.read(lo if self.intel else hi)
        if selected in self.selects:
            self.selects[selected].read(lo, hi, out)
        for nested in self.nested.get(selected, ()):
            nested.demultiplex(lo, hi, out)

    def selects_any(self, lo: int, hi: int) -> bool:
        """Whether the database knows the page of a frame."""
        selected = self.read(lo if self.intel else hi)
        nested = self.nested.get(selected, ())
        return selected in self.selects or any(each.selects_any(lo, hi) for each in nested)


class Page(NamedTuple):
    """Signals that are on the same pages: where each selector's raw value is one of its."""

    selectors: tuple[tuple[BlockPlan, NDArray[np.float64]], ...]
    block: BlockPlan

    def rows(self, data: Data) -> NDArray[np.intp]:
        """The rows of frames (n, bytes) that have the page."""
        chosen = np.ones(len(data), bool)
        for selector, values in self.selectors:
            chosen &= np.isin(selector.decode(data)[0], values)
        return np.flatnonzero(chosen)


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """A message. `source` is the sender that its id names.

    `names` has the signal of each field; `readers` how it is read, whether from the Intel word, and whether what is no
    value are its highest raw values, all of them. `may_lack`: a frame may have no value of a field (J1939's "not
    available", NaN).
    """

    name: str
    frame_id: int
    source: int
    length_bytes: int
    signals: Signals
    multiplexers: tuple[Multiplexer, ...]
    block: BlockPlan
    pages: tuple[Page, ...]
    names: dict[str, str]
    readers: dict[str, tuple[Read, bool, bool]]
    may_lack: bool

    @property
    def fields(self) -> tuple[str, ...]:
        """All its fields, each once."""
        return tuple(self.names)

    def words(self, data: bytes | memoryview) -> tuple[int, int]:
        """A frame of at least `length_bytes` as the two numbers that signals are read from."""
        data = data[: self.length_bytes]
        return int.from_bytes(data, "little"), int.from_bytes(data, "big")

    def decode(self, data: bytes | memoryview) -> Decoded:
        """Every field of a frame of at least `length_bytes`; None is J1939's "not available" or "error"."""
        lo, hi = self.words(data)
        out: Decoded = {}
        self.signals.read(lo, hi, out)
        for multiplexer in self.multiplexers:
            multiplexer.demultiplex(lo, hi, out)
        return out

    def blocks(self, data: Data) -> Iterator[tuple[BlockPlan, NDArray[np.intp] | None, Data]]:
        """What frames (n, bytes) hold: the plan of a block, the rows that have it (None: all), and their data."""
        if self.block.fields:
            yield self.block, None, data
        for page in self.pages:
            rows = page.rows(data)
            if len(rows):
                yield page.block, rows, data[rows]


def is_value(value: Number | None) -> bool:
    """Whether it can be stored and sent: not absent, not NaN, not infinite."""
    return value is not None and _LEAST < value < _MOST


def compile_message(
    message: DescribedMessage, names: dict[str, str], source: int, wanted: Collection[str] | None = None
) -> MessagePlan:
    """The plan of a message; `names` has the field of each signal that is read, `wanted` limits it to those fields."""
    plans = [
        compile_signal(signal, names[signal.name], message.length, message.j1939)
        for signal in message.signals
        if signal.name in names and (wanted is None or names[signal.name] in wanted)
    ]
    always = [plan for plan in plans if plan.signal.multiplexer is None]
    roots = [signal for signal in message.signals if signal.selects and signal.multiplexer is None]
    multiplexers = [_multiplexer(message, plans, signal) for signal in roots]
    return MessagePlan(
        message.name,
        message.frame_id,
        source,
        message.length,
        _signals(always),
        tuple(each for each in multiplexers if each.selects or each.nested),
        compile_block(always, message.length),
        _pages(message, plans),
        {plan.field: plan.signal.name for plan in plans},
        {plan.field: (plan.read, plan.signal.intel, plan.limit is not None and not plan.states) for plan in plans},
        any(plan.may_lack for plan in plans),
    )


def _signals(plans: Sequence[SignalPlan]) -> Signals:
    return Signals(
        tuple((plan.field, plan.read) for plan in plans if plan.signal.intel),
        tuple((plan.field, plan.read) for plan in plans if not plan.signal.intel),
    )


def _multiplexer(message: DescribedMessage, plans: Sequence[SignalPlan], signal: DescribedSignal) -> Multiplexer:
    """A multiplexer with those that are on its pages."""
    pages: dict[int, list[SignalPlan]] = {}
    for plan in plans:
        if plan.signal.multiplexer == signal.name:
            for value in plan.signal.pages:
                pages.setdefault(value, []).append(plan)
    nested: dict[int, tuple[Multiplexer, ...]] = {}
    for child in message.signals:
        if child.selects and child.multiplexer == signal.name:
            deeper = _multiplexer(message, plans, child)
            if deeper.selects or deeper.nested:
                for value in child.pages:
                    nested[value] = (*nested.get(value, ()), deeper)
    selects = {value: _signals(held) for value, held in pages.items()}
    return Multiplexer(raw_reader(signal, message.length), signal.intel, selects, nested)


def _pages(message: DescribedMessage, plans: Sequence[SignalPlan]) -> tuple[Page, ...]:
    """Multiplexed signals by the pages that they are on."""
    by_name = {signal.name: signal for signal in message.signals if signal.selects}
    chains: dict[tuple[tuple[str, tuple[int, ...]], ...], list[SignalPlan]] = {}
    for plan in plans:
        chain: list[tuple[str, tuple[int, ...]]] = []
        signal = plan.signal
        while signal.multiplexer in by_name and len(chain) < len(by_name):  # a text may have them in a ring
            chain.append((signal.multiplexer, signal.pages))
            signal = by_name[signal.multiplexer]
        if chain and signal.multiplexer is None:
            chains.setdefault(tuple(reversed(chain)), []).append(plan)
    return tuple(
        Page(
            tuple(
                (_selector(by_name[name], message.length), np.array(sorted(pages), np.float64)) for name, pages in chain
            ),
            compile_block(held, message.length),
        )
        for chain, held in chains.items()
    )


def _selector(signal: DescribedSignal, length_bytes: int) -> BlockPlan:
    """Reads the raw value of a multiplexer."""
    raw = msgspec.structs.replace(signal, scale=1, offset=0, signed=False, is_float=False)
    return compile_block([compile_signal(raw, signal.name, length_bytes, j1939_group=False)], length_bytes)
