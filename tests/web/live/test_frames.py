"""Frames as any client reads them."""

from __future__ import annotations

import asyncio
import json
import zlib

import msgspec
import pytest
from aiohttp import WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.web.live.frames import JSON, Encoding, frame

BOTH = Encoding(msgpack=True, deflate=True)
TEXT = b'{"type":"LIVE_DATA","payload":{' + b",".join(b'"field_%d":%d' % (i, i) for i in range(20)) + b'},"ts":5}'


def body_of(whole: bytes) -> tuple[int, bytes]:
    """First byte and body of a frame, by RFC 6455 alone."""
    assert not whole[1] & 0x80, "a server does not mask"
    size = {126: 2, 127: 8}.get(whole[1], 0)
    length = int.from_bytes(whole[2 : 2 + size], "big") if size else whole[1]
    assert size == (0 if length < 126 else 2 if length < 65536 else 8), "the shortest form of the length"
    assert len(whole) == 2 + size + length
    return whole[0], whole[2 + size :]


def read(whole: bytes) -> bytes:
    """The message in a frame: a compressed one inflated by itself, with a new window."""
    first, body = body_of(whole)
    return zlib.decompressobj(-15).decompress(body + b"\x00\x00\xff\xff") if first & 0x40 else body


_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | _FLOATS | st.text(max_size=9)
_MESSAGES = st.dictionaries(st.text(max_size=9), _VALUES | st.dictionaries(st.text(max_size=5), _VALUES, max_size=5))


@given(message=_MESSAGES, times=st.sampled_from([1, 9]))
def test_every_encoding_says_the_same(message: dict[str, object], times: int) -> None:
    """Whatever the message: text as it is, MessagePack of the same values, compressed or not."""
    text = json.dumps(dict.fromkeys(map(str, range(times)), message), ensure_ascii=False).encode()
    plain = msgspec.json.decode(text)
    assert read(frame(text)) == read(frame(text, Encoding(deflate=True))) == text
    assert msgspec.msgpack.decode(read(frame(text, Encoding(msgpack=True)))) == plain
    assert msgspec.msgpack.decode(read(frame(text, BOTH))) == plain


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, 65535, 65536, 70000])
def test_lengths(length: int) -> None:
    """At every edge of the three forms of a length, and of what is worth compressing."""
    text = b"1" * length
    assert body_of(frame(text)) == (0x81, text)
    compressed = frame(text, Encoding(deflate=True))
    assert read(compressed) == text
    assert bool(compressed[0] & 0x40) is (length >= 128)


def test_the_first_byte() -> None:
    """Text or binary, whole, RSV1 for compressed alone."""
    firsts = {encoding: frame(TEXT, encoding)[0] for encoding in (JSON, Encoding(True), Encoding(False, True), BOTH)}
    assert list(firsts.values()) == [0x81, 0x82, 0xC1, 0xC2]


def test_what_gets_no_smaller_stays_as_it_is() -> None:
    """Random letters are not made longer by compression."""
    text = bytes(range(256))
    assert frame(text, Encoding(deflate=True)) == frame(text)


def test_a_small_window_reads_it() -> None:
    """A client that keeps 4 KiB needs no more, however long the message."""
    _, body = body_of(frame(TEXT * 500, Encoding(deflate=True)))
    assert zlib.decompressobj(-12).decompress(body + b"\x00\x00\xff\xff") == TEXT * 500


HARD: dict[str, tuple[bytes, object]] = {
    "an integer over 64 bits": (b"123456789012345678901234567890", 1.2345678901234568e29),
    "a number over all": (b"1e999", None),
    "a number of many digits": (b"9" * 5000, None),
    "deep inside": (b"[[18446744073709551616]]", None),
}


@pytest.mark.parametrize("case", HARD)
def test_what_messagepack_cannot_hold(case: str) -> None:
    """A number that is too large becomes a float, or its value is left out; the rest of the message comes."""
    value, expected = HARD[case]
    text = b'{"type":"LAST_KNOWN","payload":{"a":1,"b":' + value + b'},"ts":5,"seq":null}'
    found = msgspec.msgpack.decode(read(frame(text, Encoding(msgpack=True))))
    payload = {"a": 1} | ({} if expected is None else {"b": expected})
    assert found == {"type": "LAST_KNOWN", "payload": payload, "ts": 5, "seq": None}


@settings(max_examples=30)
@given(texts=st.lists(st.text(max_size=400), min_size=1, max_size=4), deflate=st.booleans())
def test_aiohttp_reads_them(texts: list[str], deflate: bool) -> None:
    """One after the other, as its client does, with frames of both kinds mixed."""
    loop = asyncio.new_event_loop()
    try:
        queue = WebSocketDataQueue(BaseProtocol(loop), 2**16, loop=loop)
        reader = WebSocketReader(queue, 2**20, compress=True, decode_text=True)
        for text in texts:
            reader.feed_data(frame(msgspec.json.encode(text * 3), Encoding(deflate=deflate)))
            reader.feed_data(frame(msgspec.json.encode(text * 3), BOTH))
        messages = [message for message, *_ in queue._buffer]
    finally:
        loop.close()
    assert [message.type for message in messages] == [WSMsgType.TEXT, WSMsgType.BINARY] * len(texts)
    assert [msgspec.json.decode(message.data) for message in messages[::2]] == [text * 3 for text in texts]
    assert [msgspec.msgpack.decode(message.data) for message in messages[1::2]] == [text * 3 for text in texts]
