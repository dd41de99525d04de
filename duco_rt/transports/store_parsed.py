"""Samples to columns of the parsed table and back; the columns' meaning is in `store_sql`. Pure.

A block costs few Python steps a sample and none a value, as long as values are floats, bools, and ints up to 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, cast

import numpy as np

from duco_rt.errors import TransportError
from duco_rt.model import History, Sample, Span, SpanColumns, Value
from duco_rt.transports.store_native import Columns, Numbers, block, numbers, peers, text, untext
from duco_rt.transports.store_sql import BIG_INT, BOOL, FLOAT, INT, TEXT

_EXACT = 2**53
_KINDS = {float: FLOAT, int: INT, bool: BOOL}
_ODD = 0  # until it was looked at: a text, absent, of a type derived from these, or no value
_ONCE = Span(math.nan, math.nan, 1)
_UNKNOWN = Span(math.nan, math.nan, 0)
_PARTS = tuple(map(attrgetter, Span.__struct_fields__))
_COUNT_MAX = 2**32 - 1

Payload = dict[str, Value]


def parsed_blocks(samples: Sequence[Sample], values_max: int) -> Iterator[bytes]:
    """Yield Native blocks of about `values_max` values; all samples have a `seq`.

    Raises TransportError where a sample has what no column can hold.
    """
    start = values = 0
    for i, sample in enumerate(samples):
        values += len(sample.payload) + 1
        if values >= values_max or i + 1 == len(samples):
            yield _block(samples[start : i + 1])
            start, values = i + 1, 0


def _block(samples: Sequence[Sample]) -> bytes:
    columns = peers([sample.peer for sample in samples])
    columns["ts"] = ("Int64", numbers("Int64", [sample.ts_ms for sample in samples]))
    columns["seq"] = ("Int64", numbers("Int64", [cast(int, sample.seq) for sample in samples]))
    columns["received"] = ("Int64", numbers("Int64", [sample.received_ms for sample in samples]))
    payloads, kinds, nums, texts = _values(samples)
    low, high, counts = _spans(samples, payloads, kinds, nums)
    ends = np.cumsum([len(payload) for payload in payloads], dtype="<u8").tobytes()
    columns |= {
        "value.name": ("Array(String)", ends + _names(payloads)),
        "value.kind": ("Array(UInt8)", ends + kinds.tobytes()),
        "value.num": ("Array(Float64)", ends + nums.tobytes()),
        "value.text": ("Array(String)", ends + _texts(len(kinds), texts)),
        "value.min": ("Array(Float64)", ends + low.tobytes()),
        "value.max": ("Array(Float64)", ends + high.tobytes()),
        "value.count": ("Array(UInt32)", ends + counts.tobytes()),
    }
    return block(len(samples), columns)


def _values(samples: Sequence[Sample]) -> tuple[list[Payload], Numbers, Numbers, dict[int, bytes]]:
    """Return the payloads without absent values; of all their values kind, number, and at which places which text."""
    payloads = [sample.payload for sample in samples]
    while True:
        values = list(chain.from_iterable(payload.values() for payload in payloads))
        kinds = np.frombuffer(bytearray(map(_KINDS.get, map(type, values), repeat(_ODD))), "u1")
        nums, texts = _numbers(values, kinds)
        if kinds.all() and not np.isnan(nums).any():
            return payloads, kinds, nums, texts
        kept = [{name: v for name, v in payload.items() if not _is_absent(v)} for payload in payloads]
        if sum(map(len, kept)) == len(values):
            raise TransportError(f"store: {_foreign(samples)}")
        payloads = kept


def _numbers(values: list[Value], kinds: Numbers) -> tuple[Numbers, dict[int, bytes]]:
    """Return the values as numbers, and what is kept as text by its place; `kinds` of odd values are filled in."""
    texts: dict[int, bytes] = {}
    plain = list(values)
    for at in np.flatnonzero(kinds == _ODD).tolist():
        kinds[at], plain[at], words = _odd(values[at])
        if words:
            texts[at] = words
    try:
        nums = np.array(plain, "<f8")
        large = np.flatnonzero((kinds == INT) & (np.abs(nums) >= _EXACT)).tolist()
    except OverflowError:  # an int past the largest float
        large = np.flatnonzero(kinds == INT).tolist()
        nums = np.array([0 if isinstance(v, int) and abs(v) > _EXACT else v for v in plain], "<f8")
    for at in large:
        if abs(int(values[at])) > _EXACT:
            kinds[at], nums[at], texts[at] = BIG_INT, 0.0, text(str(int(values[at])))
    return nums, texts


def _odd(value: Value | None) -> tuple[int, float, bytes]:
    """Return kind, number and text of a value whose type is none of the usual; kind _ODD where there is none."""
    if isinstance(value, str):
        return TEXT, 0.0, text(value)
    if isinstance(value, float):
        return FLOAT, float(value), b""
    if isinstance(value, int):
        return INT, int(value), b""
    return _ODD, 0.0, b""


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _foreign(samples: Sequence[Sample]) -> str:
    every: Iterator[tuple[Sample, str, object]] = (
        (sample, name, value) for sample in samples for name, value in sample.payload.items()
    )
    return next(
        f"{name!r} of {sample.peer}: {type(value).__name__} is no value"
        for sample, name, value in every
        if value is not None and not isinstance(value, float | int | str)
    )


def _names(payloads: list[Payload]) -> bytes:
    lists: dict[tuple[str, ...], bytes] = {}
    parts = []
    for payload in payloads:
        names = tuple(payload)
        data = lists.get(names)
        if data is None:
            data = lists[names] = b"".join(map(text, names))
        parts.append(data)
    return b"".join(parts)


def _texts(count: int, texts: dict[int, bytes]) -> bytes:
    if not texts:
        return bytes(count)
    words = [b"\0"] * count
    for at, data in texts.items():
        words[at] = data
    return b"".join(words)


def _spans(
    samples: Sequence[Sample], payloads: list[Payload], kinds: Numbers, nums: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return min and max, NaN where it is the last value, and count, 0 where it is not known."""
    if all(sample.stats is None for sample in samples):
        nothing = np.full(len(kinds), math.nan, "<f8")
        return nothing, nothing, np.zeros(len(kinds), "<u4")
    spans = chain.from_iterable(
        repeat(_UNKNOWN, len(payload)) if sample.stats is None else map(sample.stats.get, payload, repeat(_ONCE))
        for sample, payload in zip(samples, payloads, strict=True)
    )
    low, high, counts = _flat(list(spans))
    # Of one value both are the last by what a span is; of several a NaN tells nothing.
    broken = (counts != 1) & (np.isnan(low) | np.isnan(high)) | ~(counts >= 1)
    none = broken | (kinds == TEXT)
    comparable = kinds != BIG_INT
    low[none | (low == nums) & comparable] = math.nan
    high[none | (high == nums) & comparable] = math.nan
    return low, high, np.where(broken, 0, np.minimum(counts, _COUNT_MAX)).astype("<u4")


