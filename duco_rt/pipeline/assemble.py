"""Seconds that came in parts. Pure: it is given every CAN second and hands out whole ones."""

from __future__ import annotations

from collections import OrderedDict

from duco_rt.body import CanSecond
from duco_rt.parts import join

_OPEN_MAX = 16


class Assembler:
    """Open seconds of each device and message type. Over 16 open there: the oldest goes out with the parts it has.

    One device's parts never push out another's: whoever calls takes what comes back for the device that it asked for.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], OrderedDict[int, dict[int, CanSecond]]] = {}

    def add(self, chassis_id: str, msg_type: str, second: CanSecond) -> list[CanSecond]:
        """The seconds of this device that this part completes or pushes out: usually the second itself."""
        if second.parts == 1:
            return [second]
        device = chassis_id, msg_type
        waiting = self._open.setdefault(device, OrderedDict())
        parts = waiting.setdefault(second.seq, {})
        parts[second.part] = second
        out: list[CanSecond] = []
        if len(parts) == second.parts:
            del waiting[second.seq]
            out = [join(list(parts.values()))]
        elif len(waiting) > _OPEN_MAX:
            _, oldest = waiting.popitem(last=False)
            out = [join(list(oldest.values()))]
        if not waiting:
            del self._open[device]
        return out
