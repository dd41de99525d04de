"""Raw rows to columns of the store and back, and its other answers; the columns' meaning is in `store_sql`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Literal, cast

from duco_rt.model import LastSeen, Peer, RawSecond
from duco_rt.transports.store_native import Columns, blob, block, numbers, peers, text, untext

_STILL_ARRIVES_MS = 60_000

Kind = Literal["can1", "json1", "unread"]


def raw_blocks(rows: Sequence[RawSecond], bytes_max: int) -> Iterator[bytes]:
    """Yield Native blocks of about `bytes_max`."""
    start = size = 0
    for i, row in enumerate(rows):
        size += len(row.order) + len(row.times) + len(row.data) + len(row.body)
        if size >= bytes_max or i + 1 == len(rows):
            yield _raw_block(rows[start : i + 1])
            start, size = i + 1, 0


def _raw_block(rows: Sequence[RawSecond]) -> bytes:
    columns = peers([row.peer for row in rows])
    columns["ts"] = ("Int64", numbers("Int64", [row.ts_ms for row in rows]))
    columns["seq"] = ("Int64", numbers("Int64", [row.seq for row in rows]))
    columns["part"] = ("UInt16", numbers("UInt16", [row.part for row in rows]))
    columns["received"] = ("Int64", numbers("Int64", [row.received_ms for row in rows]))
    columns["realtime"] = ("UInt8", bytes(row.realtime for row in rows))
    columns["kind"] = ("String", b"".join(text(row.kind) for row in rows))
    for name in ("streams", "order", "times", "data", "body"):
        columns[name] = ("String", b"".join(blob(getattr(row, name)) for row in rows))
    columns["parts"] = ("UInt16", numbers("UInt16", [row.parts for row in rows]))
    return block(len(rows), columns)


def raw_rows(peer: Peer, columns: Columns) -> list[RawSecond]:
    """Return rows in order of (ts, seq, part), of copies the one that was received last; a column not read is b""."""
    if not columns:
        return []
    found: dict[tuple[int, int, int], RawSecond] = {}
    values = [columns[name] for name in ("ts", "seq", "part", "received", "realtime")]
    names = ("kind", "streams", "order", "times", "data", "body")
    blobs = [columns.get(name) or repeat(b"", len(columns["ts"])) for name in names]
    for row in zip(*(column.tolist() for column in values), *blobs, columns["parts"].tolist(), strict=True):
        ts, seq, part, received, realtime, kind, *data = row
        there = found.get((ts, seq, part))
        if there is None or there.received_ms <= received:
            kind_ = cast(Kind, untext(kind))
            found[ts, seq, part] = RawSecond(peer, ts, seq, part, received, bool(realtime), kind_, *data)
    return [found[position] for position in sorted(found)]


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
