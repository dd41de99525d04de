"""How late a machine's seconds reach a point of their way: by its own clock where that is right, and by ours alone."""

from __future__ import annotations

from duco_rt.seeing.metrics import Metrics

_SECOND_MS = 1_000
_AHEAD_MS = 1_000
REALTIME_MS = 60_000
"""A real-time second that arrives later than this after its end is one of a clock that is behind."""
FRESH_MS = 2_500
"""Where nobody knows which upload a second came with: those that arrived so soon count."""


class Delays:
    """Delays to one point. A second counts by the machine's clock where it arrived within `late_ms` of its end, and
    not over 1 s before it; from its arrival it always counts."""

    __slots__ = ("_arrival", "_late_ms", "_second")

    def __init__(self, metrics: Metrics, at: str, late_ms: int = REALTIME_MS) -> None:
        self._second = metrics.histogram("second_delay_seconds", at=at)
        self._arrival = metrics.histogram("arrival_delay_seconds", at=at)
        self._late_ms = late_ms

    def note(self, ts_ms: int, received_ms: int, now_ms: int, realtime: bool = True) -> None:
        """The second that began at `ts_ms` by the machine's clock, and arrived at `received_ms`, is there now.

        One that is not `realtime` counts from its arrival alone.
        """
        self._arrival.observe((now_ms - received_ms) / 1000)
        end_ms = ts_ms + _SECOND_MS
        if realtime and -_AHEAD_MS <= received_ms - end_ms <= self._late_ms:
            self._second.observe((now_ms - end_ms) / 1000)


class Arrivals:
    """Delays of real-time messages to their arrival, and how many have a clock that is wrong."""

    __slots__ = ("_metrics", "_second")

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._second = metrics.histogram("second_delay_seconds", at="ingest")

    def note(self, ts_ms: int, received_ms: int) -> None:
        """The second that began at `ts_ms` by the machine's clock arrived."""
        late_ms = received_ms - ts_ms - _SECOND_MS
        if -_AHEAD_MS <= late_ms <= REALTIME_MS:
            self._second.observe(late_ms / 1000)
        else:
            self._metrics.count("ingest_clock_off_total", clock="ahead" if late_ms < 0 else "behind")


class StoreLag:
    """How far a table of the store is behind arrival: the age of the oldest row that is being put there, or of that
    put there last. 0 where nothing came for a minute. Times are Unix ms."""

    __slots__ = ("_done_ms", "_lag_ms", "_oldest_ms")

    def __init__(self) -> None:
        self._oldest_ms: int | None = None
        self._lag_ms = 0
        self._done_ms = 0

    def begin(self, oldest_ms: int) -> None:
        """A batch whose oldest row arrived then is on its way."""
        self._oldest_ms = oldest_ms

    def end(self, now_ms: int) -> None:
        """It is there."""
        if self._oldest_ms is not None:
            self._lag_ms, self._done_ms, self._oldest_ms = max(0, now_ms - self._oldest_ms), now_ms, None

    def lag_s(self, now_ms: int) -> float:
        """As of now, in seconds."""
        if self._oldest_ms is not None:
            return max(0, now_ms - self._oldest_ms) / 1000
        return self._lag_ms / 1000 if now_ms - self._done_ms < 60_000 else 0.0
