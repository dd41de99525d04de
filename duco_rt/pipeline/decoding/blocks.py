"""Many blocks at once, in one piece of memory. Pure.

A block of many frames is a matrix operation of its own (`windows`). One second has few frames of each of many
messages: there the calls would cost far more than the work, so all such blocks are read as one flat array, a run a
signal:

```
frames   w0 w1 w2 | v0 v1 …                 their data, block after block
values   w0 w1 w2 | w0 w1 w2 | v0 v1 …      a run a signal: (window << left) >> right, sign, scale, offset
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import Stream
from duco_rt.pipeline.decoding.bits import Data, Values
from duco_rt.pipeline.decoding.messages import MessagePlan
from duco_rt.pipeline.decoding.windows import BlockPlan

Numbers = NDArray[np.int64]

_FEW_FRAMES = 128
_FLAT_VALUES = 8192


class Job(NamedTuple):
    """A block to read from `frames` frames of `length` bytes each, one after the other in `data`."""

    block: BlockPlan
    data: bytes | memoryview | Data
    frames: int
    length: int


def job_of(block: BlockPlan, data: Data) -> Job:
    """A block to read from frames (n, bytes)."""
    return Job(block, data, *data.shape)


def jobs_of(
    message: MessagePlan, stream: Stream, data: bytes | memoryview | Data
) -> Sequence[tuple[Job, NDArray[np.intp] | None]]:
    """What frames of a stream hold of a message, each with the rows that have it (None: all)."""
    n, length = stream.count, stream.length
    if not message.pages:
        return ((Job(message.block, data, n, length), None),) if message.block.fields else ()
    frames = np.frombuffer(data, np.uint8).reshape(n, length)
    return [(job_of(block, chosen), rows) for block, rows, chosen in message.blocks(frames)]


class Runs(NamedTuple):
    """Values of jobs, a run a field: `values` flat; run i has `sizes[i]` of them and is of `fields[i]`.

    `blocks` are the same values by job, in the order of the jobs: (fields, frames). NaN where there is no value.
    """

    values: Values
    sizes: NDArray[np.int64]
    fields: list[str]
    blocks: list[Values]


def decode_blocks(jobs: Sequence[Job]) -> Runs:
    """Physical values of all jobs."""
    few, many = list[int](), list[int]()
    for i, (block, _, n, _) in enumerate(jobs):
        (many if block.flat is None or n > _FEW_FRAMES else few).append(i)
    order = few + many
    shapes = [(len(jobs[i].block.fields), jobs[i].frames) for i in order]
    rows, frames = np.array(shapes, np.int64).reshape(-1, 2).T
    sizes = frames.repeat(rows)
    values = np.empty(int(sizes.sum()))
    blocks: list[Values] = [values] * len(jobs)
    fields: list[str] = []
    start = 0
    for i, shape in zip(order, shapes, strict=True):
        end = start + shape[0] * shape[1]
        blocks[i] = values[start:end].reshape(shape)
        fields += jobs[i].block.fields
        start = end
    with np.errstate(all="ignore"):  # a float's NaN or overflow is no value, and no warning
        for i in many:
            block, data, n, length = jobs[i]
            block.decode(np.frombuffer(data, np.uint8).reshape(n, length), blocks[i])
        if few:
            _decode_few([jobs[i] for i in few], rows, frames, sizes, values)
    return Runs(values, sizes, fields, blocks)


def _decode_few(jobs: Sequence[Job], rows: Numbers, frames: Numbers, sizes: Numbers, values: Values) -> None:
    """The first runs of `values`, of jobs whose blocks have a flat form; some thousand at a time stay in the cache."""
    first = first_run = run = at = end = 0
    for i, (block, _, n, _) in enumerate(jobs):
        run += len(block.fields)
        end += len(block.fields) * n
        if end - at >= _FLAT_VALUES or i + 1 == len(jobs):
            some = slice(first, i + 1)
            _decode_flat(jobs[some], rows[some], frames[some], sizes[first_run:run], values[at:end])
            first, first_run, at = i + 1, run, end


def _decode_flat(jobs: Sequence[Job], rows: Numbers, frames: Numbers, sizes: Numbers, out: Values) -> None:
    """Fill `out` with the runs of jobs."""
    data = b"".join([*[job.data for job in jobs], bytes(8)])  # type: ignore[list-item]  # arrays are buffers, too
    windows = np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))  # the 8 bytes from each byte on
    flat = np.concatenate([job.block.flat for job in jobs], axis=1)
    lengths = np.array([job.length for job in jobs])
    job_bytes = frames * lengths
    # A run's value i is in the window at start + i * length: what lies behind a frame's end is shifted away.
    steps = lengths.repeat(rows)
    starts = (job_bytes.cumsum() - job_bytes).repeat(rows) + flat[5].view(np.int64)
    place = np.arange(len(out)) * steps.repeat(sizes)
    place += (starts - (sizes.cumsum() - sizes) * steps).repeat(sizes)
    raw = windows.take(place)
    if any(job.block.has_big for job in jobs):
        np.copyto(raw, raw.byteswap(), where=flat[6].astype(bool).repeat(sizes))
    left, right, sign, none, count, _, _, scale, offset = flat
    raw <<= left.repeat(sizes)
    raw >>= right.repeat(sizes)
    numbers = raw.view(np.int64)
    if any(job.block.has_signed for job in jobs):
        signs = sign.view(np.int64).repeat(sizes)
        numbers = numbers ^ signs
        numbers -= signs
    np.multiply(numbers, scale.view(np.float64).repeat(sizes), out=out)
    if any(job.block.offset is not None for job in jobs):
        out += offset.view(np.float64).repeat(sizes)
    if any(job.block.may_lack for job in jobs):
        out[raw - none.repeat(sizes) < count.repeat(sizes)] = np.nan
