"""The hub message's body: CAN seconds in columns, or samples as JSON. Pure; see docs/formats.md.

A CAN body is `"DUCO" version:u8 reserved:u8 seconds:u16`, then each second as

    ts_ms:i64 seq:i64 part:u16 parts:u16 | lengths of the four columns: 4 x u32 | streams order times data

A *stream* is what shares channel, id, flags and length. `order` names the stream of each frame in order of
arrival (u8, or u16 from 257 streams on); `times` (i32, µs from ts) and `data` are grouped by stream. So a
reader who wants one id takes one slice, and who wants the bus as it was has its order. All little-endian.
A full 500 kbit/s second (4,000 frames of 8 bytes) takes 13 bytes a frame: 52 KB before compression.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from duco_rt.errors import BadBody
from duco_rt.model import RawSecond, Value

CAN_TYPE = "application/vnd.duco.can;v=1"
JSON_TYPE = "application/vnd.duco.samples+json;v=1"
BODY_BYTES_MAX = 256 * 1024
PART_BYTES_MAX = 240 * 1024
PARTS_MAX = 64
POSITION_MAX = 2**53
SECONDS_MAX, STREAMS_MAX = 10_000, 65_536  # no more seconds fit into 240 KiB; `order` has 16 bits
INFLATED_BYTES_MAX = 4 * 1024 * 1024

FD, BRS, ESI, REMOTE, ERROR, TX = 1, 2, 4, 8, 16, 32
EXTENDED = 0x8000_0000

_HEAD = struct.Struct("<4sBBH")
_SECOND = struct.Struct("<qqHHIIII")
STREAM_TYPE = np.dtype([("id", "<u4"), ("channel", "u1"), ("flags", "u1"), ("length", "u1"), ("count", "<u4")])
_VERSION = 1

StreamKey = tuple[str, int, bool, int, int]
"""channel, id, extended, flags, length in bytes."""


Order = NDArray[np.unsignedinteger[Any]]
"""u8, or u16 from 257 streams on."""


def order_type(streams: int) -> type[np.uint8 | np.uint16]:
    """The type of `order` for that many streams."""
    return np.uint16 if streams > 256 else np.uint8


class Stream(NamedTuple):
    """Frames that share channel, id, flags and length (data bytes); `count` of them in this second."""

    channel: str
    can_id: int
    extended: bool
    flags: int
    length: int
    count: int  # type: ignore[assignment]  # nobody asks a tuple for its method of that name


@dataclass(frozen=True, slots=True)
class CanSecond:
    """One second of raw CAN, or a part of it. Arrays: `order` (frames,), `times_us` (frames,) from `ts_ms`."""

    ts_ms: int
    seq: int
    part: int
    parts: int
    streams: tuple[Stream, ...]
    order: Order
    times_us: NDArray[np.int32]
    data: bytes

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return len(self.times_us)

    def slices(self) -> Iterator[tuple[Stream, NDArray[np.int32], memoryview]]:
        """Each stream with its times (count,) and its data (count * length bytes)."""
        row, byte, data = 0, 0, memoryview(self.data)
        for stream in self.streams:
            row_end, byte_end = row + stream.count, byte + stream.count * stream.length
            yield stream, self.times_us[row:row_end], data[byte:byte_end]
            row, byte = row_end, byte_end


@dataclass(frozen=True, slots=True)
class JsonSecond:
    """One second of ready values."""

    ts_ms: int
    seq: int
    payload: dict[str, Value]


class Columns(msgspec.Struct, frozen=True):
    """The four columns of a CAN second as they stand in body and raw store."""

    streams: bytes
    order: bytes
    times: bytes
    data: bytes


def pack_columns(second: CanSecond) -> Columns:
    """The columns of a second."""
    channels = sorted({stream.channel for stream in second.streams})
    index = {name: i for i, name in enumerate(channels)}
    table = np.array(
        [
            (s.can_id | (EXTENDED if s.extended else 0), index[s.channel], s.flags, s.length, s.count)
            for s in second.streams
        ],
        dtype=STREAM_TYPE,
    )
    names = b"".join(bytes([len(raw)]) + raw for raw in (name.encode() for name in channels))
    order = second.order.astype(order_type(len(second.streams)))
    return Columns(
        bytes([len(channels)]) + names + table.tobytes(),
        order.tobytes(),
        second.times_us.astype("<i4").tobytes(),
        second.data,
    )


def unpack_columns(columns: Columns, ts_ms: int, seq: int, part: int = 0, parts: int = 1) -> CanSecond:
    """A second from its columns. Raises BadBody where they do not fit each other."""
    try:
        streams = _read_streams(columns.streams)
        order: Order = np.frombuffer(columns.order, order_type(len(streams)))
        times = np.frombuffer(columns.times, "<i4")
    except (ValueError, IndexError) as e:
        raise BadBody(f"CAN second seq {seq}: columns cannot be read: {e}") from e
    counts = [s.count for s in streams]
    if 0 in counts:
        raise BadBody(f"CAN second seq {seq}: stream {counts.index(0)} has no frame")
    if len(order) != len(times) or sum(counts) != len(times):
        raise BadBody(f"CAN second seq {seq}: {len(order)} in order, {len(times)} times, {sum(counts)} counted")
    if sum(s.count * s.length for s in streams) != len(columns.data):
        raise BadBody(f"CAN second seq {seq}: data has {len(columns.data)} bytes")
    if np.bincount(order, minlength=len(streams)).tolist() != counts:
        raise BadBody(f"CAN second seq {seq}: order does not match the streams' counts")
    return CanSecond(ts_ms, seq, part, parts, streams, order, times, columns.data)


def columns_of(row: RawSecond) -> Columns:
    """The columns of a stored second."""
    return Columns(row.streams, row.order, row.times, row.data)


TableRow = tuple[int, int, int, int, int]
"""id (with EXTENDED), index of the channel, flags, length, count."""


def read_stream_table(raw: bytes) -> tuple[bytes, list[str], list[TableRow]]:
    """The column `streams`: the bytes that name the channels, the channels, a row a stream.

    Raises ValueError or IndexError where it cannot be read.
    """
    at, channels = read_channels(raw)
    rows = np.frombuffer(raw[at:], STREAM_TYPE)
    if len(rows) > STREAMS_MAX:
        raise ValueError(f"{len(rows)} streams, at most {STREAMS_MAX}")
    return raw[:at], channels, rows.tolist()


def read_channels(raw: bytes) -> tuple[int, list[str]]:
    """The channels that the column `streams` begins with, and where its table begins. Raises as above."""
    channels, at = [], 1
    for _ in range(raw[0] if raw else 0):
        end = at + 1 + raw[at]
        channels.append(raw[at + 1 : end].decode())
        at = end
    return at, channels


def _read_streams(raw: bytes) -> tuple[Stream, ...]:
    _, channels, rows = read_stream_table(raw)
    return tuple(
        Stream(channels[channel], can_id & 0x1FFF_FFFF, bool(can_id & EXTENDED), flags, length, count)
        for can_id, channel, flags, length, count in rows
    )


def encode_can(seconds: Sequence[CanSecond]) -> bytes:
    """A CAN body of one or more seconds."""
    out = [_HEAD.pack(b"DUCO", _VERSION, 0, len(seconds))]
    for s in seconds:
        c = pack_columns(s)
        sizes = len(c.streams), len(c.order), len(c.times), len(c.data)
        out += [_SECOND.pack(s.ts_ms, s.seq, s.part, s.parts, *sizes), c.streams, c.order, c.times, c.data]
    return b"".join(out)


def decode_can(body: bytes) -> list[tuple[CanSecond, Columns]]:
    """The seconds of a CAN body, each with its columns as they came. Raises BadBody."""
    if len(body) < _HEAD.size:
        raise BadBody(f"CAN body of {len(body)} bytes has no header")
    magic, version, _, count = _HEAD.unpack_from(body)
    if magic != b"DUCO" or version != _VERSION:
        raise BadBody(f"CAN body begins with {body[:5]!r}, this program reads version {_VERSION}")
    if not 0 < count <= SECONDS_MAX:
        raise BadBody(f"CAN body has {count or 'no'} second(s), at most {SECONDS_MAX}")
    seconds: list[tuple[CanSecond, Columns]] = []
    at = _HEAD.size
    for _ in range(count):
        if at + _SECOND.size > len(body):
            raise BadBody(f"CAN body ends within second {len(seconds)} of {count}")
        ts_ms, seq, part, parts, *sizes = _SECOND.unpack_from(body, at)
        at += _SECOND.size
        ends = [at := at + size for size in sizes]
        columns = [body[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        if at > len(body) or part >= parts or parts > PARTS_MAX:
            raise BadBody(f"CAN body ends within second {len(seconds)} of {count}, or its parts are wrong")
        if not (0 <= ts_ms <= POSITION_MAX and 0 <= seq <= POSITION_MAX):
            raise BadBody(f"CAN second at ts {ts_ms}, seq {seq}: not within 0 to 2^53")
        kept = Columns(*columns)
        seconds.append((unpack_columns(kept, ts_ms, seq, part, parts), kept))
    if at != len(body):
        raise BadBody(f"CAN body has {len(body) - at} bytes after its last second")
    return seconds


_Position = Annotated[int, msgspec.Meta(ge=0, le=POSITION_MAX)]


class _JsonSecond(msgspec.Struct):
    ts: _Position
    seq: _Position
    payload: dict[str, float | int | bool | str | None]


class _JsonBody(msgspec.Struct):
    version: int
    seconds: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=SECONDS_MAX)]


_json_body = msgspec.json.Decoder(_JsonBody)
_json_second = msgspec.json.Decoder(_JsonSecond)


def encode_json(seconds: Sequence[JsonSecond]) -> bytes:
    """A JSON body of one or more seconds."""
    rows = [{"ts": s.ts_ms, "seq": s.seq, "payload": s.payload} for s in seconds]
    return msgspec.json.encode({"version": _VERSION, "seconds": rows})


def decode_json(body: bytes) -> list[tuple[JsonSecond, bytes]]:
    """The seconds of a JSON body, null and NaN left out, each with its text as it came. Raises BadBody."""
    try:
        read = _json_body.decode(body)
        seconds = [(decode_json_second(bytes(text)), bytes(text)) for text in read.seconds]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadBody(f"JSON body: {e}") from e
    if read.version != _VERSION:
        raise BadBody(f"JSON body of version {read.version}, this program reads {_VERSION}")
    if not seconds:
        raise BadBody("JSON body has no second")
    return seconds


def decode_json_second(text: bytes) -> JsonSecond:
    """One second of a JSON body, as the raw store keeps it. Raises BadBody."""
    try:
        read = _json_second.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadBody(f"JSON body: {e}") from e
    return JsonSecond(read.ts, read.seq, {k: v for k, v in read.payload.items() if v is not None})


def deflate(body: bytes) -> bytes:
    """The body as content encoding `deflate` (zlib) sends it: the fastest level, for a small machine."""
    return zlib.compress(body, 1)


def inflate(body: bytes, encoding: str, bytes_max: int = INFLATED_BYTES_MAX) -> bytes:
    """The body without its content encoding. Raises BadBody, also past `bytes_max`; no more than that is made."""
    if encoding in ("", "identity"):
        return body
    if encoding != "deflate":
        raise BadBody(f"content encoding {encoding!r} is not one of identity, deflate")
    reader = zlib.decompressobj()
    try:
        out = reader.decompress(body, bytes_max)
    except zlib.error as e:
        raise BadBody(f"deflate: {e}") from e
    if not reader.eof:
        raise BadBody(f"deflate: body is cut, or over {bytes_max} bytes when inflated (hub.inflated_bytes_max)")
    return out
