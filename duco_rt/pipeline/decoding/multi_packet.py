"""Messages of several frames put together, as one who only listens: J1939's transport protocol, and fast packets. Pure.

Source: SAE J1939-21, Linux' net/can/j1939. Fast packets are `fast_packet`. A connection management frame (TP.CM) says
what comes, data frames (TP.DT) bring it, 7 bytes each behind their number, which counts from 1:

```
TP.CM  0  control     RTS 16, BAM 32   | 1..2 size | 3 packets | 4 | 5..7 PGN     from the sender
                      CTS 17, ACK 19, abort 255                    | 5..7 PGN     abort from either side
TP.DT  0  number      1..7 data
```

BAM goes to every address, its packets once and in order. RTS goes to one, which may ask for packets again. Streams have
no order among each other, so frames go by their times; at the same time an announcement comes before packets, and
these before all else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from duco_rt.body import ERROR, REMOTE, Stream
from duco_rt.pipeline.decoding.fast_packet import put_fast_together
from duco_rt.pipeline.decoding.rows import Rows

TIMEOUT_US = 1_500_000
"""The longest silence within a message: no side waits for more than T2 = T3 = 1250 ms; the rest is for late stamps."""

SESSIONS_MAX = 64
"""Messages under way at once; of more, the one that was silent the longest is given up."""

SIZE_MIN, SIZE_MAX = 9, 1785

_CM, _DT = 0xEC, 0xEB
_RTS, _CTS, _ACK, _BAM, _ABORT = 16, 17, 19, 32, 255
_EVERYBODY = 0xFF

_Key = tuple[str, int, int]
"""channel, source, destination."""

_Event = tuple[int, int, Stream, bytes]
"""time in µs, rank at the same time, stream, frame."""


class Session(NamedTuple):
    """A message under way. `parts`: its packets by number, b"" where one lacks; none once it is whole."""

    can_id: int
    flags: int
    size: int
    parts: tuple[bytes, ...]
    last_us: int


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """What is unfinished after some seconds, to go on from; never changed, so the same second may be read again.

    At most SESSIONS_MAX messages of 1785 bytes in `sessions`, and OPEN_MAX of 223 in `fast`.
    """

    sessions: tuple[tuple[_Key, Session], ...] = ()
    fast: tuple[Rows, ...] = ()


NOTHING_OPEN = Open()
"""To begin with, and whenever nothing is unfinished (the same object)."""


def is_same(one: Open, other: Open) -> bool:
    """Whether the same is unfinished."""

    def pieces(open_: Open) -> list[tuple[Stream, bytes, bytes]]:
        return [(stream, times_us.tobytes(), data.tobytes()) for stream, times_us, data in open_.fast]

    return one is other or (one.sessions == other.sessions and pieces(one) == pieces(other))


def is_transport(can_id: int) -> bool:
    """Whether an extended id is of J1939's transport protocol (TP.CM or TP.DT)."""
    return (can_id >> 16) & 0x3FF in (_CM, _DT)


def put_together(
    transport: Sequence[Rows], fast: Sequence[Rows], open_: Open, problems: Counter[str]
) -> tuple[list[Rows], Open]:
    """The messages that became whole, and what is unfinished. Never raises.

    `transport`: the rows of all TP.CM and TP.DT streams of one second or of many; `fast`: those of the streams of fast
    packets. Seconds one by one, each with the `Open` of the one before, give the same as all at once. A message is a
    row: the sender's id (priority of the announcement, group, destination where the group has one, source), the time
    of its last packet; those of one id and length are one Rows, in order of completion.

    Counts: `multipacket_bad`, `fastpacket_bad` (announcements and frames that cannot be), `multipacket_incomplete`,
    `fastpacket_incomplete` (messages given up), `multipacket_headless` (packets of either kind that fit no open
    message: its begin was lost, or lies in a second before that was not given).
    """
    if not transport and not fast:
        return [], open_
    latest_us = max((int(rows.times_us[-1]) for rows in (*transport, *fast) if len(rows.times_us)), default=0)
    out: list[Rows] = []
    sessions: tuple[tuple[_Key, Session], ...] = ()
    unfinished: tuple[Rows, ...] = ()
    if transport or open_.sessions:
        listener = _Listener(open_, problems)
        listener.hear(transport)
        sessions = listener.close(latest_us)
        out += _rows(listener.whole)
    if fast or open_.fast:
        messages, unfinished = put_fast_together((*open_.fast, *fast), latest_us, problems)
        out += messages
    return out, Open(sessions, unfinished) if sessions or unfinished else NOTHING_OPEN


