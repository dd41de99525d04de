"""Points in time as people write them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from duco_rt.errors import BadRequest

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_RELATIVE = re.compile(r"-([0-9]{1,9})([smhd])\Z")
_MS = re.compile(r"[0-9]{1,16}\Z")
_MS_MAX = 2**53


def read_moment(what: str, text: str, now_ms: int) -> int:
    """Unix ms of a text: Unix ms, `now`, `-2h` (s, m, h, d before now), or ISO, local where it has no offset.

    Raises BadRequest, which begins with `what` and names the text.
    """
    value = _read(text.strip(), now_ms)
    if value is None or not 0 <= value <= _MS_MAX:
        raise BadRequest(
            f"{what} {text[:80]!r}: expected Unix ms, an ISO time (2026-11-24T12:00, with offset or Z, else local),"
            " now, or a time before now such as -90s, -30m, -2h, -7d"
        )
    return value


def _read(text: str, now_ms: int) -> int | None:
    if text == "now":
        return now_ms
    if _MS.match(text):
        return int(text)
    relative = _RELATIVE.match(text)
    if relative:
        return now_ms - int(relative[1]) * _UNITS_MS[relative[2]]
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def show_moment(ms: int) -> str:
    """UTC to the second; the number alone past the year 9999."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(ms)
