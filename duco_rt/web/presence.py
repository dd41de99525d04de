"""Whether a device is online and in real time, from what the store last got. Pure: it is given the time."""

from __future__ import annotations

from duco_rt.model import LastSeen


class Presence:
    """A device is online when something came within three upload intervals (30 s at least)."""

    def __init__(self, upload_interval_s: int) -> None:
        self._online_ms = max(30, 3 * upload_interval_s) * 1000

    def state(self, chassis_id: str, last: LastSeen | None, now_ms: int) -> dict[str, object]:
        """online, realtime, lastSeen (ms of our clock, null for never)."""
        age_ms = None if last is None else now_ms - last.received_ms
        online = age_ms is not None and age_ms <= self._online_ms
        realtime = online and last is not None and last.realtime and age_ms is not None and age_ms <= 10_000
        return {
            "online": online,
            "realtime": realtime,
            "lastSeen": None if last is None else last.received_ms,
        }
