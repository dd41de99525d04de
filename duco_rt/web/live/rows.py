"""Columns of the store as live samples. Pure."""

from __future__ import annotations

import msgspec

from duco_rt.model import History, SpanColumns
from duco_rt.web.live.samples import UNKNOWN, Sample

_encode = msgspec.json.Encoder().encode
_cut = msgspec.json.Decoder(list[msgspec.Raw]).decode


def samples_of(history: History) -> list[Sample]:
    """A sample a row, in the same order: values as JSON text, absent where the row lacks them.

    Spans only where `history` has them; they are the text of `{field: [min, max, count]}`, as in a live message.
    """
    count = len(history.ts)
    payloads: list[dict[str, msgspec.Raw]] = [{} for _ in range(count)]
    for name, values in history.fields.items():
        # at once: value by value it takes twice as long
        texts: list[msgspec.Raw] = _cut(_encode(values))
        for payload, value, text in zip(payloads, values, texts, strict=True):
            if value is not None:
                payload[name] = text
    stats = [msgspec.Raw(_encode(found)) for found in _spans(history.stats, count)] if history.stats else []
    return [
        Sample(payload, ts_ms, seq, None, stats[row] if stats else UNKNOWN)
        for row, (payload, ts_ms, seq) in enumerate(zip(payloads, history.ts, history.seq, strict=True))
    ]


def _spans(columns: dict[str, SpanColumns], count: int) -> list[dict[str, tuple[float, float, int]]]:
    """Of each row those of the fields that have one."""
    found: list[dict[str, tuple[float, float, int]]] = [{} for _ in range(count)]
    for name, column in columns.items():
        for row, (low, high, many) in enumerate(zip(column.min, column.max, column.count, strict=True)):
            if low is not None and high is not None and many is not None:
                found[row][name] = low, high, many
    return found
