"""Many blocks at once, as they are one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.pipeline.decoding import blocks
from duco_rt.pipeline.decoding.blocks import Job, decode_blocks, job_of
from duco_rt.pipeline.decoding.described import DescribedSignal
from duco_rt.pipeline.decoding.signals import compile_signal
from duco_rt.pipeline.decoding.windows import BlockPlan, compile_block

KINDS: dict[str, list[DescribedSignal]] = {
    "plain": [DescribedSignal("a", 0, 8), DescribedSignal("b", 15, 12, intel=False)],
    "signed": [DescribedSignal("c", 0, 64, signed=True), DescribedSignal("d", 3, 1, signed=True)],
    "scaled": [DescribedSignal("e", 4, 20, scale=0.5, offset=-40), DescribedSignal("f", 0, 63, scale=-3)],
    "float": [DescribedSignal("g", 0, 32, is_float=True), DescribedSignal("h", 32, 8)],
    "wide": [DescribedSignal("i", 0, 64), DescribedSignal("j", 0, 2)],
    "state": [DescribedSignal("k", 0, 4, choices={14: "Other"})],
}


def block(kind: str, group: bool) -> BlockPlan:
    """The block of one kind of signals."""
    return compile_block([compile_signal(signal, signal.name, 8, group) for signal in KINDS[kind]], 8)


BLOCKS = {(kind, group): block(kind, group) for kind in KINDS for group in (False, True)}


def data(rng: random.Random, n: int, length: int = 8) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Frames of random bytes, zeros and ones."""
    frames = [rng.choice((rng.randbytes(length), b"\xff" * length, bytes(length))) for _ in range(n)]
    return np.frombuffer(b"".join(frames), np.uint8).reshape(n, length)


def check(jobs: list[Job]) -> None:
    """The values of each job, and the same as runs."""
    runs = decode_blocks(jobs)
    with np.errstate(all="ignore"):
        wanted = [job.block.decode(np.frombuffer(job.data, np.uint8).reshape(job.frames, job.length)) for job in jobs]
    assert len(runs.blocks) == len(jobs)
    for found, each in zip(runs.blocks, wanted, strict=True):
        assert found.shape == each.shape
        assert np.array_equal(found, each, equal_nan=True)
    ends = runs.sizes.cumsum().tolist()
    got = sorted(
        (field, runs.values[end - size : end].tobytes())
        for field, size, end in zip(runs.fields, runs.sizes.tolist(), ends, strict=True)
    )
    rows = [
        (f, row.tobytes())
        for job, each in zip(jobs, runs.blocks, strict=True)
        for f, row in zip(job.block.fields, each, strict=True)
    ]
    assert got == sorted(rows)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(BLOCKS)), st.integers(1, 6), st.sampled_from([8, 8, 9])), max_size=8),
    st.sampled_from([(0, 1), (3, 7), (128, 8192), (3, 1)]),
    st.integers(0, 2**32),
)
def test_any_jobs(kinds: list[tuple[tuple[str, bool], int, int]], sizes: tuple[int, int], seed: int) -> None:
    """Of blocks that have a flat form and of others, of few and of many frames."""
    rng = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_FEW_FRAMES", sizes[0])
        patch.setattr(blocks, "_FLAT_VALUES", sizes[1])
        check([job_of(BLOCKS[kind], data(rng, n, length)) for kind, n, length in kinds])


@pytest.mark.parametrize("n", [1, 127, 128, 129, 1000])
def test_sizes_at_the_border(n: int) -> None:
    """Beside small ones, whichever way it is read."""
    rng = random.Random(n)
    check([job_of(each, data(rng, size)) for each in BLOCKS.values() for size in (2, n)])


@pytest.mark.parametrize("jobs", [62, 63, 64, 65, 200])
def test_values_at_the_border(jobs: int) -> None:
    """64 blocks of two signals and 64 frames are all that is read at once."""
    rng = random.Random(jobs)
    check([job_of(BLOCKS["plain", True], data(rng, 64)) for _ in range(jobs)])


def test_a_minus_one_of_64_bits_is_a_value() -> None:
    """Though its bits are all ones, beside another block where these are "not available"."""
    ones = np.full((1, 8), 0xFF, np.uint8)
    runs = decode_blocks([job_of(BLOCKS["signed", True], ones), job_of(BLOCKS["plain", True], ones)])
    assert runs.blocks[0].tolist() == [[-1.0], [-1.0]]
    assert np.isnan(runs.blocks[1]).all()


def test_no_jobs() -> None:
    """Nothing of nothing."""
    runs = decode_blocks([])
    assert (runs.values.size, runs.sizes.size, runs.fields, runs.blocks) == (0, 0, [], [])
