"""A hub message becomes raw rows and samples. Shared by `ingest` (live) and `process` (store); no I/O."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from duco_rt import body
from duco_rt.errors import BadBody
from duco_rt.model import Peer, RawMessage, RawSecond, Sample
from duco_rt.pipeline.assemble import Assembler
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.parsing_cache import Known
from duco_rt.pipeline.raw_seconds import can_seconds
from duco_rt.pipeline.samples import Problems, Sampler

__all__ = ["Parsed", "Parser", "Problems", "Rereader"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one second of a message gives: its raw row, and the sample that is complete with it.

    `lacks_parts` is the number of parts of a large second of which not all have been seen here. `next_again`: the
    second after it was parsed before it, without the beginnings of longer messages that this one has. `waits`: its
    parsing is not there yet.
    """

    raw: RawSecond
    sample: Sample | None
    lacks_parts: int = 0
    next_again: bool = False
    waits: bool = False


class Parser:
    """Parses messages of known and unknown devices; `problems` counts what is bad by kind."""

    def __init__(
        self, msg_types: tuple[str, ...], *, stats: bool = True, inflated_bytes_max: int = body.INFLATED_BYTES_MAX
    ) -> None:
        """`stats`: whether samples carry the spans of their fields. A body that is larger inflated is a bad one."""
        self._msg_types = frozenset(msg_types)
        self._inflated_bytes_max = inflated_bytes_max
        self._assembler = Assembler()
        self._sampler = Sampler(stats=stats)

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
            inner = body.inflate(message.body, message.content_encoding, self._inflated_bytes_max)
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
        except Exception as e:  # as in `_can`; the message is kept whole
            problems.fail(e)
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
            parts=second.parts,
        )
        if known is None or known.plan is None:
            waits = known is not None and known.waits
            if known is not None and not waits:
                problems["no_parsing"] += 1
            return Parsed(row, None, waits=waits)
        try:
            whole = self._assembler.add(peer.chassis_id, peer.msg_type, second, problems)
            if whole is None:
                return Parsed(row, None, second.parts)
            return Parsed(row, *self._sample(peer, whole, raw.received_ms, known.plan, problems))
        except Exception as e:  # an error of ours in one second must not hold up those behind it
            problems.fail(e)
            return Parsed(row, None)

    def _sample(
        self, peer: Peer, second: body.CanSecond, received_ms: int, plan: Plan, problems: Problems
    ) -> tuple[Sample | None, int, bool]:
        """The sample, no parts that lack, and whether the next second has to be parsed again."""
        before = self._sampler.left_open(peer, second.seq)
        sample = self._sampler.sample(peer, second, received_ms, plan, problems)
        return sample, 0, self._sampler.leaves_more(peer, second.seq, before)

    def lacks_past(self, raw: RawMessage, known: Known | None) -> bool:
        """Whether longer messages may have begun in the second before the message's first, which was not seen here."""
        message = raw.message
        if message.content_type != body.CAN_TYPE or message.msg_type not in self._msg_types:
            return False
        peer = Peer(raw.tenant, message.chassis_id, message.msg_type)
        has_groups = known is not None and known.plan is not None and known.plan.has_groups
        return has_groups and not self._sampler.follows(peer, message.seq)

    def see_past(self, rows: Sequence[RawSecond], known: Known) -> Iterator[None]:
        """Go through stored seconds (in order), one a step, for what they leave open."""
        for second, _ in can_seconds(rows, Problems()):
            if known.plan is not None:
                self._sampler.pass_over(rows[0].peer, second, known.plan)
            yield

    def stored(
        self, rows: Sequence[RawSecond], seq: int, parts: int, known: Known | None, problems: Problems
    ) -> tuple[Sample | None, bool]:
        """The sample of a second of which the store has all parts (None while one lacks), and as `next_again`."""
        mine = [row for row in rows if row.seq == seq and row.kind == "can1"]
        if known is None or known.plan is None or {row.part for row in mine} != set(range(parts)):
            return None, False
        whole = next(can_seconds(mine, problems, whole=True), None)
        if whole is None:
            return None, False
        second, received_ms = whole
        sample, _, next_again = self._sample(mine[0].peer, second, received_ms, known.plan, problems)
        return sample, next_again


class Rereader:
    """Parses what the raw store has, second by second, as it was parsed when it came in."""

    def __init__(self, msg_types: tuple[str, ...]) -> None:
        self._msg_types = frozenset(msg_types)
        self._sampler = Sampler()

    def read(self, rows: Sequence[RawSecond], known: Known, problems: Problems) -> Iterator[Sample]:
        """The samples of rows of one peer in order of (ts, seq, part), the parts of a second in one call.

        Of a large second that may lack a part there is none: `incomplete_second` counts it. Messages of several frames
        go on from call to call. Never raises on bad rows: they are counted.
        """
        if rows and rows[0].peer.msg_type not in self._msg_types:
            problems["unknown_msg_type"] += len(rows)
            return
        if known.plan is None:
            problems["no_parsing"] += sum(row.kind == "can1" for row in rows)
        else:
            for second, received_ms in can_seconds(rows, problems, whole=True):
                sample = self._sampler.sample(rows[0].peer, second, received_ms, known.plan, problems)
                if sample is not None:
                    yield sample
        for row in rows:
            if row.kind == "json1":
                try:
                    payload = body.decode_json_second(row.body).payload
                except BadBody as e:
                    problems["unread_body"] += 1
                    problems.why = str(e)
                else:
                    yield Sample(row.peer, row.ts_ms, row.seq, row.received_ms, payload, {})
            elif row.kind == "unread" and known.plan is None:  # can_seconds counts it, too
                problems["unread_body"] += 1


def _json(raw: RawMessage, peer: Peer, known: Known | None, second: body.JsonSecond, text: bytes) -> Parsed:
    row = _row(raw, peer, second.ts_ms, second.seq, "json1", text)
    if known is None:
        return Parsed(row, None)
    return Parsed(row, Sample(peer, second.ts_ms, second.seq, raw.received_ms, second.payload, {}))


def _unread(raw: RawMessage, peer: Peer) -> RawSecond:
    """A body that nobody could read, at the position that the message claims. Several may claim the same: `part`,
    made of the body, keeps them apart."""
    message = raw.message
    ts_ms, seq = (min(max(value, 0), 2**53) for value in (message.ts_ms, message.seq))
    part = zlib.crc32(message.body) & 0xFFFF
    return replace(_row(raw, peer, ts_ms, seq, "unread", message.body), part=part)


def _row(raw: RawMessage, peer: Peer, ts_ms: int, seq: int, kind: Literal["json1", "unread"], text: bytes) -> RawSecond:
    return RawSecond(peer, ts_ms, seq, 0, raw.received_ms, raw.message.realtime, kind, body=text)
