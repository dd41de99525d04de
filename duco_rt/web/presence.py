"""Whether a device is online and in real time: the hub's word where it has one, else what last came. Pure."""

from __future__ import annotations

from duco_rt.model import LastSeen

_REALTIME_MS = 10_000


class Presence:
    """Where the hub has no word, a device is online when something came within three upload intervals, 30 s at least.

    Time is passed in.
    """

    def __init__(self, upload_interval_s: int) -> None:
        self._online_ms = max(30, 3 * upload_interval_s) * 1000

    def state(self, connected: bool | None, last: LastSeen | None, now_ms: int) -> dict[str, object]:
        """online, realtime, lastSeen (ms of our clock, null for never). `connected`: the hub's word."""
        age_ms = None if last is None else now_ms - last.arrived_ms
        # what came in the future came while our clock was wrong, and tells nothing
        online = age_ms is not None and abs(age_ms) <= self._online_ms if connected is None else connected
        realtime = online and last is not None and last.realtime and abs(now_ms - last.received_ms) <= _REALTIME_MS
        return {"online": online, "realtime": realtime, "lastSeen": None if last is None else last.arrived_ms}
