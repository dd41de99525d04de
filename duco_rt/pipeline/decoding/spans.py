"""What each field did within a second: lowest, highest and number of values, so that a spike inside it shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from duco_rt.model import Span, Stats
from duco_rt.pipeline.decoding.blocks import Job, decode_blocks, jobs_of
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.whole import Slice, described


def spans(plan: Plan, slices: Iterable[Slice]) -> Stats:
    """The spans of fields that have several values among these frames."""
    given = list(described(plan, slices, Counter()))
    senders = Counter([message.name for message, _ in given])
    jobs: list[Job] = []
    for message, (stream, _, data) in given:
        if stream.count > 1 or senders[message.name] > 1:
            jobs += [job for job, _ in jobs_of(message, stream, data)]
    return _spans(jobs) if jobs else {}


def _spans(jobs: list[Job]) -> Stats:
    values, sizes, fields, _ = decode_blocks(jobs)
    starts = sizes.cumsum() - sizes
    if any(block.may_lack for block, *_ in jobs):
        sizes = np.add.reduceat(~np.isnan(values), starts, dtype=np.int64)
        lows, highs = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    else:
        lows, highs = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    every = list(map(Span, lows.tolist(), highs.tolist(), sizes.tolist()))
    found = dict(zip(fields, every, strict=True))
    if len(found) < len(fields):  # several senders
        found = {}
        for field, span in zip(fields, every, strict=True):
            found[field] = _joined(found[field], span) if field in found and span.count else found.get(field) or span
    return found if sizes.min() > 1 else {field: span for field, span in found.items() if span.count > 1}


def _joined(there: Span, other: Span) -> Span:
    """What several senders gave."""
    if not there.count:
        return other
    return Span(min(there.min, other.min), max(there.max, other.max), there.count + other.count)
