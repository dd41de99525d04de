"""What is needed to read again: raw rows, a store in lists that a test may end at any insert, and readers of both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from duco_rt import body
from duco_rt.model import CLIENT_RAW_DATA, Parsing, Peer, RawSecond, Sample
from duco_rt.parts import split
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.reparse import Means, Progress, Result
from duco_rt.pipeline.reparse_jobs import Asked, Reparses
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import Meta, Store
from tests.can_seconds import TS_MS, Frame, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text
from tests.pipeline.decoding.packets import bam_frames
from tests.pipeline.line import PEER, TYPES, FixedClock, RecordingStore

JSON_PEER = PEER._replace(msg_type=CLIENT_RAW_DATA)


def can_rows(number: int, parts: int = 1, peer: Peer = PEER) -> list[RawSecond]:
    """The raw rows of second `number`: rpm (id 256 of `line.DBC`) has that value; in parts where more are asked for."""
    frames = [Frame(0, "c", 256, False, 0, number.to_bytes(2, "little"))]
    frames += [Frame(i, "c", 0x700 + i, False, 0, bytes(8)) for i in range(1, parts)]
    second = second_of(frames, TS_MS + 1000 * number, number)
    pieces = split(second, 70) if parts > 1 else [second]
    return [_row(piece, peer) for piece in pieces]


def _row(second: body.CanSecond, peer: Peer = PEER) -> RawSecond:
    c = body.pack_columns(second)
    at = second.ts_ms, second.seq, second.part, second.ts_ms + 1200
    return RawSecond(peer, *at, False, "can1", c.streams, c.order, c.times, c.data, parts=second.parts)


GROUP = dbc_text(f"{0x9CFECA00} Long 20\ncount : 0|16@1+ (1,0)", tail=J1939_TAIL)
"""A parsing of a message that takes four frames."""


def group_rows(seconds: int) -> list[RawSecond]:
    """Seconds in each of which such a message ends that began in the one before, whose number it has."""
    frames: dict[int, list[Frame]] = {n: [] for n in range(seconds + 1)}
    for n in range(seconds):
        sent = bam_frames(0xFECA, 0x00, n.to_bytes(2, "little") + bytes(18))
        for (can_id, data), at_us in zip(sent, (900_000, 950_000, 1_000_000, 1_050_000), strict=True):
            second, time_us = divmod(n * 1_000_000 + at_us, 1_000_000)
            frames[second].append(Frame(time_us, "c", can_id, True, 0, data))
    return [_row(second_of(frames[n], TS_MS + 1000 * n, n)) for n in range(seconds)]


def json_row(number: int, **payload: float) -> RawSecond:
    """A second of ready values."""
    ts_ms = TS_MS + 1000 * number
    [(_, text)] = body.decode_json(body.encode_json([body.JsonSecond(ts_ms, number, dict(payload))]))
    return RawSecond(JSON_PEER, ts_ms, number, 0, ts_ms + 1200, False, "json1", body=text)


def unread_row(number: int) -> RawSecond:
    """A body that nobody could read."""
    ts_ms = TS_MS + 1000 * number
    return RawSecond(PEER, ts_ms, number, 77, ts_ms + 1200, False, "unread", body=b"nonsense")


class AgainStore(RecordingStore):
    """Raw rows in order, samples by position as they are after all inserts; `ends_after` inserts it cancels the run."""

    def __init__(self, rows: Sequence[RawSecond] = (), ends_after: int | None = None) -> None:
        super().__init__()
        self.raw_rows = list(rows)
        self.asked: list[tuple[str, int, int]] = []
        self.inserts: list[int] = []
        self.ends_after = ends_after

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """What lies in the range, in order."""
        self.asked.append((peer.msg_type, from_ms, to_ms))
        await self._gate("raw")
        return sorted(await super().raw(peer, from_ms, to_ms), key=lambda row: (row.ts_ms, row.seq, row.part))

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Keep, and end the process's task where it is time."""
        await super().insert_parsed(samples)
        self.inserts.append(len(samples))
        if self.ends_after == len(self.inserts):
            raise asyncio.CancelledError

    @property
    def kept(self) -> dict[tuple[Peer, int, int | None], Sample]:
        """The latest of each position."""
        return {(s.peer, s.ts_ms, s.seq): s for s in self.samples}


async def compiled(parsing: Parsing) -> Plan:
    """The plan, read in this process."""
    return compile_here(parsing)


def reparses(store: Store, meta: Meta, folder: Path, clock: FixedClock | None = None, rest: float = 0.0) -> Reparses:
    """The runs of a process."""
    clock = clock or late_clock()
    return Reparses(Means(store, meta, clock, Metrics(), rest), TYPES, folder / "reparse", compiled)


def late_clock() -> FixedClock:
    """A clock at which all rows came long ago."""
    clock = FixedClock()
    clock.now_ms = TS_MS + 10 * 86_400_000
    return clock


def asked(first: int, last: int, chassis_id: str = "DUCO_001") -> Asked:
    """Seconds `first` to `last` of a device."""
    return Asked(chassis_id, str(TS_MS + 1000 * first), str(TS_MS + 1000 * last))


async def read_again(jobs: Reparses, question: Asked) -> tuple[Result, list[str], list[Progress]]:
    """The result, what was said before it, and how far it was from time to time."""
    told: list[Progress] = []

    async def tell(now: Progress) -> None:
        told.append(now)

    async with asyncio.timeout(20), jobs.begin(question) as job:
        return await job.watch(tell, every_s=0.001), job.notes, told
