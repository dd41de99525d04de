"""Seconds that came in parts. Pure: it is given every CAN second and hands out whole ones."""

from __future__ import annotations

from collections import OrderedDict

from duco_rt.body import CanSecond
from duco_rt.parts import join

_OPEN_MAX = 256


class Assembler:
    """Open seconds by (chassisId, msgType, seq). Over 256 open: the oldest goes out with the parts it has."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str, int], dict[int, CanSecond]] = OrderedDict()

    def add(self, chassis_id: str, msg_type: str, second: CanSecond) -> list[CanSecond]:
        """The seconds that this part completes or pushes out: usually the second itself."""
        if second.parts == 1:
            return [second]
        key = chassis_id, msg_type, second.seq
        parts = self._open.setdefault(key, {})
        parts[second.part] = second
        if len(parts) == second.parts:
            del self._open[key]
            return [join(list(parts.values()))]
        if len(self._open) > _OPEN_MAX:
            _, oldest = self._open.popitem(last=False)
            return [join(list(oldest.values()))]
        return []
