"""Rows of the model to columns of the store and back; the columns' meaning is in `store_sql`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, cast

import numpy as np

from duco_rt.errors import TransportError
from duco_rt.model import History, LastSeen, Peer, RawSecond, Sample, Value
from duco_rt.transports.store_native import Columns, Numbers, blob, block, numbers, text, untext
from duco_rt.transports.store_sql import BIG_INT, BOOL, FLOAT, INT, TEXT

_EXACT = 2**53
_NAME_LISTS = 1024
_STILL_ARRIVES_MS = 60_000

Kind = Literal["can1", "json1", "unread"]


def _peer(peers: Sequence[Peer]) -> dict[str, tuple[str, bytes]]:
    return {
        "tenant": ("String", b"".join(text(peer.tenant) for peer in peers)),
        "chassisId": ("String", b"".join(text(peer.chassis_id) for peer in peers)),
        "msgType": ("String", b"".join(text(peer.msg_type) for peer in peers)),
    }


def raw_blocks(rows: Sequence[RawSecond], bytes_max: int) -> Iterator[bytes]:
    """Yield Native blocks of about `bytes_max`."""
    start = size = 0
    for i, row in enumerate(rows):
        size += len(row.order) + len(row.times) + len(row.data) + len(row.body)
        if size >= bytes_max or i + 1 == len(rows):
            yield _raw_block(rows[start : i + 1])
            start, size = i + 1, 0


def _raw_block(rows: Sequence[RawSecond]) -> bytes:
    columns = _peer([row.peer for row in rows])
    columns["ts"] = ("Int64", numbers("Int64", [row.ts_ms for row in rows]))
    columns["seq"] = ("Int64", numbers("Int64", [row.seq for row in rows]))
    columns["part"] = ("UInt16", numbers("UInt16", [row.part for row in rows]))
    columns["received"] = ("Int64", numbers("Int64", [row.received_ms for row in rows]))
    columns["realtime"] = ("UInt8", bytes(row.realtime for row in rows))
    columns["kind"] = ("String", b"".join(text(row.kind) for row in rows))
    for name in ("streams", "order", "times", "data", "body"):
        columns[name] = ("String", b"".join(blob(getattr(row, name)) for row in rows))
    return block(len(rows), columns)


def raw_rows(peer: Peer, columns: Columns) -> list[RawSecond]:
    """Return rows in order of (ts, seq, part), of copies the one that was received last."""
    if not columns:
        return []
    found: dict[tuple[int, int, int], RawSecond] = {}
    values = [columns[name] for name in ("ts", "seq", "part", "received", "realtime")]
    blobs = [columns[name] for name in ("kind", "streams", "order", "times", "data", "body")]
    for row in zip(*(column.tolist() for column in values), *blobs, strict=True):
        ts, seq, part, received, realtime, kind, *data = row
        there = found.get((ts, seq, part))
        if there is None or there.received_ms <= received:
            kind_ = cast(Kind, untext(kind))
            found[ts, seq, part] = RawSecond(peer, ts, seq, part, received, bool(realtime), kind_, *data)
    return [found[position] for position in sorted(found)]


def parsed_blocks(samples: Sequence[Sample], samples_max: int) -> Iterator[bytes]:
    """Yield Native blocks of at most `samples_max`; all samples have a `seq`."""
    for start in range(0, len(samples), samples_max):
        yield _parsed_block(samples[start : start + samples_max])


def _parsed_block(samples: Sequence[Sample]) -> bytes:
    columns = _peer([sample.peer for sample in samples])
    columns["ts"] = ("Int64", numbers("Int64", [sample.ts_ms for sample in samples]))
    columns["seq"] = ("Int64", numbers("Int64", [cast(int, sample.seq) for sample in samples]))
    columns["received"] = ("Int64", numbers("Int64", [sample.received_ms for sample in samples]))
    values = _Values()
    for sample in samples:
        values.add(sample)
    return block(len(samples), {**columns, **values.columns()})


class _Values:
    """The four arrays of values of a block's samples: name, kind, num, text."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._end = 0
        self._names: list[bytes] = []
        self._kinds = bytearray()
        self._nums: list[float] = []
        self._texts: list[bytes] = []
        self._lists: dict[tuple[str, ...], bytes] = {}

    def add(self, sample: Sample) -> None:
        payload = sample.payload
        values = payload.values()
        # Nearly every sample: floats alone, the same fields as the one before.
        if all(type(value) is float for value in values) and not math.isnan(sum(values)):  # type: ignore[arg-type]
            self._names.append(self._name_list(tuple(payload)))
            self._kinds += bytes([FLOAT]) * len(payload)
            self._nums += values  # type: ignore[arg-type]
            self._texts.append(bytes(len(payload)))
            self._end += len(payload)
        else:
            for name, value in payload.items():
                self._add_value(sample, name, value)
        self._ends.append(self._end)

    def _name_list(self, names: tuple[str, ...]) -> bytes:
        data = self._lists.get(names)
        if data is None:
            if len(self._lists) >= _NAME_LISTS:
                self._lists.clear()
            data = self._lists[names] = b"".join(map(text, names))
        return data

    def _add_value(self, sample: Sample, name: str, value: Value | None) -> None:
        if value is None or value != value:
            return
        kind, num, words = FLOAT, 0.0, b"\0"
        if isinstance(value, bool):
            kind, num = BOOL, float(value)
        elif isinstance(value, int):
            exact = -_EXACT <= value <= _EXACT
            kind, num, words = (INT, float(value), words) if exact else (BIG_INT, 0.0, text(str(value)))
        elif isinstance(value, float):
            num = value
        elif isinstance(value, str):
            kind, words = TEXT, text(value)
        else:
            raise TransportError(f"store: {name!r} of {sample.peer}: {type(value).__name__} is no value")
        self._names.append(text(name))
        self._kinds.append(kind)
        self._nums.append(num)
        self._texts.append(words)
        self._end += 1

    def columns(self) -> dict[str, tuple[str, bytes]]:
        ends = numbers("Int64", self._ends)
        return {
            "value.name": ("Array(String)", ends + b"".join(self._names)),
            "value.kind": ("Array(UInt8)", ends + bytes(self._kinds)),
            "value.num": ("Array(Float64)", ends + numbers("Float64", self._nums)),
            "value.text": ("Array(String)", ends + b"".join(self._texts)),
        }


