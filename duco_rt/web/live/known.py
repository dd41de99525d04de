"""The last value of every field of a machine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.recent import Entry
from duco_rt.web.live.samples import Sample

_NAMES_MAX = 20_000


class LastKnown(NamedTuple):
    """Values as JSON text with their `ts`, and position and arrival of the newest sample (None: none was seen)."""

    values: Mapping[str, tuple[bytes, int]]
    ts_ms: int | None
    seq: int | None
    wall_ms: int | None


class LastValues:
    """Of at most 20,000 names: a publisher chooses them."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[bytes, int]] = {}

    @property
    def names(self) -> Mapping[str, object]:
        """Every field name that was seen."""
        return self._last

    def note(self, sample: Sample) -> None:
        """A sample came; copied, as a value would keep its whole message."""
        last, ts_ms = self._last, sample.ts_ms
        for name, value in sample.payload.items():
            text = bytes(value)
            if text != b"null" and (name in last or len(last) < _NAMES_MAX):
                last[name] = text, ts_ms

    def of(self, fields: FieldList, newest: Entry | None) -> LastKnown:
        """Those of a list."""
        values = {name: self._last[name] for name in fields.matching(self._last) if name in self._last}
        if newest is None:
            return LastKnown(values, None, None, None)
        return LastKnown(values, newest.ts_ms, newest.seq, newest.wall_ms)
