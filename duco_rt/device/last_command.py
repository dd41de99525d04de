"""When real-time upload was last asked for, kept over a restart: a machine whose App was killed goes on sending."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

log = structlog.get_logger()


class LastCommand:
    """The Unix ms of the newest `start`, in a file. Losing it costs the viewers one wait for the next renewal."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, now_ms: int) -> None:
        """A start came."""
        try:
            fd = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(fd, b"%020d" % now_ms)  # in place of the one before: a full disk has room for it
            finally:
                os.close(fd)
        except OSError as e:
            log.warning("real-time state not kept", file=str(self._file), error=str(e))

    def forget(self) -> None:
        """Real-time upload is off."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as e:
            log.warning("real-time state not forgotten", file=str(self._file), error=str(e))

    def age_s(self, now_ms: int) -> float | None:
        """How long ago it came; None where there was none, or where the clock went back behind it."""
        try:
            age_ms = now_ms - int(self._file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return age_ms / 1000 if age_ms >= 0 else None
