"""The simulated machine as a python-can bus: its frames at the moments they would be on the wire."""

from __future__ import annotations

import time
from collections import deque

import can

from duco_rt.clock import WallTime
from duco_rt.device.machine_frames import MachineFrame, MachineFrames

_TICK_S = 0.01
_GOLDEN = 0.618034


class SimulatedBus(can.BusABC):
    """Both buses of one machine; each message carries its channel."""

    def __init__(self, seed: int) -> None:
        super().__init__(channel=f"machine {seed}")
        self.channel_info = f"simulated machine {seed}"
        self._frames = MachineFrames(seed)
        self._wall = WallTime()
        # a second's frames are made at once: machines of one process begin theirs spread over the second
        into_second_s = seed * _GOLDEN % 1.0
        self._second_s = time.monotonic() - into_second_s
        first = self._frames.next_second()
        self._ready: deque[MachineFrame] = deque(f for f in first if f.offset_us >= into_second_s * 1e6)

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        if not self._ready:
            self._second_s += 1.0
            if self._second_s < time.monotonic() - 5.0:  # the process slept: a machine does not catch up
                self._second_s = time.monotonic()
            self._ready.extend(self._frames.next_second())
        frame = self._ready[0]
        due_s = self._second_s + frame.offset_us / 1e6
        wait_s = due_s - time.monotonic()
        if wait_s > 0:
            if not timeout:
                return None, True
            time.sleep(min(timeout, max(wait_s, _TICK_S)))
            if due_s > time.monotonic():
                return None, True
        self._ready.popleft()
        message = can.Message(
            timestamp=self._wall.of(due_s),
            arbitration_id=frame.can_id,
            is_extended_id=frame.extended,
            data=frame.data,
            channel=frame.channel,
        )
        return message, True

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """The machine listens to nobody."""
        raise can.CanOperationError("the simulated machine takes no frames")
