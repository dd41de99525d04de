"""Which stored seconds wait to be parsed, and the file that has that over the end of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from duco_rt.disk.small_file import write_whole
from duco_rt.model import Peer

log = structlog.get_logger()

_SPANS_MAX = 16
_GAP_MS = 60_000
"""Nearer ones are one: what lies between is read as well."""

_AHEAD_MS = 30_000
"""So much more is kept than is known, so that the file is not written for each second."""


class Span(msgspec.Struct):
    """First and last ts in Unix ms; the file has it to `kept_ms`."""

    from_ms: int
    to_ms: int
    kept_ms: int = 0


class Waiting(msgspec.Struct):
    """The spans of a machine and message type, at most 16, and how many seconds were noted.

    `doing` is being parsed: what is noted of it meanwhile was perhaps not there to be read, and waits again.
    """

    peer: Peer
    spans: list[Span]
    seconds: int = 0
    doing: Span | None = None

    def note(self, ts_ms: int) -> bool:
        """One more second; False where that would be too many spans (a clock that jumps)."""
        for span in self.spans:
            if span.from_ms - _GAP_MS <= ts_ms <= span.to_ms + _GAP_MS:
                if ts_ms < span.from_ms:
                    span.from_ms, span.kept_ms = ts_ms, 0
                span.to_ms = max(span.to_ms, ts_ms)
                self.seconds += 1
                return True
        if len(self.spans) >= _SPANS_MAX:
            return False
        self.spans.append(Span(ts_ms, ts_ms))
        self.seconds += 1
        return True

    def take(self, length_ms: int) -> Span:
        """The first piece, which is `doing` from now on."""
        span = self.spans[0]
        to_ms = min(span.from_ms + length_ms - 1, span.to_ms)
        piece = self.doing = Span(span.from_ms, to_ms)
        if to_ms == span.to_ms:
            del self.spans[0]
        else:
            span.from_ms = to_ms + 1
        return piece

    @property
    def all(self) -> list[Span]:
        """What waits, and what is being parsed."""
        return self.spans if self.doing is None else [*self.spans, self.doing]

    @property
    def is_kept(self) -> bool:
        """Whether the file has it all."""
        return all(span.to_ms <= span.kept_ms for span in self.spans)


class LaterFile:
    """`file` None: nothing is kept. `changed`: some of it is done."""

    def __init__(self, file: Path | None) -> None:
        self.changed = False
        self._file = file
        self._writing = asyncio.Lock()

    async def load(self) -> list[Waiting]:
        """What waited when the last process ended; a file that is none of ours is left out, with a log line."""
        if self._file is None:
            return []
        try:
            return msgspec.json.decode(await asyncio.to_thread(self._file.read_bytes), type=list[Waiting])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            log.error("which seconds wait to be parsed cannot be read: they stay raw", file=str(self._file), why=str(e))
            return []

    async def keep(self, held: Sequence[Waiting]) -> None:
        """On disk on return, where it is not there yet. Raises OSError."""
        if self._file is None:
            return
        async with self._writing:
            if not self.changed and all(waiting.is_kept for waiting in held):
                return
            self.changed = False
            spans = [span for waiting in held for span in waiting.spans]
            kept = [span.to_ms + _AHEAD_MS for span in spans]
            rows = [Waiting(w.peer, [Span(s.from_ms, s.to_ms + _AHEAD_MS) for s in w.all], w.seconds) for w in held]
            try:
                if rows:
                    await asyncio.to_thread(write_whole, self._file, msgspec.json.encode(rows))
                else:
                    await asyncio.to_thread(self._file.unlink, missing_ok=True)
            except OSError:
                self.changed = True
                raise
            for span, kept_ms in zip(spans, kept, strict=True):
                span.kept_ms = kept_ms
