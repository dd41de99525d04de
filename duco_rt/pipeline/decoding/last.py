"""The last value of every field in a second: no work for frames that a later one overwrites. Pure.

For a field that several senders give it is the newest value, whoever sent it. A frame in which J1939 has no value of a
field leaves the value that came before it in the second.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from duco_rt.model import Value
from duco_rt.pipeline.decoding.messages import Decoded, MessagePlan, is_value
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.whole import Slice, described

_LEAST, _MOST = -math.inf, math.inf
_FRAMES_MAX = 128
"""Of more frames than this an array costs less than a look at each."""

_Found = list[tuple[int, Decoded]]
"""Values with the time of their frame in µs."""


def last_values(plan: Plan, slices: Iterable[Slice], problems: Counter[str]) -> dict[str, Value]:
    """The last value of every field; `problems` counts frames: unknown_id, short_frame, error_frame, unknown_page."""
    found: _Found = []
    for message, each in described(plan, slices, problems):
        _last(message, each, found, problems)
    found.sort(key=_time)
    out: dict[str, Value] = {}
    for _, decoded in found:
        out.update(decoded)  # type: ignore[arg-type]  # _last leaves out what is no value
    return out


def _time(row: tuple[int, Decoded]) -> int:
    return row[0]


def _last(message: MessagePlan, each: Slice, found: _Found, problems: Counter[str]) -> None:
    """Add the last values that a stream has of a message."""
    stream, times, data = each
    if message.multiplexers:
        _last_of_pages(message, each, found, problems)
        return
    decoded = message.decode(data[-stream.length :] if stream.length else b"")
    if message.may_lack:
        lacking = [field for field, value in decoded.items() if value is None or not _LEAST < value < _MOST]
        for field in lacking:
            del decoded[field]
        if lacking and stream.count > 1:
            _look_back(message, each, lacking, found)
    found.append((int(times[-1]), decoded))


def _look_back(message: MessagePlan, each: Slice, lacking: list[str], found: _Found) -> None:
    """Fields that the last frame has no value of: from the last frame that has one."""
    stream, times, data = each
    n = stream.length
    rows: Sequence[int] = range(stream.count - 2, -1, -1)
    if stream.count > _FRAMES_MAX:
        rows = _newest_rows(message, each, lacking)
    else:
        lacking = _somewhere_given(message, data[:-n], n, lacking)
    for row in rows if lacking else ():
        lo, hi = message.words(data[row * n : row * n + n])
        there: Decoded = {}
        for field in lacking:
            read, intel, _ = message.readers[field]
            value = read(lo if intel else hi)
            if is_value(value):
                there[field] = value
        if there:
            found.append((int(times[row]), there))
            lacking = [field for field in lacking if field not in there]
            if not lacking:
                break


def _somewhere_given(message: MessagePlan, data: bytes | memoryview, n: int, lacking: list[str]) -> list[str]:
    """Without the fields that no frame has: most machines do not have all that a group has room for.

    What is no value is at the top of its range: where it is so of all frames' common bits, it is so of each.
    """
    lo = hi = -1
    for at in range(0, len(data), n):
        own_lo, own_hi = message.words(data[at : at + n])
        lo &= own_lo
        hi &= own_hi
    kept = []
    for field in lacking:
        read, intel, at_top = message.readers[field]
        if not at_top or read(lo if intel else hi) is not None:
            kept.append(field)
    return kept


def _newest_rows(message: MessagePlan, each: Slice, lacking: list[str]) -> list[int]:
    """The newest row of each of these fields that has a value of it, newest first: without a step a frame."""
    stream, _, data = each
    frames = np.frombuffer(data, np.uint8).reshape(stream.count, stream.length)
    with np.errstate(all="ignore"):  # a float's NaN or overflow is no value, and no warning
        there = ~np.isnan(message.block.decode(frames))
    newest = stream.count - 1 - there[:, ::-1].argmax(axis=1)
    wanted = [i for i in np.flatnonzero(there.any(axis=1)).tolist() if message.block.fields[i] in lacking]
    return sorted(set(newest[wanted].tolist()), reverse=True)


def _last_of_pages(message: MessagePlan, each: Slice, found: _Found, problems: Counter[str]) -> None:
    """Of a multiplexed message the last frame of every page, newest first."""
    stream, times, data = each
    done: set[tuple[int, ...]] = set()
    held: set[str] = set()
    n = stream.length
    for row in range(stream.count - 1, -1, -1):
        frame = data[row * n : (row + 1) * n]
        lo, hi = message.words(frame)
        path: tuple[int, ...] = ()
        for multiplexer in message.multiplexers:
            path += multiplexer.path(lo, hi)
            if not multiplexer.selects_any(lo, hi):
                problems["unknown_page"] += 1
        if path in done:
            continue
        decoded = message.decode(frame)
        values = {field: value for field, value in decoded.items() if field not in held and is_value(value)}
        held |= values.keys()
        if held >= decoded.keys():
            done.add(path)
        if values:
            found.append((int(times[row]), values))
