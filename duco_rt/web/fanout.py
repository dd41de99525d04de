"""One live message to many viewers: read once, picked and encoded once per distinct field list. Pure.

Values are never decoded: their JSON text goes through as the publisher wrote it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from duco_rt.errors import BadBody

V = TypeVar("V", bound=Hashable)


class _Message(msgspec.Struct):
    payload: dict[str, msgspec.Raw]
    ts: int | None = None
    seq: int | None = None


_read = msgspec.json.Decoder(_Message)


class Sample(NamedTuple):
    """A live message: the JSON text of each value, `ts` in ms, `seq` where it has one."""

    payload: dict[str, msgspec.Raw]
    ts_ms: int
    seq: int | None


def read_sample(message: bytes, received_ms: int) -> Sample:
    """Read a live message; without `ts` it gets `received_ms`. Raises BadBody where it is none."""
    try:
        read = _read.decode(message)
        if not message.isascii():
            message.decode()  # raw values are not looked at, and a text frame must be UTF-8
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadBody(f"live message: {e}") from e
    return Sample(read.payload, received_ms if read.ts is None else read.ts, read.seq)


class Fanout(Generic[V]):
    """The viewers of one peer, by field list."""

    def __init__(self) -> None:
        self._lists: dict[tuple[str, ...], dict[V, None]] = {}
        self._keys: dict[tuple[str, ...], list[tuple[str, bytes]]] = {}
        self._list_of: dict[V, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._list_of)

    def watch(self, viewer: V, fields: Sequence[str]) -> None:
        """The viewer wants these fields from now on; replaces its earlier list."""
        self.leave(viewer)
        key = tuple(dict.fromkeys(fields))
        self._lists.setdefault(key, {})[viewer] = None
        if key not in self._keys:
            self._keys[key] = [(name, msgspec.json.encode(name) + b":") for name in key]
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
        tail = b'},"ts":%d' % sample.ts_ms
        tail += b"}" if sample.seq is None else b',"seq":%d}' % sample.seq
        payload = sample.payload
        for key, viewers in self._lists.items():
            picked = [
                name_text + bytes(value)
                for name, name_text in self._keys[key]
                if (value := payload.get(name)) is not None and bytes(value) != b"null"
            ]
            yield b'{"type":"LIVE_DATA","payload":{' + b",".join(picked) + tail, list(viewers)
