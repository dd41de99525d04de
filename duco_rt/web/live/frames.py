"""Finished WebSocket frames: made once, written as they are to any number of viewers. Pure.

A frame is unmasked and whole (RFC 6455, 5.2):

    byte 0   1 RSV1 0 0 opcode     RSV1: compressed; opcode 1 text, 2 binary
    byte 1   length up to 125, or 126 and 2 bytes, or 127 and 8 bytes, big-endian
    …        JSON or MessagePack; compressed: raw deflate without its last 00 00 ff ff (RFC 7692, 7.2.1)

Each is compressed by itself, with a window of 2**12 bytes: a viewer needs none of the frames before it to read one.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import msgspec

_TEXT = 0x81
_BINARY = 0x82
_COMPRESSED = 0x40

_DEFLATE_BYTES_MIN = 128
_LEVEL = 1
_WINDOW_BITS = 12
_MEMORY_LEVEL = 5
# Of 12 fields all levels give the same; of 640 the best takes 8 % less in 6 times as long as this. A window and tables
# of usual size only take longer to be set up.
_TAIL = b"\x00\x00\xff\xff"

_pack_short = struct.Struct("!BBH").pack
_pack_long = struct.Struct("!BBQ").pack
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_float = msgspec.json.Decoder(float).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_Errors = (ValueError, OverflowError, RecursionError)  # msgspec's errors are ValueErrors


class Encoding(NamedTuple):
    """How a connection takes its messages: MessagePack in place of JSON, and permessage-deflate."""

    msgpack: bool = False
    deflate: bool = False


JSON = Encoding()
"""What every client understands."""


def frame(text: bytes, encoding: Encoding = JSON) -> bytes:
    """The frame of a message given as JSON text. Less than 128 bytes, or what gets no smaller, stays uncompressed."""
    first, body = (_BINARY, _packed(text)) if encoding.msgpack else (_TEXT, text)
    if encoding.deflate and len(body) >= _DEFLATE_BYTES_MIN:
        small = _deflated(body)
        if len(small) < len(body):
            first, body = first | _COMPRESSED, small
    length = len(body)
    if length < 126:
        return bytes((first, length)) + body
    if length < 65536:
        return _pack_short(first, 126, length) + body
    return _pack_long(first, 127, length) + body


def _deflated(body: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY_LEVEL)
    return (deflate.compress(body) + deflate.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


def _packed(text: bytes) -> bytes:
    """MessagePack of JSON text; only values that it cannot hold are looked at one by one."""
    try:
        return _encode(_decode(text))
    except _Errors:
        return _encode(_held({key: _part(bytes(part)) for key, part in _decode_parts(text).items()}))


def _part(text: bytes) -> object:
    """A part of a message: as it is, or an object without the values that MessagePack cannot hold."""
    if text[:1] != b"{":
        return _value(text)
    return _held({name: _value(bytes(value)) for name, value in _decode_parts(text).items()})


def _held(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def _value(text: bytes) -> object:
    """As it is, or a float where an integer is too large; UNSET for neither."""
    try:
        value = _decode(text)
        _encode([[[value]]])  # deeper than it lies in the message: what is nested too deep must not be found out there
    except _Errors:
        try:
            value = _decode_float(text)
        except _Errors:
            return msgspec.UNSET
    return value