def has_copies(columns: Columns) -> bool:
    """Whether a position comes twice in the answer to `select_history`."""
    if not columns:
        return False
    ts, seq = columns["ts"], columns["seq"]
    return bool(((ts[1:] == ts[:-1]) & (seq[1:] == seq[:-1])).any())


def history(columns: Columns, fields: Sequence[str], from_ms: int, to_ms: int) -> History:
    """Return the answer to `select_history` of these fields."""
    if not columns:
        return History(from_ms, to_ms, [], [], {name: [] for name in fields})
    count = len(columns["ts"])
    values: dict[str, list[Value | None]] = {}
    if fields:
        row_of = np.repeat(np.arange(count), columns["field.size"].astype(np.int64))
        by_field = np.argsort(columns["field"], kind="stable")
        ends = np.searchsorted(columns["field"][by_field], np.arange(1, len(fields) + 2))
        for i, name in enumerate(fields):
            values[name] = _values(columns, count, row_of, by_field[ends[i] : ends[i + 1]])
    return History(from_ms, to_ms, columns["seq"].tolist(), columns["ts"].tolist(), values)


def _values(columns: Columns, count: int, row_of: Numbers, chosen: Numbers) -> list[Value | None]:
    kinds, nums = columns["kind"][chosen], columns["num"][chosen].tolist()
    found: list[Value | None] = nums
    if (kinds != FLOAT).any():
        texts = columns["text"]
        found = [
            num if kind == FLOAT else _value(kind, num, texts[at])
            for kind, num, at in zip(kinds.tolist(), nums, chosen.tolist(), strict=True)
        ]
    if len(found) == count:
        return found
    spread: list[Value | None] = [None] * count
    for row, value in zip(row_of[chosen].tolist(), found, strict=True):
        spread[row] = value
    return spread


def _value(kind: int, num: float, words: bytes) -> Value | None:
    if kind == INT:
        return int(num)
    if kind == BOOL:
        return num != 0
    if kind == BIG_INT:
        return int(words)
    return untext(words) if kind == TEXT else None


def last_seen(tenant: str, columns: Columns) -> dict[Peer, LastSeen]:
    """Return the answer to `select_last_seen`: the newest position, as long as it still arrives.

    A machine that lost its memory of seq begins below what it had: then the newest arrival is its newest second.
    """
    if not columns:
        return {}
    names = ("received", "seq", "ts", "realtime")
    numbers_ = (columns[f"{which}_{name}"].tolist() for which in "ap" for name in names)
    found = {}
    for chassis, kind, *rest in zip(columns["chassis"], columns["type"], *numbers_, strict=True):
        arrival, position = rest[:4], rest[4:]
        received, seq, ts, realtime = position if arrival[0] - position[0] <= _STILL_ARRIVES_MS else arrival
        found[Peer(tenant, untext(chassis), untext(kind))] = LastSeen(ts, received, seq, bool(realtime), arrival[0])
    return found


def partitions(columns: Columns) -> dict[int, tuple[str, int]]:
    """Return the answer to `select_partitions`: day → id, bytes on disk."""
    if not columns:
        return {}
    rows = zip(columns["partition_id"], columns["day"], columns["bytes"].tolist(), strict=True)
    return {int(day): (untext(name), size) for name, day, size in rows}