def _flat(spans: list[Span]) -> list[Numbers]:
    try:
        return [np.fromiter(map(part, spans), "<f8", len(spans)) for part in _PARTS]
    except (AttributeError, OverflowError, TypeError, ValueError):  # such as an int past the largest float: not known
        return [np.array(column, "<f8") for column in zip(*map(_floats, spans), strict=True)]


def _floats(span: Span) -> tuple[float, float, float]:
    try:
        return float(span.min), float(span.max), float(span.count)
    except (AttributeError, OverflowError, TypeError, ValueError):
        return math.nan, math.nan, 0.0


def has_copies(columns: Columns) -> bool:
    """Whether a position comes twice in the answer to `select_history`."""
    if not columns:
        return False
    ts, seq = columns["ts"], columns["seq"]
    return bool(((ts[1:] == ts[:-1]) & (seq[1:] == seq[:-1])).any())


def history(columns: Columns, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False) -> History:
    """Return the answer to `select_history` of these fields, asked with the same `stats`."""
    found = History(from_ms, to_ms, [], [], {name: [] for name in fields})
    if not columns:
        if stats:
            found.stats.update({name: SpanColumns([], [], []) for name in fields})
        return found
    found.seq.extend(columns["seq"].tolist())
    found.ts.extend(columns["ts"].tolist())
    count = len(found.ts)
    if fields:
        row_of = np.repeat(np.arange(count), columns["field.size"].astype(np.int64))
        by_field = np.argsort(columns["field"], kind="stable")
        ends = np.searchsorted(columns["field"][by_field], np.arange(1, len(fields) + 2))
        for i, name in enumerate(fields):
            chosen = by_field[ends[i] : ends[i + 1]]
            rows = row_of[chosen]
            found.fields[name] = spread(values_at(columns, chosen), rows, count)
            if stats:
                found.stats[name] = _span_columns(columns, chosen, rows, count)
    return found


def values_at(columns: Columns, chosen: Numbers) -> list[Any]:
    """Return the values at some places of the columns `kind`, `num` and `text`."""
    kinds, nums = columns["kind"][chosen], columns["num"][chosen]
    if (kinds == FLOAT).all():
        return cast(list[Any], nums.tolist())
    if (kinds == INT).all():
        return cast(list[Any], nums.astype(np.int64).tolist())
    texts = columns["text"]
    return [
        num if kind == FLOAT else _value(kind, num, texts[at])
        for kind, num, at in zip(kinds.tolist(), nums.tolist(), chosen.tolist(), strict=True)
    ]


def _value(kind: int, num: float, words: bytes) -> Value | None:
    if kind == INT:
        return int(num)
    if kind == BOOL:
        return num != 0
    if kind == BIG_INT:
        return int(words)
    return untext(words) if kind == TEXT else None


def _span_columns(columns: Columns, chosen: Numbers, rows: Numbers, count: int) -> SpanColumns:
    kinds, last = columns["kind"][chosen], columns["num"][chosen].astype("<f8")
    for at in np.flatnonzero(kinds == BIG_INT).tolist():
        last[at] = _nearest(columns["text"][chosen[at]])
    last[kinds == TEXT] = math.nan
    counts = columns["count"][chosen]
    low, high = columns["min"][chosen], columns["max"][chosen]
    low, high = np.where(np.isnan(low), last, low), np.where(np.isnan(high), last, high)
    shown = ((low, np.isnan(low)), (high, np.isnan(high)), (counts, False))
    return SpanColumns(*(spread(or_none(column, none | (counts == 0)), rows, count) for column, none in shown))


def or_none(column: Numbers, none: Numbers) -> list[Any]:
    """Return the numbers of a column, None where `none` says so."""
    found = column.astype(object)
    found[none] = None
    return cast(list[Any], found.tolist())


def _nearest(words: bytes) -> float:
    try:
        return float(int(words))
    except OverflowError:
        return -math.inf if words.startswith(b"-") else math.inf


def spread(found: list[Any], rows: Numbers, count: int) -> list[Any]:
    """Return `count` values: those found at their rows, None at the others."""
    if len(found) == count:
        return found
    spread: list[Any] = [None] * count
    for row, value in zip(rows.tolist(), found, strict=True):
        spread[row] = value
    return spread
