"""Hub messages as a broken, careless or hostile machine sends them: strategies for hypothesis."""

from __future__ import annotations

import gzip
import struct
import zlib

import msgspec
from hypothesis import strategies as st

from duco_rt.body import CAN_TYPE, JSON_TYPE, JsonSecond, encode_json
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, HubMessage
from tests.pipeline.line import message

VALID_CAN = zlib.decompress(message(7, seconds=3).body)
VALID_JSON = encode_json(
    [JsonSecond(1_700_000_000_000 + i, i, {"gps_lat": 56.0, "on": True, "x": "ü"}) for i in (1, 2)]
)

INT64 = st.integers(-(2**63), 2**63 - 1)
SIZES = st.sampled_from([0, 1, 2, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mangled(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid body with bytes changed, cut, doubled or put in."""
    text = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(text) - 1)))
        match draw(st.integers(0, 4)):
            case 0:
                text[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                del text[at:]
            case 2:
                text[at:at] = draw(st.binary(max_size=8))
            case 3:
                text[at:at] = text[at : at + draw(st.integers(1, 64))]
            case 4:
                del text[at : at + draw(st.integers(1, 16))]
    return bytes(text)


@st.composite
def lying_can(draw: st.DrawFn) -> bytes:
    """A CAN body whose numbers (seconds, parts, lengths of columns, counts of frames) say what they like."""
    streams = b"".join(
        struct.pack("<IBBBI", draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2)), 0, draw(st.integers(0, 255)),
                    draw(st.integers(0, 3) | SIZES))
        for _ in range(draw(st.integers(0, 4)))
    )  # fmt: skip
    names = b"\x01" + bytes([draw(st.sampled_from([1, 1, 1, 5, 255]))]) + b"c"
    columns = [names + streams, *(draw(st.binary(max_size=24)) for _ in range(3))]
    told = [len(column) if draw(st.booleans()) else draw(SIZES) for column in columns]
    parts = draw(st.sampled_from([0, 1, 2, 64, 65, 65_535]))
    part = draw(st.integers(0, 3))
    ts, seq = draw(INT64), draw(INT64)
    head = struct.pack(
        "<4sBBH", b"DUCO", draw(st.sampled_from([1, 1, 1, 0, 2])), 0, draw(st.sampled_from([1, 0, 2, 65_535]))
    )
    return head + struct.pack("<qqHHIIII", ts, seq, part, parts, *told) + b"".join(columns)


@st.composite
def odd_json(draw: st.DrawFn) -> bytes:
    """A JSON body of the right or nearly the right shape, with any values."""
    second = {"ts": draw(INT64 | JSON), "seq": draw(INT64 | JSON), "payload": draw(st.dictionaries(st.text(), JSON))}
    whole = {"version": draw(st.sampled_from([1, 1, 1, 2, "1", None])), "seconds": [second] * draw(st.integers(0, 3))}
    return msgspec.json.encode(whole)


def _deep(levels: int) -> bytes:
    return b'{"version":1,"seconds":[{"ts":1,"seq":1,"payload":' + b"[" * levels + b"]" * levels + b"}]}"


BODIES = st.one_of(
    st.binary(max_size=300),
    mangled(VALID_CAN),
    mangled(VALID_JSON),
    lying_can(),
    odd_json(),
    st.sampled_from([b"", VALID_CAN, VALID_JSON, _deep(10), _deep(100_000)]),
)

_PACKED = st.sampled_from(
    [
        lambda body: body,
        zlib.compress,
        gzip.compress,
        lambda body: zlib.compress(body)[:-3],
        lambda body: b"\x28\xb5\x2f\xfd" + body,
    ]
)


@st.composite
def messages(draw: st.DrawFn) -> HubMessage:
    """Whatever its properties say, and however its body is packed."""
    body, packed = draw(BODIES), draw(_PACKED)
    return HubMessage(
        "DUCO_001",
        draw(st.sampled_from([VEHICLE_CAN, VEHICLE_CAN, CLIENT_RAW_DATA, "other", "a" * 64])),
        draw(st.booleans()),
        draw(st.integers(0, 10**18 - 1)),
        draw(st.integers(0, 10**18 - 1)),
        draw(st.sampled_from([CAN_TYPE, CAN_TYPE, JSON_TYPE, JSON_TYPE, "", "application/json", "x\n\x1b[31m" * 50])),
        draw(st.sampled_from(["deflate", "deflate", "identity", "", "gzip", "zstd", "br", "\x00"])),
        packed(body),
    )
