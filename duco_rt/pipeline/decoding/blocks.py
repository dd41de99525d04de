"""Many blocks at once, in one piece of memory. Pure.

A block of many frames is a matrix operation of its own (`windows`). One second has few frames of each of many
messages: there the calls would cost far more than the work, so all such blocks are read as one flat array, a run a
signal:

```
words of the frames   w0 w1 w2 | v0 v1 …                 8-byte windows, block after block
values                w0 w1 w2 | w0 w1 w2 | v0 v1 …      a run a signal: (word << left) >> right, sign, scale, offset
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.pipeline.decoding.bits import Data, Values, words_of
from duco_rt.pipeline.decoding.windows import BlockPlan

_FEW_FRAMES = 128
_FLAT_VALUES = 8192


class Job(NamedTuple):
    """A block to read from the data (n, bytes) of its frames."""

    block: BlockPlan
    data: Data


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
    for i, (block, data) in enumerate(jobs):
        (many if block.flat is None or len(data) > _FEW_FRAMES else few).append(i)
    shapes = [(len(jobs[i].block.fields), len(jobs[i].data)) for i in few + many]
    rows, frames = np.array(shapes, np.int64).reshape(-1, 2).T
    sizes = frames.repeat(rows)
    values = np.empty(int(sizes.sum()))
    blocks: list[Values] = [values] * len(jobs)
    fields: list[str] = []
    start = 0
    for i, shape in zip(few + many, shapes, strict=True):
        end = start + shape[0] * shape[1]
        blocks[i] = values[start:end].reshape(shape)
        fields += jobs[i].block.fields
        start = end
    with np.errstate(all="ignore"):  # a float's NaN or overflow is no value, and no warning
        for i in many:
            jobs[i].block.decode(jobs[i].data, blocks[i])
        _decode_few([jobs[i] for i in few], sizes, values)
    return Runs(values, sizes, fields, blocks)


def _decode_few(jobs: Sequence[Job], sizes: NDArray[np.int64], values: Values) -> None:
    """The first runs of `values`, of jobs whose blocks have a flat form; some thousand at a time stay in the cache."""
    first = first_run = run = at = end = 0
    for i, (block, data) in enumerate(jobs):
        run += len(block.fields)
        end += len(block.fields) * len(data)
        if end - at >= _FLAT_VALUES or i + 1 == len(jobs):
            _decode_flat(jobs[first : i + 1], sizes[first_run:run], values[at:end])
            first, first_run, at = i + 1, run, end


def _decode_flat(jobs: Sequence[Job], sizes: NDArray[np.int64], out: Values) -> None:
    frames, first_word, at = list[Data](), list[int](), 0
    count = sum([len(data) * len(block.windows) for block, data in jobs])
    for block, data in jobs:
        n, length = data.shape
        for window in block.windows:
            frames.append(data if length == 8 else words_of(data, window.byte, False).view(np.uint8).reshape(n, 8))
            first_word += [at + count if window.big else at] * (window.end - window.first)
            at += n
    words = np.empty((2, count), np.uint64)  # all of them, then all with their bytes turned round
    np.concatenate(frames, out=words[0].view(np.uint8).reshape(count, 8))
    words[1] = words[0].byteswap()
    place = (np.array(first_word) - (sizes.cumsum() - sizes)).repeat(sizes)
    place += np.arange(len(out))
    raw = words.ravel().take(place)
    parameters = np.concatenate([block.flat for block, _ in jobs], axis=1)
    left, right, sign, last, scale, offset = parameters.repeat(sizes, axis=1)
    raw <<= left
    raw >>= right
    numbers, signs = raw.view(np.int64), sign.view(np.int64)
    np.multiply((numbers ^ signs) - signs, scale.view(np.float64), out=out)
    out += offset.view(np.float64)
    if any(block.may_lack for block, _ in jobs):
        out[raw > last] = np.nan
