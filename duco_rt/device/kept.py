"""What an App has on disk: its spools and where it stands. All that outlives a run, and the process."""

from __future__ import annotations

from pathlib import Path

from duco_rt.clock import Clock
from duco_rt.device.position import PositionFile
from duco_rt.device.spool import Spool
from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics


class Kept:
    """The files of one device, for one run. `earlier`: those of the run before in this process, which has ended."""

    def __init__(
        self,
        folder: Path,
        chassis_id: str,
        bytes_max: int,
        clock: Clock,
        metrics: Metrics,
        earlier: Kept | None = None,
    ) -> None:
        before: int = earlier.position.next if earlier is not None else 0
        self.spool = Spool(folder / f"{chassis_id}.spool", chassis_id, bytes_max, metrics)
        self.open = Spool(folder / f"{chassis_id}.open", chassis_id, bytes_max, Metrics())
        """The seconds of the open batch, each as it closes: they go when the batch is in the spool as a whole."""
        least: int = max(self.spool.next_seq, self.open.next_seq, before)
        self.position: PositionFile = PositionFile(folder / f"{chassis_id}.seq", clock.wall_ms() // 1000, least=least)
        self._adopt(clock.steady_s())
        for message in earlier.held if earlier else ():
            self.spool.left.append(self.spool.append(message, clock.steady_s()))
        self.held: list[HubMessage] = []
        """At its end: what no disk took."""

    def _adopt(self, now_s: float) -> None:
        """A run that failed, or was killed, left an open batch: its seconds are sent one by one."""
        for entry in self.open.left:
            message = self.open.read(entry)
            if message is not None:
                self.spool.left.append(self.spool.append(message, now_s))
            self.open.release(entry)

    def end(self) -> None:
        """The run ended. Who sends from the spool closes that."""
        self.held = [*self.spool.in_memory, *self.open.in_memory]
        self.position.close()
        self.open.close()
