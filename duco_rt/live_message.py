"""A live message as another program published it, read into a sample. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from duco_rt.errors import BadBody
from duco_rt.model import Peer, Sample, Stats, Value

_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _LiveMessage(msgspec.Struct):
    payload: dict[str, Value | None]
    ts: int | None = None
    seq: int | None = None
    received: int | None = None
    stats: msgspec.Raw = msgspec.Raw(b"null")


_live_message = msgspec.json.Decoder(_LiveMessage)


def read_live(message: bytes, peer: Peer, fields: Sequence[str] | None, now_ms: int) -> Sample:
    """The sample with the named fields (None: all); a time that is not there is now. Raises BadBody."""
    try:
        read = _live_message.decode(message)
    except _BAD as e:
        raise BadBody(str(e)) from e
    names = read.payload if fields is None else fields
    payload = {name: value for name in names if (value := read.payload.get(name)) is not None}
    ts_ms, received_ms = (now_ms if at is None else at for at in (read.ts, read.received))
    return Sample(peer, ts_ms, read.seq, received_ms, payload, _stats(read.stats, payload))


def _stats(text: msgspec.Raw, payload: Mapping[str, Value]) -> Stats | None:
    """The spans of a live message's picked fields; None where its publisher does not say, or says something else."""
    try:
        found = msgspec.json.decode(text, type=Stats | None)
    except _BAD:
        return None
    return None if found is None else {name: found[name] for name in payload if name in found}
