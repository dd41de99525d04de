"""The log inside the process. It keeps nothing itself, so `append_*` returns when the reader has committed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

from duco_rt.model import RawMessage, Sample
from duco_rt.seeing.metrics import High, Metrics

T = TypeVar("T")


class _Ticket:
    """How many records of one append are not committed yet."""

    def __init__(self, records: int) -> None:
        self.open = records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def commit(self) -> None:
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)


class MemoryBatch(Generic[T]):
    """Records handed to a reader."""

    def __init__(self, entries: Sequence[tuple[T, _Ticket]]) -> None:
        self.records = [record for record, _ in entries]
        self._entries: Sequence[tuple[T, _Ticket]] = entries

    async def commit(self) -> None:
        """The work is done: whoever appended the records may go on."""
        for _, ticket in self._entries:
            ticket.commit()
        self._entries = ()

    def uncommitted(self) -> Sequence[tuple[T, _Ticket]]:
        """What has to be handed out again."""
        return self._entries


class _Topic(Generic[T]):
    """A bounded queue whose records stay until they are committed; a full one makes the writer wait."""

    def __init__(self, records_max: int) -> None:
        self._entries: deque[tuple[T, _Ticket]] = deque()
        self._records_max = records_max
        self.high = High()
        self._changed = asyncio.Condition()
        self._writing = asyncio.Lock()  # one writer at a time waits for room: a later one cannot pass it

    def __len__(self) -> int:
        return len(self._entries)

    async def append(self, records: Sequence[T]) -> None:
        if not records:
            return
        ticket = _Ticket(len(records))
        async with self._writing, self._changed:
            for record in records:
                while len(self._entries) >= self._records_max:
                    await self._changed.wait()
                self._entries.append((record, ticket))
                self.high.see(len(self._entries))
                self._changed.notify_all()
        await ticket.done

    async def read(self, records_max: int, age_max_s: float) -> AsyncIterator[MemoryBatch[T]]:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._entries)
                try:
                    async with asyncio.timeout(age_max_s):
                        await self._changed.wait_for(lambda: len(self._entries) >= records_max)
                except TimeoutError:
                    pass  # old enough: hand out what is there
                taken = [self._entries.popleft() for _ in range(min(records_max, len(self._entries)))]
                self._changed.notify_all()
            batch = MemoryBatch(taken)
            try:
                yield batch
            finally:
                self._entries.extendleft(reversed(batch.uncommitted()))


class MemoryLog:
    """Raw and parsed topics."""

    def __init__(self, queue_messages_max: int, metrics: Metrics) -> None:
        self._raw: _Topic[RawMessage] = _Topic(queue_messages_max)
        self._parsed: _Topic[Sample] = _Topic(queue_messages_max)
        self._raw.high = metrics.depth("log_raw_depth", lambda: len(self._raw))
        self._parsed.high = metrics.depth("log_parsed_depth", lambda: len(self._parsed))

    async def append_raw(self, records: Sequence[RawMessage]) -> None:
        """Return when `process` has committed the records."""
        await self._raw.append(records)

    async def append_parsed(self, records: Sequence[Sample]) -> None:
        """Return when `distribute` has committed the records."""
        await self._parsed.append(records)

    def read_raw(self, records_max: int, age_max_s: float) -> AsyncIterator[MemoryBatch[RawMessage]]:
        """Batches for `process`."""
        return self._raw.read(records_max, age_max_s)

    def read_parsed(self, records_max: int, age_max_s: float) -> AsyncIterator[MemoryBatch[Sample]]:
        """Batches for `distribute`."""
        return self._parsed.read(records_max, age_max_s)

    async def check(self) -> None:
        """Works as long as the process does."""

    async def close(self) -> None:
        """Nothing to release."""
