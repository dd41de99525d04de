"""Raw rows as the store gives them, and a small parsing with one of everything."""

from __future__ import annotations

from collections.abc import Iterable

from duco_rt.body import CanSecond, pack_columns
from duco_rt.model import VEHICLE_CAN, Peer, RawSecond
from duco_rt.parts import split
from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage, DescribedSignal
from duco_rt.pipeline.decoding.plan import Plan, compile_plan

PEER = Peer("duco", "DUCO_001", VEHICLE_CAN)

ENGINE, PAGES, BUS2, EEC1, LONG = 0x100, 0x101, 0x102, 0x18F0_0400, 0x18FE_CA00
TP_CM, TP_DT = 0x1CEC_FF00, 0x1CEB_FF00


def plan() -> Plan:
    """Plain, float, multiplexed and J1939 messages, one of a bus of its own, one of several frames, a sender apart."""
    signal = DescribedSignal
    messages = (
        DescribedMessage(
            "Engine",
            ENGINE,
            False,
            6,
            (
                signal("rpm", 0, 16, maximum=8000.0, minimum=0.0),
                signal("temp", 23, 8, intel=False, signed=True, scale=0.5, offset=-40),
                signal("x.y", 24, 16, is_float=True),
            ),
        ),
        DescribedMessage(
            "Pages",
            PAGES,
            False,
            4,
            (
                signal("page", 0, 8, selects=True),
                signal("low", 8, 16, multiplexer="page", pages=(0, 1)),
                signal("high", 8, 8, multiplexer="page", pages=(2,), signed=True),
            ),
        ),
        DescribedMessage("EEC1", EEC1, True, 8, (signal("EngineSpeed", 24, 16, scale=0.125),), j1939=True),
        DescribedMessage("Long", LONG, True, 14, (signal("tail", 96, 16),), j1939=True),
    )
    own = DescribedMessage("Own", BUS2, False, 1, (signal("own", 0, 8),))
    return compile_plan(
        "p", 3, (DescribedFile("a.dbc", messages, sources=(3,)), DescribedFile("b.dbc", (own,), "can2"))
    )


def rows_of_second(second: CanSecond, part_bytes: int = 1_000_000) -> list[RawSecond]:
    """The rows of a second in the store; in parts where it is larger than `part_bytes`."""
    found = []
    for part in split(second, part_bytes):
        c = pack_columns(part)
        at = part.ts_ms, part.seq, part.part, part.ts_ms
        columns = c.streams, c.order, c.times, c.data
        found.append(RawSecond(PEER, *at, False, "can1", *columns, parts=part.parts))
    return found


def rows_of_seconds(seconds: Iterable[CanSecond]) -> list[RawSecond]:
    """The rows of seconds."""
    return [row for second in seconds for row in rows_of_second(second)]


def bam(data: bytes, group: int = 0xFECA) -> list[tuple[int, bytes]]:
    """A message to everybody in several frames: (id, data) of each."""
    packets = [data[at : at + 7].ljust(7, b"\xff") for at in range(0, len(data), 7)]
    head = bytes([32, len(data) & 0xFF, len(data) >> 8, len(packets), 0xFF]) + group.to_bytes(3, "little")
    return [(TP_CM, head), *((TP_DT, bytes([n]) + packet) for n, packet in enumerate(packets, 1))]
