"""A hub message becomes raw rows and samples. Shared by `ingest` (live) and `process` (store); no I/O."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from duco_rt import body
from duco_rt.errors import BadBody
from duco_rt.model import Peer, RawMessage, RawSecond, Sample
from duco_rt.parts import join
from duco_rt.pipeline.assemble import Assembler
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.parsing_cache import Known


class Problems(Counter[str]):
    """Bad input by kind; `why` says what was wrong with the last unread body."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one second of a message gives: its raw row, and the sample that is complete with it.

    `lacks_parts` is the number of parts of a large second of which not all have been seen here.
    """

    raw: RawSecond
    sample: Sample | None
    lacks_parts: int = 0


class Parser:
    """Parses messages of known and unknown devices; `problems` counts what is bad by kind."""

    def __init__(self, msg_types: tuple[str, ...]) -> None:
        self._msg_types = frozenset(msg_types)
        self._assembler = Assembler()

    def parse(self, raw: RawMessage, known: Known | None, problems: Problems) -> Iterator[Parsed]:
        """Second by second, so that a caller can let others run between. Never raises on bad input."""
        message = raw.message
        peer = Peer(raw.tenant, message.chassis_id, message.msg_type)
        if not raw.tenant:
            problems["unknown_device"] += 1
            known = None
        if message.msg_type not in self._msg_types:
            problems["unknown_msg_type"] += 1
            known = None
        try:
            inner = body.inflate(message.body, message.content_encoding)
            if message.content_type == body.CAN_TYPE:
                seconds = body.decode_can(inner)
                yield from (self._can(raw, peer, known, *second, problems) for second in seconds)
            elif message.content_type == body.JSON_TYPE:
                yield from (_json(raw, peer, known, *second) for second in body.decode_json(inner))
            else:
                raise BadBody(f"content type {message.content_type!r}")
        except BadBody as e:
            problems["unread_body"] += 1
            problems.why = str(e)
            yield Parsed(_unread(raw, peer), None)

    def _can(
        self,
        raw: RawMessage,
        peer: Peer,
        known: Known | None,
        second: body.CanSecond,
        columns: body.Columns,
        problems: Problems,
    ) -> Parsed:
        row = RawSecond(
            peer,
            second.ts_ms,
            second.seq,
            second.part,
            raw.received_ms,
            raw.message.realtime,
            "can1",
            columns.streams,
            columns.order,
            columns.times,
            columns.data,
        )
        if known is None or known.plan is None:
            if known is not None:
                problems["no_parsing"] += 1
            return Parsed(row, None)
        whole = self._assembler.add(peer.chassis_id, peer.msg_type, second, problems)
        if whole is None:
            return Parsed(row, None, second.parts)
        return Parsed(row, _sample(peer, whole, raw.received_ms, known.plan, problems))

    def stored(
        self, rows: Sequence[RawSecond], seq: int, parts: int, known: Known | None, problems: Problems
    ) -> Sample | None:
        """The sample of a second whose parts the store has, though not all were seen here; None while one lacks."""
        mine = {row.part: row for row in rows if row.seq == seq and row.kind == "can1"}
        if known is None or known.plan is None or set(mine) != set(range(parts)):
            return None
        columns = [
            body.unpack_columns(body.Columns(r.streams, r.order, r.times, r.data), r.ts_ms, r.seq, r.part, parts)
            for r in mine.values()
        ]
        newest = max(mine.values(), key=lambda row: row.received_ms)
        return _sample(newest.peer, join(columns), newest.received_ms, known.plan, problems)


def _sample(peer: Peer, second: body.CanSecond, received_ms: int, plan: Plan, problems: Problems) -> Sample | None:
    try:
        values = plan.last_values(second, problems)
    except Exception as e:  # a plan that fails must not stop the storage of the raw frames
        problems["decode_failed"] += 1
        problems.why = f"{type(e).__name__}: {e}"
        return None
    return Sample(peer, second.ts_ms, second.seq, received_ms, values)


def _json(raw: RawMessage, peer: Peer, known: Known | None, second: body.JsonSecond, text: bytes) -> Parsed:
    row = _row(raw, peer, second.ts_ms, second.seq, "json1", text)
    if known is None:
        return Parsed(row, None)
    return Parsed(row, Sample(peer, second.ts_ms, second.seq, raw.received_ms, second.payload))


def _unread(raw: RawMessage, peer: Peer) -> RawSecond:
    """A body that nobody could read, at the position that the message claims. Several may claim the same: `part`,
    made of the body, keeps them apart."""
    message = raw.message
    ts_ms, seq = (min(max(value, 0), 2**53) for value in (message.ts_ms, message.seq))
    part = zlib.crc32(message.body) & 0xFFFF
    return replace(_row(raw, peer, ts_ms, seq, "unread", message.body), part=part)


def _row(raw: RawMessage, peer: Peer, ts_ms: int, seq: int, kind: Literal["json1", "unread"], text: bytes) -> RawSecond:
    return RawSecond(peer, ts_ms, seq, 0, raw.received_ms, raw.message.realtime, kind, body=text)
