"""Stored seconds to rows by stream, all at once: their stream tables are read as one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import EXTENDED, STREAM_TYPE, StreamKey, read_channels
from duco_rt.model import RawSecond
from duco_rt.pipeline.decoding.rows import Pieces, Reads, Rows, gather

_CHANNELS_MAX = 256


def read_stored(seconds: Sequence[RawSecond], reads: Reads, problems: Counter[str]) -> list[Rows]:
    """The frames of stored CAN seconds, which are in order, by stream.

    `problems` counts `unread_body`: seconds whose columns do not fit, which are left out.
    """
    found = rows_of_stored(seconds, reads)
    if found is None:
        each = [rows_of_stored([second], reads) for second in seconds]
        good = [second for second, rows in zip(seconds, each, strict=True) if rows is not None]
        problems["unread_body"] += len(seconds) - len(good)
        found = rows_of_stored(good, reads)
        if found is None:  # too many channels for one look
            found = [row for rows in each if rows is not None for row in rows]
    return found


def rows_of_stored(seconds: Sequence[RawSecond], reads: Reads | None = None) -> list[Rows] | None:
    """The frames of stored CAN seconds, which are in order, by stream; None where the columns of one do not fit.

    The parts of a second may come one by one. The column `order` is not needed. `reads` None: all are read.
    """
    if not seconds:
        return []
    try:
        heads = [read_channels(second.streams) for second in seconds]
        tables = [second.streams[at:] for second, (at, _) in zip(seconds, heads, strict=True)]
        sizes = np.array([len(table) // STREAM_TYPE.itemsize for table in tables], np.int64)
        table = np.frombuffer(b"".join(tables), STREAM_TYPE)
        channels, numbers = _channels([names for _, names in heads], sizes, table["channel"])
    except (ValueError, IndexError):
        return None
    counts, lengths = table["count"].astype(np.int64), table["length"].astype(np.int64)
    if not len(table) or not _fit(seconds, sizes, counts, counts * lengths):
        return None if len(table) or any(second.data or second.times for second in seconds) else []
    keys = table["id"].astype(np.uint64) << np.uint64(24) | numbers << np.uint64(16)
    keys |= table["flags"].astype(np.uint64) << np.uint64(8) | table["length"]
    found, owners = np.unique(keys, return_inverse=True)
    base_us = np.repeat([second.ts_ms * 1000 for second in seconds], sizes)
    times_us = np.frombuffer(b"".join([second.times for second in seconds]), "<i4")
    pieces = Pieces([_key(each, channels) for each in found.tolist()], owners, counts, base_us)
    return gather(pieces, times_us, b"".join([second.data for second in seconds]), reads)


def _channels(
    names: Sequence[list[str]], sizes: NDArray[np.int64], given: NDArray[np.uint8]
) -> tuple[list[str], NDArray[np.uint64]]:
    """The channels of all seconds, and which one each stream has: a second numbers its own. Raises IndexError."""
    if all(each == names[0] for each in names[1:]):
        if len(given) and int(given.max()) >= len(names[0]):
            raise IndexError("a stream of no channel")
        return names[0], given.astype(np.uint64)
    places: dict[str, int] = {}
    if len(set().union(*names)) > _CHANNELS_MAX:
        raise IndexError("more channels than a key has room for")
    maps = [np.array([places.setdefault(name, len(places)) for name in each], np.uint64) for each in names]
    ends = sizes.cumsum().tolist()
    parts = [own[given[end - n : end]] for own, n, end in zip(maps, sizes.tolist(), ends, strict=True)]
    return list(places), np.concatenate(parts)


def _fit(
    seconds: Sequence[RawSecond], sizes: NDArray[np.int64], counts: NDArray[np.int64], data_bytes: NDArray[np.int64]
) -> bool:
    """Whether each second's table tells how many times and bytes it has."""
    owners = np.repeat(np.arange(len(seconds)), sizes)
    frames = np.bincount(owners, counts, len(seconds)).tolist()
    size = np.bincount(owners, data_bytes, len(seconds)).tolist()
    given = [(len(second.times) / 4, len(second.data)) for second in seconds]
    return bool((counts > 0).all()) and given == list(zip(frames, size, strict=True))


def _key(packed: int, channels: Sequence[str]) -> StreamKey:
    can_id = packed >> 24
    extended = bool(can_id & EXTENDED)
    return channels[packed >> 16 & 0xFF], can_id & 0x1FFF_FFFF, extended, packed >> 8 & 0xFF, packed & 0xFF
