"""Which buses a device reads: the configured ones, a recording, or a simulated machine. The App sees no difference."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import can

from duco_rt.config import Device
from duco_rt.device.can_bus import BusReader, FrameCollector, open_bus
from duco_rt.device.polled_bus import PolledReader
from duco_rt.device.replay_bus import ReplayBus
from duco_rt.device.simulated_bus import SimulatedBus


@dataclass(frozen=True, slots=True)
class BusSource:
    """A bus to open by its reader; an empty channel: the messages carry their own."""

    channel: str
    open: Callable[[], can.BusABC]
    polled: bool = False

    def reader(self, collector: FrameCollector) -> BusReader | PolledReader:
        """What reads it: a thread, or the event loop where the bus never makes its reader wait."""
        kind = PolledReader if self.polled else BusReader
        return kind(self.channel, self.open, collector)


@dataclass(frozen=True, slots=True)
class Source:
    """All buses of a device, and the bit rates that are known, by channel."""

    buses: tuple[BusSource, ...]
    bitrates: dict[str, int]


def sources(config: Device) -> dict[str, Source]:
    """The source of every device of this process, by chassisId."""
    if config.replay:
        bus = BusSource("", lambda: ReplayBus(config.replay, config.replay_speed))
        return {config.chassis_id: Source((bus,), {})}
    if config.buses:
        buses = tuple(BusSource(b.name, partial(open_bus, b)) for b in config.buses)
        return {config.chassis_id: Source(buses, {b.name: b.bitrate for b in config.buses})}
    return {
        chassis_id: Source(
            (BusSource("", partial(SimulatedBus, config.seed + n), polled=True),),
            {"can1": 250_000, "can2": 500_000},
        )
        for n, chassis_id in enumerate(chassis_ids(config.chassis_id, config.simulate))
    }


def chassis_ids(first: str, count: int) -> list[str]:
    """`count` names that follow the first: DUCO_001, DUCO_002, …"""
    number = re.search(r"\d+$", first)
    if count == 1 or number is None:
        return [first] + [f"{first}_{n}" for n in range(2, count + 1)]
    width, start = len(number[0]), int(number[0])
    return [f"{first[: number.start()]}{start + n:0{width}d}" for n in range(count)]
