"""The last value of every field in a second: no work for frames that a later one overwrites. Pure.

For a field that several senders give it is the newest value, whoever sent it. A frame in which J1939 has no value of a
field leaves the value that came before it in the second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from duco_rt.model import Value
from duco_rt.pipeline.decoding.messages import Decoded, MessagePlan, is_value
from duco_rt.pipeline.decoding.plan import ERROR_FRAME, UNKNOWN, Plan
from duco_rt.pipeline.decoding.whole import Slice

_Found = list[tuple[int, Decoded]]
"""Values with the time of their frame in µs."""


def last_values(plan: Plan, slices: Iterable[Slice], problems: Counter[str]) -> dict[str, Value]:
    """The last value of every field; `problems` counts frames: unknown_id, short_frame, error_frame, unknown_page."""
    found: _Found = []
    for each in slices:
        stream = each[0]
        match = plan.match(stream)
        if not match.messages:
            if match.kind == UNKNOWN:
                problems["unknown_id"] += stream.count
            elif match.kind == ERROR_FRAME:
                problems["error_frame"] += stream.count
            continue
        is_short = False
        for message in match.messages:
            if stream.length < message.length_bytes:
                is_short = True
            else:
                _last(message, each, found, problems)
        if is_short:
            problems["short_frame"] += stream.count
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
        values = {field: value for field, value in decoded.items() if is_value(value)}
        if len(values) < len(decoded) and stream.count > 1:
            _look_back(message, each, decoded.keys() - values.keys(), found)
        decoded = values
    found.append((int(times[-1]), decoded))


def _look_back(message: MessagePlan, each: Slice, lacking: Iterable[str], found: _Found) -> None:
    """Fields that the last frame has no value of: from the last frame that has one."""
    stream, times, data = each
    frames = np.frombuffer(data, np.uint8).reshape(stream.count, stream.length)
    wanted = set(lacking)
    for block, _, data_of_block in message.blocks(frames):
        with np.errstate(all="ignore"):  # a float's NaN or overflow is no value, and no warning
            values = block.decode(data_of_block)
        rows: dict[int, list[str]] = {}
        there = ~np.isnan(values)
        newest = stream.count - 1 - there[:, ::-1].argmax(axis=1)
        for i in np.flatnonzero(there.any(axis=1)).tolist():
            if block.fields[i] in wanted:
                rows.setdefault(int(newest[i]), []).append(block.fields[i])
        for row, fields in rows.items():
            decoded = message.decode(data[row * stream.length : (row + 1) * stream.length])
            found.append((int(times[row]), {field: decoded[field] for field in fields}))


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
