"""What a client has still to take of what was written to it."""

from __future__ import annotations

import asyncio
import sys

if sys.platform == "linux":
    import fcntl
    import termios
else:
    fcntl = None

LOOKS = 4
"""It takes nothing when so many looks, one after the other, find no less than the one before them."""


class Unsent:
    """Of one connection, by looks at its transport."""

    __slots__ = ("_bytes", "_looks", "wire")

    def __init__(self, wire: asyncio.Transport) -> None:
        self.wire = wire
        self._bytes = 0
        self._looks = 0

    def taken(self) -> None:
        """Much was taken since the last look, though there may be as much again."""
        self._bytes = 0

    def is_stuck(self) -> bool:
        """Look once more: whether nothing was taken for `LOOKS` looks. What is added meanwhile changes nothing."""
        before, now = self._bytes, _waiting_bytes(self.wire)
        self._looks = self._looks + 1 if 0 < before <= now else 0
        if not self._looks:
            self._bytes = now
        return self._looks >= LOOKS


def _waiting_bytes(wire: asyncio.Transport) -> int:
    """Here, and then in the system: a slow client takes long for the megabytes there, and what is here stays the same
    meanwhile. Only Linux tells."""
    try:
        here = wire.get_write_buffer_size()
        if not here or fcntl is None:
            return here
        there = fcntl.ioctl(wire.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, RuntimeError):  # closed a moment ago
        return 0
    return here + int.from_bytes(there, sys.byteorder)