class _Whole(NamedTuple):
    stream: Stream
    time_us: int
    data: bytes


def _rows(whole: Sequence[_Whole]) -> Iterator[Rows]:
    groups: dict[Stream, list[_Whole]] = {}
    for message in whole:
        groups.setdefault(message.stream, []).append(message)
    for stream, messages in groups.items():
        data = np.frombuffer(b"".join(message.data for message in messages), np.uint8)
        times_us = np.array([message.time_us for message in messages], np.int64)
        n = len(messages)
        yield Rows(stream._replace(count=n), times_us, data.reshape(n, stream.length))


@dataclass(slots=True)
class _Session:
    """A Session at work; `lacking` packets, 0 once it is whole."""

    can_id: int
    flags: int
    size: int
    parts: list[bytes]
    lacking: int
    last_us: int

    @property
    def pgn(self) -> bytes:
        """The group as TP.CM has it, in bytes 5 to 7."""
        pgn = (self.can_id >> 8) & 0x3FFFF
        return (pgn if pgn & 0xFF00 >= 0xF000 else pgn & 0x3FF00).to_bytes(3, "little")


class _Listener:
    """Takes frames in order of time and puts messages into `whole`."""

    def __init__(self, open_: Open, problems: Counter[str]) -> None:
        self.whole: list[_Whole] = []
        self._problems = problems
        self._sessions = {
            key: _Session(s.can_id, s.flags, s.size, list(s.parts), s.parts.count(b""), s.last_us)
            for key, s in open_.sessions
        }

    def hear(self, rows: Sequence[Rows]) -> None:
        """Take the frames of these streams."""
        for time_us, _, stream, frame in _events(rows):
            source, destination = stream.can_id & 0xFF, (stream.can_id >> 8) & 0xFF
            if (stream.can_id >> 16) & 0xFF == _DT:
                self._packet((stream.channel, source, destination), time_us, frame)
            elif len(frame) < 8:
                self._problems["multipacket_bad"] += 1
            elif frame[0] in (_RTS, _BAM):
                self._announcement((stream.channel, source, destination), stream, time_us, frame)
            elif frame[0] in (_CTS, _ACK, _ABORT):
                self._control(stream.channel, source, destination, time_us, frame)

    def close(self, latest_us: int) -> tuple[tuple[_Key, Session], ...]:
        """Give up what has been silent for too long at that time; the rest as a snapshot."""
        for key in [key for key, s in self._sessions.items() if latest_us - s.last_us > TIMEOUT_US]:
            self._end(key)
        return tuple(
            (key, Session(s.can_id, s.flags, s.size, tuple(s.parts), s.last_us)) for key, s in self._sessions.items()
        )

    def _end(self, key: _Key) -> None:
        session = self._sessions.pop(key, None)
        if session is not None and session.lacking:
            self._problems["multipacket_incomplete"] += 1

    def _announcement(self, key: _Key, stream: Stream, time_us: int, frame: bytes) -> None:
        self._end(key)
        size, packets, pgn = frame[1] | frame[2] << 8, frame[3], int.from_bytes(frame[5:8], "little")
        to_everybody = key[2] == _EVERYBODY
        fits = SIZE_MIN <= size <= SIZE_MAX and packets == (size + 6) // 7 and pgn <= 0x3FFFF
        if not fits or to_everybody is not (frame[0] == _BAM):
            self._problems["multipacket_bad"] += 1
            return
        if pgn & 0xFF00 < 0xF000:  # PDU1: the destination is part of the id
            pgn = pgn & 0x3FF00 | key[2]
        can_id = stream.can_id & 0x1C00_0000 | pgn << 8 | key[1]
        if len(self._sessions) >= SESSIONS_MAX:
            self._end(min(self._sessions, key=lambda other: self._sessions[other].last_us))
        self._sessions[key] = _Session(can_id, stream.flags, size, [b""] * packets, packets, time_us)

    def _control(self, channel: str, source: int, destination: int, time_us: int, frame: bytes) -> None:
        asked = channel, destination, source  # what the sender of this frame receives
        either = [key for key in (asked, (channel, source, destination)) if self._is_of(key, time_us, frame)]
        if frame[0] == _ABORT:
            if len(either) == 1:  # both ways the same group: nobody can tell which; it will be silent
                self._end(either[0])
        elif asked in either:
            session = self._sessions[asked]
            if frame[0] == _CTS:
                session.last_us = time_us
            elif any(session.parts) or not session.lacking:  # else it has only begun: the one before is acknowledged
                self._end(asked)

    def _live(self, key: _Key, time_us: int) -> _Session | None:
        session = self._sessions.get(key)
        if session and time_us - session.last_us > TIMEOUT_US:
            self._end(key)
            return None
        return session

    def _is_of(self, key: _Key, time_us: int, frame: bytes) -> bool:
        session = self._live(key, time_us)
        return session is not None and session.pgn == frame[5:8]

    def _packet(self, key: _Key, time_us: int, frame: bytes) -> None:
        session, number = self._live(key, time_us), frame[0] if frame else 0
        if session and not session.lacking:  # asked for again by its receiver, which lost it
            session.last_us = time_us
            return
        if not session or not 1 <= number <= len(session.parts):
            self._problems["multipacket_headless"] += 1
            return
        part, held = frame[1:8], session.parts[number - 1]
        if len(part) < min(7, session.size - 7 * (number - 1)):
            self._problems["multipacket_bad"] += 1
            return
        in_order = number == len(session.parts) - session.lacking + 1
        if held not in (b"", part) or (key[2] == _EVERYBODY and not in_order):
            self._end(key)  # packets of it are lost, or are of another message whose announcement is
            return
        session.last_us = time_us
        if not held:
            session.parts[number - 1] = part
            session.lacking -= 1
        if not session.lacking:
            self._complete(key, session)

    def _complete(self, key: _Key, session: _Session) -> None:
        stream = Stream(key[0], session.can_id, True, session.flags, session.size, 1)
        self.whole.append(_Whole(stream, session.last_us, b"".join(session.parts)[: session.size]))
        if key[2] == _EVERYBODY:
            del self._sessions[key]
        else:
            session.parts = []


def _events(rows: Sequence[Rows]) -> list[_Event]:
    events: list[_Event] = []
    for stream, times_us, data in rows:
        kind, n = (stream.can_id >> 16) & 0x3FF, stream.length
        if not stream.extended or stream.flags & (ERROR | REMOTE) or kind not in (_CM, _DT):
            continue
        raw = data.tobytes()
        frames = [raw[at : at + n] for at in range(0, len(raw), n)] if n else [b""] * len(times_us)
        if kind == _DT:
            events += [(time_us, 1, stream, frame) for time_us, frame in zip(times_us.tolist(), frames, strict=True)]
        else:
            ranks = [0 if frame[:1] in (b"\x10", b"\x20") else 2 for frame in frames]
            events += zip(times_us.tolist(), ranks, [stream] * len(frames), frames, strict=True)
    events.sort(key=itemgetter(0, 1))
    return events
