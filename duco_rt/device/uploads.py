"""When a second is sent: in batches, or at once while real-time upload is on. Pure: it is given the time.

```
            start ────────────────► REALTIME  a message a second
 BATCH  ◄── stop, key-off, or 180 s without a command
 a message each upload_interval_s
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload(Generic[T]):
    """Seconds that belong into one upload, oldest first."""

    seconds: tuple[T, ...]
    realtime: bool


class UploadMode(Generic[T]):
    """The upload mode of one device, and its open batch of at most `weight_max` (frames, say)."""

    def __init__(self, interval_s: int, timeout_s: float, weight_max: int) -> None:
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._weight_max = weight_max
        self._open: list[T] = []
        self._weight = 0
        self._opened_s = 0.0
        self._command_s: float | None = None

    @property
    def realtime(self) -> bool:
        """Whether real-time upload is on."""
        return self._command_s is not None

    def remaining_s(self, now_s: float) -> float:
        """How long real-time upload lasts without another command; 0 when it is off."""
        return 0.0 if self._command_s is None else max(0.0, self._command_s + self._timeout_s - now_s)

    def is_realtime_at(self, now_s: float) -> bool:
        """Whether a second that closes now is sent in real time."""
        return self._command_s is not None and now_s - self._command_s < self._timeout_s

    def start(self, now_s: float) -> list[Upload[T]]:
        """Real-time upload on, or kept on; the open batch goes first."""
        self._command_s = now_s
        return self._flush()

    def stop(self) -> None:
        """Real-time upload off."""
        self._command_s = None

    def second(self, second: T, weight: int, now_s: float) -> list[Upload[T]]:
        """A second closed: what is to be sent now. The watchdog bites here, before the second goes."""
        if not self.is_realtime_at(now_s):
            self.stop()
        if self._command_s is not None:
            return [Upload((second,), realtime=True)]
        if not self._open:
            self._opened_s = now_s
        self._open.append(second)
        self._weight += weight
        # half a second of grace: the n-th second closes n - 1 seconds after the first
        due = now_s - self._opened_s >= self._interval_s - 1.5
        return self._flush() if due or self._weight >= self._weight_max else []

    def key_off(self) -> list[Upload[T]]:
        """The key went off: real-time upload ends, and what is collected goes."""
        self.stop()
        return self._flush()

    def _flush(self) -> list[Upload[T]]:
        if not self._open:
            return []
        upload = Upload(tuple(self._open), realtime=False)
        self._open, self._weight = [], 0
        return [upload]
