"""One live message to many viewers: read once, picked and encoded once per distinct field list. Pure.

Values are never decoded: their JSON text goes through as the publisher wrote it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from duco_rt.errors import BadBody

V = TypeVar("V", bound=Hashable)


STATS = ("min", "max", "count")
"""What a viewer may ask for beside the last value, in the order of a live message's spans."""

_UNKNOWN = msgspec.Raw(b"null")

_Spans = dict[str, tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw]]


class _Message(msgspec.Struct):
    payload: dict[str, msgspec.Raw]
    ts: int | None = None
    seq: int | None = None
    stats: msgspec.Raw = _UNKNOWN


_read = msgspec.json.Decoder(_Message)
_read_spans = msgspec.json.Decoder(_Spans | None)


class Sample(NamedTuple):
    """A live message: the JSON text of each value, `ts` in ms, `seq` where it has one, and the text of its spans.

    `stats` is null where the publisher does not say; it is read when a viewer asks for it.
    """

    payload: dict[str, msgspec.Raw]
    ts_ms: int
    seq: int | None
    stats: msgspec.Raw = _UNKNOWN

    def spans(self) -> _Spans | None:
        """Lowest, highest and number of values of fields with several; None where they are not known."""
        try:
            found: _Spans | None = _read_spans.decode(self.stats)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None  # another publisher's idea of stats
        return found


def read_sample(message: bytes, received_ms: int) -> Sample:
    """Read a live message; without `ts` it gets `received_ms`. Raises BadBody where it is none."""
    try:
        read = _read.decode(message)
        if not message.isascii():
            message.decode()  # raw values are not looked at, and a text frame must be UTF-8
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadBody(f"live message: {e}") from e
    return Sample(read.payload, received_ms if read.ts is None else read.ts, read.seq, read.stats)


class FieldList(NamedTuple):
    """What a viewer wants: names, and of STATS those that it asked for."""

    fields: tuple[str, ...]
    stats: tuple[str, ...] = ()


class Fanout(Generic[V]):
    """The viewers of one peer, by field list."""

    def __init__(self) -> None:
        self._lists: dict[FieldList, dict[V, None]] = {}
        self._keys: dict[FieldList, list[tuple[str, bytes]]] = {}
        self._list_of: dict[V, FieldList] = {}

    def __len__(self) -> int:
        return len(self._list_of)

    def watch(self, viewer: V, fields: Sequence[str], stats: Sequence[str] = ()) -> None:
        """The viewer wants these fields from now on, with these of STATS; replaces its earlier list."""
        self.leave(viewer)
        key = FieldList(tuple(dict.fromkeys(fields)), tuple(name for name in STATS if name in stats))
        self._lists.setdefault(key, {})[viewer] = None
        if key not in self._keys:
            self._keys[key] = [(name, msgspec.json.encode(name) + b":") for name in key.fields]
        self._list_of[viewer] = key

    def leave(self, viewer: V) -> None:
        """The viewer is gone; safe for one who never watched."""
        key = self._list_of.pop(viewer, None)
        if key is None:
            return
        del self._lists[key][viewer]
        if not self._lists[key]:
            del self._lists[key], self._keys[key]

    def texts(self, sample: Sample) -> Iterator[tuple[bytes, list[V]]]:
        """LIVE_DATA for each list and its viewers."""
        tail = b',"ts":%d' % sample.ts_ms
        tail += b"}" if sample.seq is None else b',"seq":%d}' % sample.seq
        payload, spans = sample.payload, None
        if any(key.stats for key in self._lists):
            spans = sample.spans()
        for key, viewers in self._lists.items():
            picked = [
                (name, name_text, bytes(value))
                for name, name_text in self._keys[key]
                if (value := payload.get(name)) is not None and bytes(value) != b"null"
            ]
            text = b'{"type":"LIVE_DATA","payload":{' + b",".join([name + value for _, name, value in picked]) + b"}"
            if key.stats:
                shown = [name_text + _stats(key.stats, name, value, spans) for name, name_text, value in picked]
                text += b',"stats":{' + b",".join(shown if spans is not None else []) + b"}"
            yield text + tail, list(viewers)


def _stats(wanted: Sequence[str], name: str, value: bytes, spans: _Spans | None) -> bytes:
    """Of one field as JSON; of a single value that is no number only the count."""
    found = spans.get(name) if spans else None
    texts = [bytes(each) for each in found] if found else [value, value, b"1"]
    is_number = found is not None or value[:1] in b"-0123456789"
    pairs = zip(STATS, texts, strict=True)
    parts = [b'"%s":%s' % (each.encode(), text) for each, text in pairs if each in wanted]
    return b"{" + b",".join(parts if is_number else [part for part in parts if part.startswith(b'"count"')]) + b"}"
