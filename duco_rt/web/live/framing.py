"""Frames for viewers who catch up: each sample once per field list and encoding, however many they are. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from duco_rt.web.live.fanout import Fanout
from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.frames import Encoding, frame
from duco_rt.web.live.place import Gap, Row
from duco_rt.web.live.protocol import gap_text
from duco_rt.web.live.recent import Entry
from duco_rt.web.live.samples import Sample, read_sample

V = TypeVar("V", bound=Hashable)

_KEPT_BYTES = 1024 * 1024
_MERGED_MAX = 256
_MERGED_STATS_MAX = 20
"""Lowest and highest of more samples take too long for a viewer that is slow anyway."""


class Framing:
    """Keeps what it made of the ring, 1 MiB at most: viewers tend to come back together."""

    def __init__(self, fanout: Fanout[V]) -> None:
        self._fanout = fanout
        self._kept: dict[tuple[int, FieldList, Encoding], bytes] = {}
        self._bytes = 0

    def frame(self, fields: FieldList, encoding: Encoding, item: Gap | Row | Entry) -> bytes:
        """One item of a place, finished."""
        if isinstance(item, Row):
            return self._of_row(fields, encoding, item, b"LIVE_DATA")
        if isinstance(item, Entry):
            return self._of_entry(fields, encoding, item)
        from_seq = None if item.reason == "unknown" else item.hole.from_seq
        return frame(gap_text(from_seq, item.hole.to_seq, item.reason), encoding)

    def fill(self, fields: FieldList, encoding: Encoding, row: Row) -> bytes:
        """A sample for a hole that was told of."""
        return self._of_row(fields, encoding, row, b"FILL")

    def merged(self, fields: FieldList, encoding: Encoding, entries: Sequence[Entry]) -> bytes:
        """The newest values of several samples; without stats where these are more than 20."""
        if len(entries) > _MERGED_STATS_MAX:
            fields = fields._replace(stats=())
        newest = [_read(entry) for entry in entries[-_MERGED_MAX:]]
        return self._fanout.merged(fields, encoding, newest, len(entries))

    def _of_row(self, fields: FieldList, encoding: Encoding, row: Row, kind: bytes) -> bytes:
        key = fields, encoding, kind
        found = row.frames.get(key)
        if found is None:
            found = row.frames[key] = self._fanout.frame(fields, encoding, row.sample, kind)
        return found

    def _of_entry(self, fields: FieldList, encoding: Encoding, entry: Entry) -> bytes:
        key = entry.index, fields, encoding
        found = self._kept.get(key)
        if found is None:
            if self._bytes > _KEPT_BYTES:
                self._kept.clear()
                self._bytes = 0
            found = self._kept[key] = self._fanout.frame(fields, encoding, _read(entry))
            self._bytes += len(found)
        return found


def _read(entry: Entry) -> Sample:
    return read_sample(entry.message, entry.wall_ms)
