"""The ring of a machine's recent samples: what viewers who lag or come back are served from. Pure.

Each entry has an index, which grows by one in the order of delivery, whatever the samples' own positions say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

ENTRIES_MAX = 4096


class Entry(NamedTuple):
    """A delivered sample: its position (`seq` None for a publisher without), its text, and when it arrived.

    `before`: position and time of the sample with a `seq` before it, in the same numbering; None for none.
    """

    index: int  # type: ignore[assignment]  # nobody asks a tuple for its method of that name
    seq: int | None
    ts_ms: int
    message: bytes
    wall_ms: int
    now_s: float
    before: tuple[int, int] | None


class Recent:
    """Samples of the last `keep_s` by arrival, at most `bytes_max` of text and 4,096; the newest one stays."""

    def __init__(self, keep_s: float, bytes_max: int) -> None:
        self._keep_s = keep_s
        self._bytes_max = bytes_max
        self._entries: deque[Entry] = deque()
        self.bytes = 0
        self.end = 0
        """The index that the next sample gets."""
        self.epoch = 0
        """The index from which on `seq` grows: a machine that lost its memory begins a new one."""
        self._newest: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> int:
        """The index of the oldest sample that is held."""
        return self.end - len(self._entries)

    @property
    def newest_seq(self) -> int | None:
        """Of this epoch."""
        return None if self._newest is None else self._newest[0]

    @property
    def newest(self) -> Entry | None:
        """The newest sample."""
        return self._entries[-1] if self._entries else None

    def add(self, seq: int | None, ts_ms: int, message: bytes, wall_ms: int, now_s: float) -> Entry:
        """Append a sample; what is too old or too much goes."""
        before = self._newest
        if seq is not None:
            if before is not None and seq <= before[0]:
                self.epoch, before = self.end, None
            self._newest = seq, ts_ms
        entry = Entry(self.end, seq, ts_ms, message, wall_ms, now_s, before)
        self._entries.append(entry)
        self.end += 1
        self.bytes += len(message)
        while len(self._entries) > 1 and self._is_over(now_s):
            self.bytes -= len(self._entries.popleft().message)
        return entry

    def _is_over(self, now_s: float) -> bool:
        is_old = self._entries[0].now_s < now_s - self._keep_s
        return is_old or self.bytes > self._bytes_max or len(self._entries) > ENTRIES_MAX

    def since(self, index: int) -> Iterator[Entry]:
        """The held entries from an index on."""
        return islice(self._entries, max(0, index - self.first), None)

    def numbered(self, after_seq: int | None = None) -> Entry | None:
        """The first entry of this epoch with a `seq`, one above `after_seq`."""
        for entry in self.since(self.epoch):
            if entry.seq is not None and (after_seq is None or entry.seq > after_seq):
                return entry
        return None

    def has(self, seq: int) -> bool:
        """Whether a sample of this epoch is held."""
        if self.newest_seq is None or seq > self.newest_seq:
            return False  # the common case, without a search
        found = self.numbered(seq - 1)
        return found is not None and found.seq == seq

    def from_time(self, from_ms: int) -> int:
        """The index of the first entry of this epoch that is not older by the machine's clock; `end` for none."""
        return next((entry.index for entry in self.since(self.epoch) if entry.ts_ms >= from_ms), self.end)
