"""Signals of a message read together, as they are read one by one."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.pipeline.decoding.described import DescribedMessage, DescribedSignal
from duco_rt.pipeline.decoding.messages import compile_message, is_value
from duco_rt.pipeline.decoding.signals import compile_signal
from duco_rt.pipeline.decoding.windows import BlockPlan, compile_block
from tests.databases import random_frame
from tests.pipeline.decoding.reference import near


def block_of(*signals: DescribedSignal, length: int = 8, group: bool = False) -> BlockPlan:
    """The block of signals, which may overlap."""
    return compile_block([compile_signal(s, s.name, length, group) for s in signals], length)


def data_of(*frames: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Frames as an array."""
    return np.frombuffer(b"".join(frames), np.uint8).reshape(len(frames), len(frames[0]))


@st.composite
def messages(draw: st.DrawFn) -> DescribedMessage:
    """A message of signals anywhere, overlapping ones too."""
    length, rng = draw(st.sampled_from([1, 3, 8, 8, 11, 20, 64])), random.Random(draw(st.integers(0, 2**32)))
    signals = []
    for n in range(rng.randrange(12)):
        is_float = length >= 8 and rng.random() < 0.2
        bits = rng.choice((16, 32, 64)) if is_float else rng.randrange(1, min(80, 8 * length) + 1)
        intel, first = rng.random() < 0.5, rng.randrange(8 * length - bits + 1)
        scale, offset = rng.choice(((1, 0), (1, 0), (3, -7), (0.5, 0), (1e-7, 2.5), (1e200, 0.0)))
        choices = {(1 << bits) - 1: rng.choice(("Other", "Not available"))} if bits <= 64 else {}
        signed = rng.random() < 0.4
        place = first if intel else first ^ 7
        signals.append(DescribedSignal(f"s{n}", place, bits, intel, signed, is_float, scale, offset, choices=choices))
    return DescribedMessage("M", 1, True, length, tuple(signals), j1939=rng.random() < 0.5)


@given(messages(), st.integers(0, 4), st.sampled_from([0, 0, 5]), st.integers(0, 2**32))
def test_together_as_one_by_one(message: DescribedMessage, n: int, more: int, seed: int) -> None:
    """NaN exactly where there is no finite value; of longer frames and of no frame too."""
    rng = random.Random(seed)
    plan = compile_message(message, {s.name: s.name for s in message.signals}, 0)
    frames = [random_frame(rng, message) + rng.randbytes(more) for _ in range(n)]
    data = np.frombuffer(b"".join(frames), np.uint8).reshape(n, message.length + more)
    with np.errstate(all="ignore"):
        found = plan.block.decode(data)
    assert found.shape == (len(plan.block.fields), n) and sorted(plan.block.fields) == sorted(plan.fields)
    for column, frame in zip(found.T.tolist(), frames, strict=True):
        decoded = plan.decode(frame)
        for field, mine in zip(plan.block.fields, column, strict=True):
            value = decoded[field]
            if value is None or not is_value(value):
                assert math.isnan(mine), (field, value)
            else:
                assert near(mine, value, 7), (field, mine, value)


def test_it_writes_where_it_is_told() -> None:
    """Into a piece of a larger array, and nowhere else."""
    block, memory = block_of(DescribedSignal("a", 0, 8), DescribedSignal("b", 8, 8)), np.full((4, 2), -1.0)
    out = memory[1:3]
    assert block.decode(data_of(bytes(range(8)), bytes(range(8, 16))), out) is out
    assert memory.tolist() == [[-1, -1], [0, 8], [1, 9], [-1, -1]]


NO_VALUE: dict[str, tuple[DescribedSignal, dict[int, float]]] = {
    "byte": (DescribedSignal("s", 0, 8), {0xFD: 0xFD, 0xFE: math.nan, 0xFF: math.nan}),
    "word": (DescribedSignal("s", 0, 16), {0xFDFF: 0xFDFF, 0xFE00: math.nan, 0xFFFF: math.nan}),
    "code": (DescribedSignal("s", 0, 4), {13: 13, 14: math.nan, 15: math.nan}),
    "bit": (DescribedSignal("s", 0, 1), {0: 0, 1: 1}),
    "signed": (DescribedSignal("s", 0, 8, signed=True), {0xFE: -2, 0xFF: -1}),
    "long and signed": (DescribedSignal("s", 0, 64, signed=True), {2**64 - 1: -1, 2**64 - 2: -2, 2**63: -(2.0**63)}),
    "state": (DescribedSignal("s", 0, 4, choices={14: "Other", 15: "Error"}), {14: 14, 15: math.nan}),
    "scaled": (DescribedSignal("s", 0, 8, scale=0.5, offset=-40), {0xFD: 86.5, 0xFE: math.nan}),
}


@pytest.mark.parametrize("case", NO_VALUE)
def test_no_value_in_a_group(case: str) -> None:
    """Also beside signals that have one, in whatever order; elsewhere every number is a value."""
    signal, table = NO_VALUE[case]
    others = DescribedSignal("a", 0, 8), DescribedSignal("b", 0, 12, signed=True), DescribedSignal("c", 0, 1)
    for signals in ((signal,), (*others, signal), (signal, *others)):
        for group in (True, False):
            block = block_of(*signals, group=group)
            found = block.decode(data_of(*(raw.to_bytes(8, "little") for raw in table)))
            row = found[block.fields.index("s")].tolist()
            if group:
                assert repr(row) == repr([float(value) for value in table.values()])
            else:
                assert not any(map(math.isnan, row))


def test_what_makes_a_flat_form() -> None:
    """Whole numbers in windows; not floats, wide ones or states in the midst of what is no value."""
    plain, signed = DescribedSignal("a", 0, 8), DescribedSignal("b", 0, 64, signed=True)
    found = block_of(plain, signed, group=True).flat
    assert found is not None and found.shape == (9, 2) and not found.flags.writeable
    for other in (
        DescribedSignal("c", 0, 32, is_float=True),
        DescribedSignal("c", 0, 64),
        DescribedSignal("c", 0, 16, choices={0xFE80: "Other"}),
    ):
        assert block_of(plain, other, group=True).flat is None


def test_a_block_of_nothing() -> None:
    """No signals: no rows."""
    assert block_of().decode(data_of(bytes(8), bytes(8))).shape == (0, 2)
