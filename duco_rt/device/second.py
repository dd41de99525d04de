"""Collect the frames of one second into columns. Pure."""

from __future__ import annotations

import numpy as np

from duco_rt.body import CanSecond, Stream, StreamKey, order_type


class SecondBuilder:
    """The open second. `add` is the hot path: one dictionary look-up and three appends a frame."""

    def __init__(self) -> None:
        self._index: dict[StreamKey, int] = {}
        self._order: list[int] = []
        self._times: list[list[int]] = []
        self._data: list[list[bytes]] = []

    def __len__(self) -> int:
        return len(self._order)

    def add(self, key: StreamKey, time_us: int, data: bytes) -> None:
        """A frame in order of arrival; `time_us` from any fixed moment, `data` of the key's length."""
        at = self._index.get(key)
        if at is None:
            at = self._index[key] = len(self._times)
            self._times.append([])
            self._data.append([])
        self._order.append(at)
        self._times[at].append(time_us)
        self._data[at].append(data)

    def close(self, ts_ms: int, seq: int) -> CanSecond:
        """The second; times become µs from `ts_ms`, and the builder is empty again."""
        keys, order, times, data = list(self._index), self._order, self._times, self._data
        self.__init__()  # type: ignore[misc]  # one place that knows what empty is
        streams = tuple(Stream(*key, count=len(rows)) for key, rows in zip(keys, times, strict=True))
        flat = np.array([t for rows in times for t in rows], np.int64) - ts_ms * 1000
        limit = np.iinfo(np.int32)
        return CanSecond(
            ts_ms,
            seq,
            0,
            1,
            streams,
            np.array(order, order_type(len(streams))),
            np.clip(flat, limit.min, limit.max).astype(np.int32),
            b"".join(frame for rows in data for frame in rows),
        )
