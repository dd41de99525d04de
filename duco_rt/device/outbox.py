"""What is on its way to the hub: the live second first, then what waits in the spool, oldest first."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Sequence

import structlog

from duco_rt.clock import Clock
from duco_rt.device.spool import Entry, Spool
from duco_rt.errors import TransportError
from duco_rt.model import HubMessage
from duco_rt.pipeline.runner import backoff_s
from duco_rt.seeing.logs import sample_key, steps
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import HubDevice

log = structlog.get_logger()

_FRESH_MAX = 64
_OLD_MAX = 8
_RESENDS_MAX = 3
"""Messages on their way at once: of the live seconds, and of the spool, so that these leave the others room."""


class Outbox:
    """Messages not yet taken by the hub, each in the spool before it is here. What cannot be sent waits there.

    What the hub took in the last `resend_s` stays in the spool: `resend` sends it once more.
    """

    def __init__(self, hub: HubDevice, spool: Spool, resend_s: float, clock: Clock, metrics: Metrics) -> None:
        self._hub = hub
        self._spool = spool
        self._resend_s = resend_s
        self._clock = clock
        self._metrics = metrics
        self._oldest_segment = spool.oldest_segment
        self._fresh: deque[tuple[Entry, HubMessage]] = deque()
        self._old: list[Entry] = list(spool.left)
        self._sent: deque[tuple[float, Entry]] = deque()
        self._flying: dict[int, Entry] = {}
        self._fresh_flying = self._old_flying = 0
        self._failures = 0
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self.latency_ms = 0.0
        self.sent = 0
        self._sending = metrics.histogram("device_send_seconds")
        self._update()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._old) + len(self._flying)

    def put(self, entries: Sequence[tuple[Entry, HubMessage]]) -> None:
        """Send these as soon as may be. While the hub is away they wait in the spool, not here."""
        for entry, message in entries:
            if self._hub.is_online and len(self._fresh) < _FRESH_MAX:
                self._fresh.append((entry, message))
            else:
                heapq.heappush(self._old, entry)
        self._forget_dropped()
        self._update()

    def resend(self) -> None:
        """The hub may have lost what it took before it went: send that once more, three times at most each."""
        sent, self._sent = self._sent, deque()
        for _, entry in sent:
            if entry.resends >= _RESENDS_MAX:
                self._spool.release(entry)
                continue
            entry.resends += 1
            self._metrics.count("device_resent_total")
            self._spool.mark(entry, sent=False)
            heapq.heappush(self._old, entry)
        self._update()

    def _forget_dropped(self) -> None:
        """What the spool's bound took is not waited for."""
        oldest = self._spool.oldest_segment
        if oldest != self._oldest_segment:
            self._oldest_segment = oldest
            self._old = [entry for entry in self._old if entry.message or entry.segment >= oldest]
            heapq.heapify(self._old)

    async def run(self) -> None:
        """Send, for ever: begun in order, at most 64 live ones and 8 of the spool unacknowledged.

        Run again after it failed, it begins with what was on its way.
        """
        for entry in self._flying.values():
            heapq.heappush(self._old, entry)
        self._flying.clear()
        self._fresh_flying = self._old_flying = 0
        self._update()
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._hub.online()
                if self._fresh and self._fresh_flying < _FRESH_MAX:
                    self._fresh_flying += 1
                    entry, message = self._fresh.popleft()
                    self._flying[entry.number] = entry
                    tasks.create_task(self._send_fresh(entry, message))
                elif self._old and self._old_flying < _OLD_MAX:
                    self._old_flying += 1
                    entry = heapq.heappop(self._old)
                    self._flying[entry.number] = entry
                    tasks.create_task(self._send_old(entry))
                else:
                    self._changed.clear()
                    await self._changed.wait()

    async def _send_fresh(self, entry: Entry, message: HubMessage) -> None:
        try:
            await self._send(entry, message)
        finally:
            self._fresh_flying -= 1
            self._update()

    async def _send_old(self, entry: Entry) -> None:
        try:
            message = self._spool.read(entry)
            if message is None:
                self._spool.release(entry)
                self._flying.pop(entry.number, None)
            else:
                await self._send(entry, message)
        finally:
            self._old_flying -= 1
            self._update()

    async def _send(self, entry: Entry, message: HubMessage) -> None:
        begun_s = self._clock.steady_s()
        if steps.on:
            kind = "real-time" if message.realtime else "batch"
            steps.log("device sends", message.chassis_id, message.msg_type, message.seq, upload=kind)
        try:
            await self._hub.send(message)
        except TransportError as e:
            self._metrics.count("transport_retries_total", what="hub")
            if not self._failures:
                sample = sample_key(message.chassis_id, message.msg_type, message.seq)
                log.warning("hub takes no messages, trying again", sample=sample, error=str(e))
            self._failures += 1
            await asyncio.sleep(backoff_s(min(self._failures, 5)))
            self._flying.pop(entry.number, None)
            heapq.heappush(self._old, entry)
            return
        self._flying.pop(entry.number, None)
        self._failures = 0
        now_s = self._clock.steady_s()
        self.latency_ms = (now_s - begun_s) * 1000
        self._sending.observe(now_s - begun_s)
        self._metrics.count("device_sent_total")
        self.sent += 1
        self._spool.mark(entry, sent=True)
        self._sent.append((now_s, entry))
        self._release_old()

    def _release_old(self) -> None:
        limit_s = self._clock.steady_s() - self._resend_s
        while self._sent and self._sent[0][0] <= limit_s:
            self._spool.release(self._sent.popleft()[1])

    def _update(self) -> None:
        self._changed.set()
        if len(self):
            self._idle.clear()
        else:
            self._idle.set()

    async def drained(self) -> None:
        """Return when the hub has everything; what a hub that is away does not take is left to the next start."""
        while self._hub.is_online and not self._idle.is_set():
            try:
                async with asyncio.timeout(0.1):
                    await self._idle.wait()
            except TimeoutError:
                pass

    def close(self, *, keep_sent: bool = False) -> None:
        """An ordered end: what the hub has leaves the spool, unless it is to be sent again (`keep_sent`)."""
        while self._sent and not keep_sent:
            self._spool.release(self._sent.popleft()[1])
        self._spool.close()
