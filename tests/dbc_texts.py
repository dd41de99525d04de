"""DBC texts for tests: small ones from rows, and random ones by hypothesis."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.plan import Plan

J1939_TAIL = """
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_DEF_ "VFrameFormat" "J1939PG";
"""


def dbc_text(*messages: str, tail: str = "") -> str:
    """A text of messages, each `id name length` and then its signals, separated by lines."""
    parts = ['VERSION ""\n\nBS_:\n\nBU_: ECU\n']
    for message in messages:
        head, *signals = message.splitlines()
        can_id, name, length = head.split()
        rows = [f' SG_ {signal} [0|0] "" ECU' for signal in signals]
        parts.append("\n".join([f"BO_ {can_id} {name}: {length} ECU", *rows]) + "\n")
    return "\n".join(parts) + "\n" + tail


def plan_of(*texts: str | tuple[str, str]) -> Plan:
    """Compile texts; a pair is a bus and its text."""
    files = [
        ParsingFile(f"{n}.dbc", text) if isinstance(text, str) else ParsingFile(f"{n}.dbc", text[1], text[0])
        for n, text in enumerate(texts)
    ]
    return compile_here(Parsing("p", 1, tuple(files)))


@dataclass
class _Layout:
    """The bits of a message that are taken."""

    length: int
    taken: set[int]

    def place(self, rng: random.Random, bits: int, intel: bool) -> int | None:
        """A free place of that many bits: its DBC start bit, None where none was found."""
        for _ in range(20):
            first = rng.randrange(0, max(1, 8 * self.length - bits + 1))
            order = range(first, first + bits)
            # Motorola counts through the bytes from the top bit of each downwards.
            used = set(order) if intel else {8 * (n // 8) + 7 - n % 8 for n in order}
            if max(used) < 8 * self.length and not used & self.taken:
                self.taken |= used
                return first if intel else 8 * (first // 8) + 7 - first % 8
        return None


def _signal(rng: random.Random, layout: _Layout, name: str, mux: str, floats: list[str], can_id: int) -> str | None:
    """The text of a random signal in a free place; a float also goes to `floats`."""
    is_float = rng.random() < 0.2
    bits = rng.choice([32, 64]) if is_float else rng.choice([1, 2, 7, 8, 9, 16, 31, 32, 33, 63, 64])
    intel = rng.random() < 0.5
    start = layout.place(rng, bits, intel)
    if start is None:
        return None
    if is_float:
        floats.append(f"SIG_VALTYPE_ {can_id} {name} : {1 if bits == 32 else 2};")
    scale = rng.choice(["1", "1", "2", "0.1", "0.0078125", "-0.5", "1e-07"])
    offset = rng.choice(["0", "0", "-40", "0.25", "1e6"])
    sign = rng.choice("+-")
    return f' SG_ {name}{mux} : {start}|{bits}@{int(intel)}{sign} ({scale},{offset}) [0|0] "" ECU'


def _message(rng: random.Random, number: int, can_id: int, tail: list[str]) -> str:
    """A random message: plain, multiplexed, or multiplexed in two levels."""
    length = rng.choice([1, 2, 8, 8, 8, 24, 64])
    kind = rng.choice(["plain", "plain", "simple", "extended"]) if length >= 8 else "plain"
    rows: list[str] = []
    common = _Layout(length, set())
    pages: list[tuple[str, str, _Layout]] = []
    if kind != "plain":
        common.taken |= set(range(8))
        rows.append(f' SG_ M{number}_mux M : 0|4@1+ (1,0) [0|0] "" ECU')
        if kind == "extended":
            rows.append(f' SG_ M{number}_inner m1M : 4|4@1+ (1,0) [0|0] "" ECU')
            tail.append(f"SG_MUL_VAL_ {can_id} M{number}_inner M{number}_mux 1-2;")
    for n in range(rng.randrange(1, 4)):
        row = _signal(rng, common, f"M{number}_c{n}", "", tail, can_id)
        rows += [row] if row else []
    if kind != "plain":
        pages = [(f" m{page}", f"M{number}_mux", _Layout(length, set(common.taken))) for page in (0, 3)]
    if kind == "extended":
        pages += [(f" m{page}", f"M{number}_inner", _Layout(length, set(common.taken))) for page in (4, 5)]
    for at, (mux, parent, layout) in enumerate(pages):
        for n in range(rng.randrange(1, 3)):
            name = f"M{number}_p{at}_{n}"
            row = _signal(rng, layout, name, mux, tail, can_id)
            if row:
                rows.append(row)
                if kind == "extended":
                    page = mux.removeprefix(" m")
                    tail.append(f"SG_MUL_VAL_ {can_id} {name} {parent} {page}-{page};")
    return "\n".join([f"BO_ {can_id} Message{number}: {length} ECU", *rows]) + "\n"


def random_dbc_text(rng: random.Random) -> str:
    """A DBC of one to three messages with every kind of signal."""
    ids = [*rng.sample(range(0x800), 2), rng.randrange(1 << 29) | 1 << 31 | 0x800]
    tail: list[str] = []
    count = rng.randint(1, 3)
    messages = [_message(rng, n, can_id, tail) for n, can_id in enumerate(rng.sample(ids, count))]
    floats = sorted((row for row in tail), key=lambda row: row.startswith("SG_MUL"))
    return "\n".join(['VERSION ""\n\nBS_:\n\nBU_: ECU\n', *messages, *floats]) + "\n"


@st.composite
def random_dbc(draw: st.DrawFn) -> tuple[str, Sequence[int]]:
    """A DBC of one to three messages with every kind of signal, and the seed of frames for it."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    return random_dbc_text(rng), [rng.getrandbits(63) for _ in range(8)]
