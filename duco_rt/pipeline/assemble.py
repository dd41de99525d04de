"""Seconds that came in parts. Pure: it is given every CAN second and hands out whole ones."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping

from duco_rt.body import CanSecond
from duco_rt.parts import join

_OPEN_MAX = 16
_OPEN_BYTES_MAX = 64 * 1024 * 1024


class Assembler:
    """Open seconds of each device and message type, 16 and 64 MiB at most: over that the oldest is given up.

    A second with a part missing gives no sample: a sample of what is there would look like a whole one, and a part
    that comes again after its second was whole would replace it. The raw store has every part.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], OrderedDict[int, dict[int, CanSecond]]] = {}
        self._whole: dict[tuple[str, str], deque[int]] = {}

    def add(self, chassis_id: str, msg_type: str, second: CanSecond, problems: Counter[str]) -> CanSecond | None:
        """The second that this part completes: usually the second itself. `problems` counts incomplete_second."""
        if second.parts == 1:
            return second
        device = chassis_id, msg_type
        whole = self._whole.setdefault(device, deque(maxlen=_OPEN_MAX))
        if second.seq in whole:
            return None  # a copy
        waiting = self._open.setdefault(device, OrderedDict())
        parts = waiting.setdefault(second.seq, {})
        parts[second.part] = second
        if len(parts) == second.parts:
            del waiting[second.seq]
            whole.append(second.seq)
            if not waiting:
                del self._open[device]
            return join(list(parts.values()))
        while len(waiting) > _OPEN_MAX or _size_bytes(waiting) > _OPEN_BYTES_MAX:
            waiting.popitem(last=False)
            problems["incomplete_second"] += 1
        return None


def _size_bytes(waiting: Mapping[int, Mapping[int, CanSecond]]) -> int:
    """Of all parts that wait, about."""
    held = [part for parts in waiting.values() for part in parts.values()]
    return sum(len(each.data) + each.times_us.nbytes + each.order.nbytes + 300 * len(each.streams) for each in held)
