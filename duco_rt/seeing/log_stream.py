"""Where log lines go: a full disk or a reader that has gone takes lines, but nothing else of the process."""

from __future__ import annotations

from typing import TextIO


class LogStream:
    """A stream that raises nothing. How many lines it lost is told before the next one that it can write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0
        self._failed = False

    def write(self, text: str) -> int:
        """A line, or a part of one: `flush` ends it."""
        try:
            if self._lost:
                self._stream.write(f"duco_rt: {self._lost} log lines could not be written\n")
                self._stream.flush()
                self._lost = 0
            self._stream.write(text)
        except (OSError, ValueError):  # ValueError: it was closed
            self._failed = True
        return len(text)

    def flush(self) -> None:
        """The line is written, or counted."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._failed = True
        self._lost += self._failed
        self._failed = False
