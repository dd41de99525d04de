"""Read again: the raw rows of a device and a range, through today's parsing, into the parsed store.

A sample has the position and `received` of its raw second, so it replaces the one that is there. A run walks the range
in chunks; after each, a note says how far it is, and the same question goes on from there after any end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import msgspec

from duco_rt.clock import Clock
from duco_rt.errors import DucoError, TransportError
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.pipeline.parse import Problems, Rereader
from duco_rt.pipeline.parsing_cache import Known
from duco_rt.pipeline.reparse_note import Note, NoteFile
from duco_rt.pipeline.runner import retry
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import Meta, Store

_SPAN_FIRST_MS, _SPAN_MAX_MS = 60_000, 300_000
_CHUNK_BYTES = 8_000_000
_INSERT_VALUES = 25_000  # some 0.1 s of the store's thread, which readers of history wait for
_PREROLL_MS = 15_000  # a message of several frames takes less
_SETTLE_MS = 3_000  # by then the live path has stored its own sample of a second, which must not come after ours


class Progress(msgspec.Struct, frozen=True):
    """How far a run is: ms of the range, raw seconds read and samples stored since the range's begin.

    `rate` is of this run: ms of the range a ms of time.
    """

    done_ms: int
    total_ms: int
    seconds: int
    samples: int
    rate: float


class Result(msgspec.Struct, frozen=True):
    """What a whole range gave. `parsing` is name and version, `problems` are by kind.

    `elapsed_s` and `rate` are of this run; `notes` is what the asker should know after it.
    """

    device: str
    from_ms: int
    to_ms: int
    parsing: tuple[str, int] | None
    seconds: int
    samples: int
    problems: dict[str, int]
    elapsed_s: float
    rate: float
    notes: list[str]


class Means(NamedTuple):
    """What a run works with.

    `rest` is how long it leaves the loop alone after each second that it has read, as a share of the time that the
    second took: 0 where there is nobody else.
    """

    store: Store
    meta: Meta
    clock: Clock
    metrics: Metrics
    rest: float = 0.0


class _Tally:
    """What the chunk at work has given until now; `waiting` samples, of so many `values`, are not stored yet."""

    def __init__(self) -> None:
        self.done_ms = 0
        self.seconds = 0
        self.samples = 0
        self.bytes = 0
        self.problems = Problems()
        self.waiting: list[Sample] = []
        self.values = 0


class Reparse:
    """One run. `notes` is what the asker should know before it."""

    def __init__(self, means: Means, file: NoteFile, note: Note, known: Known, notes: list[str]) -> None:
        self.notes = notes
        self.stopped = False
        self._means = means
        self._file = file
        self._note = note
        self._known = known
        self._readers = {msg_type: Rereader((msg_type,)) for msg_type in note.msg_types}
        self._span_ms = _SPAN_FIRST_MS
        self._tally = _Tally()
        self._begun_ms = note.next_ms
        self._begun_s = means.clock.steady_s()

    def progress(self) -> Progress:
        """How far it is now."""
        note, tally = self._note, self._tally
        at_ms = min(note.next_ms + tally.done_ms, note.to_ms + 1)
        elapsed_s = max(self._means.clock.steady_s() - self._begun_s, 1e-3)
        return Progress(
            at_ms - note.from_ms,
            note.to_ms + 1 - note.from_ms,
            note.seconds + tally.seconds,
            note.samples + tally.samples,
            round((at_ms - self._begun_ms) / elapsed_s / 1000, 1),
        )

    async def watch(self, tell: Callable[[Progress], Awaitable[None]], every_s: float = 0.5) -> Result:
        """Run to the end, and tell how far it is. Where `tell` raises OSError, the run ends and it is raised."""
        gone: OSError | None = None
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(self._outcome())
            try:
                while not (await asyncio.wait([work], timeout=every_s))[0]:
                    await tell(self.progress())
                await tell(self.progress())
            except OSError as e:
                gone = e
                work.cancel()
        if gone is not None:
            raise gone
        outcome = work.result()
        if isinstance(outcome, DucoError):
            raise outcome
        return outcome

    async def _outcome(self) -> Result | DucoError:
        """Its error as a value: a group would wrap it."""
        try:
            return await self._run()
        except DucoError as e:
            return e

    async def _run(self) -> Result:
        self._begun_s = self._means.clock.steady_s()
        await self._preroll()
        while self._note.next_ms <= self._note.to_ms:
            await self._chunk()
        await asyncio.to_thread(self._file.remove)
        note, done = self._note, self.progress()
        elapsed_s = round(self._means.clock.steady_s() - self._begun_s, 3)
        return Result(
            note.device, note.from_ms, note.to_ms, note.parsing, note.seconds, note.samples, note.problems,
            elapsed_s, done.rate, await self._changed(),
        )  # fmt: skip

    async def _preroll(self) -> None:
        """What began before and goes on."""
        first_ms = max(0, self._note.next_ms - _PREROLL_MS)
        if self._note.next_ms:
            for msg_type, reader in self._readers.items():
                for second in _seconds(await self._raw(msg_type, first_ms, self._note.next_ms - 1)):
                    await self._read(reader, second, Problems())

    async def _chunk(self) -> None:
        """Read and store what lies within the span, then note it."""
        note, tally = self._note, self._tally
        last_ms = min(note.next_ms + self._span_ms - 1, note.to_ms)
        for msg_type, reader in self._readers.items():
            rows = await self._raw(msg_type, note.next_ms, last_ms)
            tally.bytes += sum(
                len(row.streams) + len(row.order) + len(row.times) + len(row.data) + len(row.body) for row in rows
            )
            for second in _seconds(rows):
                await self._store(reader, second)
                tally.done_ms = max(tally.done_ms, second[0].ts_ms - note.next_ms)  # the first type has the most
            await self._insert()
        self._note = msgspec.structs.replace(
            note,
            next_ms=last_ms + 1,
            seconds=note.seconds + tally.seconds,
            samples=note.samples + tally.samples,
            problems=dict(Counter(note.problems) + tally.problems),
        )
        self._tally = _Tally()
        await asyncio.to_thread(self._file.write, self._note)
        # as much as memory allows: little of a busy bus, more where there is nothing
        fits_ms = _CHUNK_BYTES * self._span_ms // max(tally.bytes, 1)
        self._span_ms = max(1_000, min(fits_ms, 2 * self._span_ms, _SPAN_MAX_MS))

    async def _store(self, reader: Rereader, second: Sequence[RawSecond]) -> None:
        tally = self._tally
        tally.seconds += any(row.kind != "unread" for row in second)
        samples = await self._read(reader, second, tally.problems)
        tally.waiting += samples
        tally.values += sum(len(sample.payload) + 1 for sample in samples)
        if tally.values >= _INSERT_VALUES:
            await self._insert()

    async def _read(self, reader: Rereader, second: Sequence[RawSecond], problems: Problems) -> list[Sample]:
        """The samples of one second, then others have their turn."""
        if self.stopped:
            raise TransportError("stopped, as the process ends; the same command goes on from there")
        begun_s = self._means.clock.steady_s()
        samples = list(reader.read(second, self._known, problems))
        await asyncio.sleep(self._means.rest * (self._means.clock.steady_s() - begun_s))
        return samples

    async def _insert(self) -> None:
        samples = self._tally.waiting
        if not samples:
            return
        young_ms = self._means.clock.wall_ms() - max(sample.received_ms for sample in samples)
        if 0 <= young_ms < _SETTLE_MS:
            await asyncio.sleep((_SETTLE_MS - young_ms) / 1000)
        await retry("store", partial(self._means.store.insert_parsed, samples), self._means.metrics)
        self._means.metrics.count("reparse_samples_total", len(samples))
        self._tally.samples += len(samples)
        self._tally.waiting, self._tally.values = [], 0

    async def _raw(self, msg_type: str, from_ms: int, to_ms: int) -> list[RawSecond]:
        peer = Peer(self._note.tenant, self._note.device, msg_type)
        return await retry("store", partial(self._means.store.raw, peer, from_ms, to_ms), self._means.metrics)

    async def _changed(self) -> list[str]:
        """What is not as it was when the run began."""
        try:
            device = await self._means.meta.device(self._note.device)
            parsing = None if device.parsing is None else await self._means.meta.parsing(device.parsing)
        except DucoError as e:
            return [f"whether the parsing is still the same could not be asked: {e}"]
        now = None if parsing is None else (parsing.name, parsing.version)
        if (now, device.tenant) == (self._note.parsing, self._note.tenant):
            return []
        return ["the parsing or the tenant changed meanwhile: what it was at the begin was used; run it again"]


def _seconds(rows: Sequence[RawSecond]) -> Iterator[list[RawSecond]]:
    """Rows of one position together: the parts of a large second."""
    for _, group in groupby(rows, key=lambda row: (row.ts_ms, row.seq)):
        yield list(group)
