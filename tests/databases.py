"""Random databases with every kind of signal, multiplexing and message, and random frames for them.

One seed gives the same database and frames again: everything comes from the `random.Random` that is passed in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.described import DescribedMessage, DescribedSignal
from duco_rt.pipeline.decoding.j1939 import value_limit

HEAD = """VERSION ""

BS_:

BU_: ECU

BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
"""

LENGTHS = (0, 1, 2, 3, 5, 7, 8, 8, 8, 8, 8, 8, 12, 20, 48, 64)
BITS = (1, 1, 2, 3, 4, 7, 8, 8, 9, 12, 16, 16, 24, 31, 32, 33, 40, 52, 53, 54, *range(57, 65), 65, 100, 128, 512)
SCALES = ("1", "1", "1", "1.0", "2", "-3", "1000", "0.1", "0.5", "0.0078125", "-0.25", "1e-07", "1E+15")
OFFSETS = ("0", "0", "0", "0.0", "-40", "1", "0.25", "-273.15", "1000000.0", "1e9")
NAMES = ("speed", "rpm", "load", "temp", "mode", "gear", *(f"s{n}" for n in range(12)))
MESSAGES = ("Engine", "Wheel", "Pump", "Gear")
STANDARD = (0, 0x100, 0x101, 0x7FF)
EXTENDED = (0x800, 0x100, 0x18FF0102, 0x1FFFFFFF)
GROUPS = (0xF004, 0xFEF1, 0x1F010, 0xEF00, 0x0100)
SOURCES = (0, 3, 0x21, 0xFE)
CHOICES = ("Other", "Not available", "Error", "on", "Reserved")


@dataclass
class _Layout:
    """The bits of a message of `length` bytes that are taken."""

    length: int
    taken: set[int] = field(default_factory=set)

    def copy(self) -> _Layout:
        return _Layout(self.length, set(self.taken))

    def place(self, rng: random.Random, bits: int, intel: bool) -> int | None:
        """A free place of that many bits: its DBC start bit, None where none was found."""
        if bits > 8 * self.length:
            return None
        for _ in range(6):
            first = rng.randrange(0, 8 * self.length - bits + 1)
            # Motorola counts through the bytes from the top bit of each downwards.
            used = {n if intel else n ^ 7 for n in range(first, first + bits)}
            if not used & self.taken:
                self.taken |= used
                return first if intel else first ^ 7
        return None


@dataclass
class _Writer:
    """One message on its way to text; `rows` are its signals, `tail` what stands at the end of the file."""

    rng: random.Random
    can_id: int
    tail: list[str]
    names: Iterator[str]
    rows: list[str] = field(default_factory=list)

    def signals(self, layout: _Layout, count: int, mux: tuple[str, Sequence[str]] | None = None) -> None:
        """Some signals in free places; `mux` is a multiplexer and the ranges of its pages that they are on."""
        for _ in range(count):
            rng, name = self.rng, next(self.names, None)
            is_float = rng.random() < 0.15
            bits = rng.choice((16, 32, 64)) if is_float else rng.choice(BITS)
            intel = rng.random() < 0.5
            start = layout.place(rng, bits, intel)
            if start is None or name is None:
                continue
            scale, offset = (rng.choice(SCALES), rng.choice(OFFSETS)) if rng.random() < 0.7 else ("1", "0")
            place = f"{start}|{bits}@{int(intel)}{rng.choice('+-')} ({scale},{offset})"
            self.row(name, "" if mux is None else self._page(name, mux), place)
            if is_float:
                self.tail.append(f"SIG_VALTYPE_ {self.can_id} {name} : {2 if bits == 64 else 1};")
            elif bits <= 16 and rng.random() < 0.3:
                top = (1 << bits) - 1
                named = {raw: rng.choice(CHOICES) for raw in (top, top - 1, 0)}
                texts = " ".join(f'{raw} "{text}"' for raw, text in named.items())
                self.tail.append(f"VAL_ {self.can_id} {name} {texts} ;")

    def row(self, name: str, mark: str, place: str) -> None:
        """The row of a signal."""
        self.rows.append(f' SG_ {name}{mark} : {place} [0|0] "" ECU')

    def _page(self, name: str, mux: tuple[str, Sequence[str]], selects: str = "") -> str:
        """The mark of a signal on all pages of the ranges or on one range of them."""
        parent, ranges = mux
        own = ranges if self.rng.random() < 0.6 else [self.rng.choice(ranges)]
        self.tail.append(f"SG_MUL_VAL_ {self.can_id} {name} {parent} {', '.join(own)};")
        return f" m{own[0].partition('-')[0]}{selects}"

    def multiplexer(self, layout: _Layout, depth: int = 0, mux: tuple[str, Sequence[str]] | None = None) -> set[int]:
        """A multiplexer with signals on its pages, some with one more in it; the bits that all of it may take."""
        rng, name = self.rng, next(self.names, None)
        bits, intel = rng.choice((1, 2, 3, 4, 8)), rng.random() < 0.7
        start = layout.place(rng, bits, intel)
        if start is None or name is None:
            return layout.taken
        scale, offset = rng.choice(((1, 0), (1, 0), (1, 0), (2, 1), (0.5, 0), (-1, 20)))
        sign = "+" if rng.random() < 0.7 else "-"
        mark = " M" if mux is None else self._page(name, mux, "M")
        self.row(name, mark, f"{start}|{bits}@{int(intel)}{sign} ({scale},{offset})")
        low, high = (0, 1 << bits) if sign == "+" else (-(1 << bits - 1), 1 << bits - 1)
        pages = sorted({int(raw * scale + offset) for raw in range(low, high)} & set(range(1 << 16)))
        self.signals(layout, rng.randrange(2), mux)
        taken = set(layout.taken)
        for ranges in _groups(rng, pages):
            own = layout.copy()
            self.signals(own, rng.randrange(1, 4), (name, ranges))
            taken |= own.taken
            if depth < 1 and rng.random() < 0.4:
                taken |= self.multiplexer(own, depth + 1, (name, ranges))
        return taken


def _groups(rng: random.Random, pages: Sequence[int]) -> Iterator[list[str]]:
    """Some pages in groups that share none, as ranges `first-last`."""
    if not pages:
        return
    cuts = sorted({rng.choice(pages) for _ in range(rng.randrange(2, 7))} | {pages[-1] + 1})
    ranges = [f"{at}-{rng.choice((at, to - 1))}" for at, to in pairwise(cuts)]
    while ranges:
        yield [ranges.pop(rng.randrange(len(ranges))) for _ in range(min(len(ranges), rng.choice((1, 1, 2))))]


def _message(rng: random.Random, name: str, can_id: int, tail: list[str], lengths: Sequence[int], plain: bool) -> str:
    """A random message: without signals, plain, or with one or two multiplexers."""
    length = rng.choice(lengths)
    signals = rng.sample(NAMES, len(NAMES))
    writer, layout = _Writer(rng, can_id, tail, iter(signals)), _Layout(length)
    writer.signals(layout, rng.choice((0, 1, 3, 6)))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2)) if length and not plain else 0):
        layout.taken |= writer.multiplexer(layout)
    return "\n".join([f"BO_ {can_id} {name}: {length} ECU", *writer.rows]) + "\n"


def random_text(rng: random.Random, *, groups: bool = True, plain: bool = False) -> str:
    """A DBC of one to four messages with ids of 11 and 29 bits, and J1939 groups where they are asked for.

    Ids, names and groups are of few, so that files have some in common. `plain`: no multiplexers.
    """
    tail: list[str] = []
    ids: dict[int, bool] = {}
    for _ in range(rng.randrange(1, 5)):
        kind = rng.choice(("standard", "extended", "group", "group") if groups else ("standard", "extended"))
        if kind == "standard":
            ids[rng.choice(STANDARD)] = False
        elif kind == "extended":
            ids.setdefault(rng.choice(EXTENDED) | 1 << 31, False)
        else:
            pgn, source = rng.choice(GROUPS), rng.choice(SOURCES)
            address = 0xFE if pgn >> 8 & 0xFF < 240 else 0
            ids[rng.choice((3, 6)) << 26 | (pgn | address) << 8 | source | 1 << 31] = True
    messages = []
    for name, (can_id, group) in zip(rng.sample(MESSAGES, len(ids)), ids.items(), strict=True):
        lengths = (*LENGTHS, 9, 30, 223) if group else LENGTHS
        messages.append(_message(rng, name, can_id, tail, lengths, plain))
        if group:
            tail.append(f'BA_ "VFrameFormat" BO_ {can_id} 3;')
    return "\n".join([HEAD, *messages, *tail]) + "\n"


def random_files(rng: random.Random) -> tuple[ParsingFile, ...]:
    """One to three databases for every bus or one, some the same text again, with and without sources kept apart."""
    texts = [random_text(rng) for _ in range(rng.choice((1, 1, 2)))]
    files = []
    for n in range(rng.choice((1, 2, 3))):
        sources = rng.choice(((), (), (), (0,), (3, 0x55)))
        files.append(ParsingFile(f"{n}.dbc", rng.choice(texts), rng.choice((None, "can1", "can2")), "dbc", sources))
    return tuple(files)


def bits_of(signal: DescribedSignal) -> range | list[int]:
    """Bit numbers of a signal, counted from bit 0 of byte 0, its highest bit first."""
    if signal.intel:
        return range(signal.start + signal.length - 1, signal.start - 1, -1)
    return [n ^ 7 for n in range(signal.start ^ 7, (signal.start ^ 7) + signal.length)]


def put_raw(data: bytearray, signal: DescribedSignal, raw: int) -> None:
    """Write a signal's raw value, as unsigned bits, into a frame."""
    for n in reversed(bits_of(signal)):
        data[n // 8] = data[n // 8] & ~(1 << n % 8) | (raw & 1) << n % 8
        raw >>= 1


def random_frame(rng: random.Random, message: DescribedMessage) -> bytes:
    """The data of a frame: zeros, ones, or random with special raw values and, mostly, pages that there are."""
    kind = rng.randrange(8)
    if kind < 2:
        return (b"\0", b"\xff")[kind] * message.length
    data = bytearray(rng.randbytes(message.length))
    for signal in message.signals:
        if rng.random() < 0.3:
            put_raw(data, signal, rng.choice(_special(signal)))
    for signal in message.signals:  # a multiplexer comes before those on its pages
        pages = [page for each in message.signals if each.multiplexer == signal.name for page in each.pages]
        if signal.selects and pages and rng.random() < 0.85:
            put_raw(data, signal, rng.choice(pages))
    return bytes(data)


def _special(signal: DescribedSignal) -> Sequence[int]:
    """Raw values at the borders: J1939's "error" and "not available", the sign, infinity and NaN."""
    top = (1 << signal.length) - 1
    limit = value_limit(signal.length) or 0
    float_ends = {16: (0x7C00, 0x7E00, 1), 32: (0x7F80_0000, 0xFFC0_0000, 1), 64: (0x7FF << 52, 0xFFF8 << 48, 1)}
    ends = float_ends[signal.length] if signal.is_float else (limit, limit - 1 & top, top >> 1)
    return (0, top, top - 1, (top >> 1) + 1, *ends)
