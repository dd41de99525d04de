"""Payloads split into the frames that a sender would send: J1939's transport protocol and NMEA 2000 fast packets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from duco_rt.body import Stream, StreamKey
from duco_rt.pipeline.decoding.rows import Rows

Sent = list[tuple[int, bytes]]
"""29-bit ids and data, in the order in which they are on the bus."""

Timed = tuple[int, int, bytes]
"""time in µs, id, data."""

ALL = 0xFF


def group_id(pgn: int, source: int, destination: int = ALL, priority: int = 7) -> int:
    """The 29-bit id of a group; `destination` is part of it in PDU1 alone."""
    specific = destination if pgn >> 8 & 0xFF < 240 else pgn & 0xFF
    return priority << 26 | (pgn & 0x3FF00 | specific) << 8 | source


def bam_frames(pgn: int, source: int, payload: bytes, priority: int = 7) -> Sent:
    """A broadcast of 9 to 1785 bytes: announcement, then its packets."""
    announced = group_id(0xEC00, source, ALL, priority), _about(32, len(payload), 0xFF, pgn)
    return [announced, *_packets(source, ALL, payload, priority)]


def rts_frames(
    pgn: int,
    source: int,
    destination: int,
    payload: bytes,
    priority: int = 7,
    window: int = 16,
    again: Iterable[int] = (),
) -> Sent:
    """A message to one address, with that one's CTS (each for `window` packets) and its ACK.

    The packets of the numbers in `again` are asked for a second time when all were sent.
    """
    packets = _packets(source, destination, payload, priority)
    cm_back = group_id(0xEC00, destination, source, priority)
    sent = [(group_id(0xEC00, source, destination, priority), _about(16, len(payload), window, pgn))]
    rounds = [range(at, min(at + window, len(packets))) for at in range(0, len(packets), window)]
    for numbers in [*rounds, *(range(number - 1, number) for number in again)]:
        cts = bytes([17, len(numbers), numbers[0] + 1, 0xFF, 0xFF]) + pgn.to_bytes(3, "little")
        sent += [(cm_back, cts), *(packets[number] for number in numbers)]
    return [*sent, (cm_back, _about(19, len(payload), 0xFF, pgn))]


def abort_frame(pgn: int, source: int, destination: int, reason: int = 3) -> tuple[int, bytes]:
    """The end of a connection, from either side."""
    return group_id(0xEC00, source, destination), bytes([255, reason, 255, 255, 255]) + pgn.to_bytes(3, "little")


def fast_frames(can_id: int, payload: bytes, sequence: int) -> Sent:
    """A fast packet of 1 to 223 bytes; `sequence` 0 to 7."""
    filled = bytes([len(payload)]) + payload
    filled += b"\xff" * (-len(filled) % 7)
    parts = [filled[at : at + 7] for at in range(0, len(filled), 7)]
    return [(can_id, bytes([sequence << 5 | number]) + part) for number, part in enumerate(parts)]


def timed(sent: Sent, start_us: int = 0, step_us: int = 1_000) -> list[Timed]:
    """Frames one after the other."""
    return [(start_us + i * step_us, can_id, data) for i, (can_id, data) in enumerate(sent)]


def rows_from(frames: Iterable[Timed], channel: str = "can1", flags: int = 0) -> list[Rows]:
    """Extended frames in order of arrival, by stream."""
    streams: dict[StreamKey, list[Timed]] = {}
    for frame in frames:
        streams.setdefault((channel, frame[1], True, flags, len(frame[2])), []).append(frame)
    return [_rows(key, own) for key, own in streams.items()]


def _rows(key: StreamKey, frames: Sequence[Timed]) -> Rows:
    n = len(frames)
    data = np.frombuffer(bytearray(b"".join(data for _, _, data in frames)), np.uint8).reshape(n, key[4])
    return Rows(Stream(*key, n), np.array([time_us for time_us, _, _ in frames], np.int64), data)


def _about(control: int, size: int, limit: int, pgn: int) -> bytes:
    head = bytes([control]) + size.to_bytes(2, "little") + bytes([(size + 6) // 7, limit])
    return head + pgn.to_bytes(3, "little")


def _packets(source: int, destination: int, payload: bytes, priority: int) -> Sent:
    can_id = group_id(0xEB00, source, destination, priority)
    parts = [payload[at : at + 7].ljust(7, b"\xff") for at in range(0, len(payload), 7)]
    return [(can_id, bytes([number]) + part) for number, part in enumerate(parts, 1)]
