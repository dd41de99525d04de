"""How well a parsing fits what comes."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import ERROR, FD, REMOTE, CanSecond
from duco_rt.model import RawSecond
from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage, DescribedSignal
from duco_rt.pipeline.decoding.plan import Plan, compile_plan
from duco_rt.pipeline.full_resolution import FullReading
from duco_rt.pipeline.parsing_health import HealthReading
from tests.can_seconds import TS_MS, Frame, second_of, seconds
from tests.pipeline.raw_rows import BUS2, EEC1, ENGINE, PAGES, bam, plan, rows_of_second, rows_of_seconds

PLAN = plan()


def look(rows: Sequence[RawSecond], plan_: Plan | None = PLAN, chunk: int = 1000, **range_ms: int) -> dict[str, Any]:
    """The report as it is sent."""
    reading = HealthReading(plan_, range_ms.get("from_ms", TS_MS), range_ms.get("to_ms", TS_MS + 60_000))
    moments = sorted({row.ts_ms for row in rows})
    for at in range(0, len(moments), chunk):
        reading.add([row for row in rows if row.ts_ms in moments[at : at + chunk]])
    found: dict[str, Any] = json.loads(msgspec.json.encode(reading.report()))
    return found


def frame(can_id: int, data: bytes, extended: bool = False, flags: int = 0, channel: str = "can1") -> Frame:
    """A frame at the begin of its second."""
    return Frame(0, channel, can_id, extended, flags, data)


def engine(rpm: int = 0, temp: int = 0, x: float = 0.0) -> Frame:
    """An Engine frame of raw values."""
    return frame(ENGINE, struct.pack("<HB", rpm, temp & 0xFF) + struct.pack("<e", x) + b"\0")


def every(frames: Sequence[Frame], count: int = 2) -> list[CanSecond]:
    """Seconds with the same frames."""
    return [second_of(frames, TS_MS + 1000 * n, n) for n in range(count)]


EMPTY: dict[str, Any] = {
    "from": TS_MS,
    "to": TS_MS + 60_000,
    "parsing": {"name": "p", "version": 3},
    "seconds": 0,
    "frames": 0,
    "decoded": 0,
    "pieces": 0,
    "unknown": [],
    "unknown_total": 0,
    "short": [],
    "long": [],
    "error_frames": 0,
    "remote_frames": 0,
    "out_of_range": [],
    "no_value": [],
    "never_seen": ["EEC1", "Engine", "Long", "Own", "Pages"],
    "multipacket": {},
    "unread": 0,
}


def lengths(message: str, can_id: int, length: int, needed: int, count: int, channel: str = "can1") -> dict[str, Any]:
    """An entry of `short` or `long` in two seconds."""
    head = {"message": message, "channel": channel, "id": can_id, "extended": can_id > 0x7FF}
    return {**head, "length": length, "needed": needed, "count": count, "rate_hz": count / 2}


# frames of each of two seconds → what the report says beside the empty one
CASES: dict[str, tuple[list[Frame], dict[str, Any]]] = {
    "all is well": ([engine(1000)], {"frames": 2, "decoded": 2, "never_seen": ["EEC1", "Long", "Own", "Pages"]}),
    "unknown ids by rate": (
        [frame(0x7FF, b"a"), frame(0x7FF, b"ab"), frame(0x18FF_0403, b"a", True)],
        {
            "frames": 6,
            "unknown": [
                {"channel": "can1", "id": 0x7FF, "extended": False, "count": 4, "rate_hz": 2.0, "lengths": [1, 2]},
                {
                    "channel": "can1",
                    "id": 0x18FF_0403,
                    "extended": True,
                    "pgn": 0xFF04,
                    "source": 3,
                    "count": 2,
                    "rate_hz": 1.0,
                    "lengths": [1],
                },
            ],
            "unknown_total": 2,
        },
    ),
    "a message of another bus is unknown": (
        [frame(BUS2, b"a", channel="can2"), frame(BUS2, b"a")],
        {
            "frames": 4,
            "decoded": 2,
            "unknown": [{"channel": "can1", "id": BUS2, "extended": False, "count": 2, "rate_hz": 1.0, "lengths": [1]}],
            "unknown_total": 1,
            "never_seen": ["EEC1", "Engine", "Long", "Pages"],
        },
    ),
    "short and long": (
        [frame(PAGES, bytes(3)), frame(PAGES, bytes(4)), frame(PAGES, bytes(8)), frame(EEC1, bytes(7), True)],
        {
            "frames": 8,
            "decoded": 4,
            "short": [lengths("EEC1", EEC1, 7, 8, 2), lengths("Pages", PAGES, 3, 4, 2)],
            "long": [lengths("Pages", PAGES, 8, 4, 2)],
            "never_seen": ["Engine", "Long", "Own"],
        },
    ),
    "error and remote frames": (
        [frame(ENGINE, bytes(6), flags=ERROR), frame(ENGINE, bytes(6), flags=REMOTE), frame(1, b"", flags=REMOTE)],
        {"frames": 6, "error_frames": 2, "remote_frames": 4},
    ),
    "out of range": (
        [engine(8000), engine(9000), engine(8001)],
        {
            "frames": 6,
            "decoded": 6,
            "out_of_range": [
                {"field": "rpm", "count": 4, "lowest": 8000.0, "highest": 9000.0, "min": 0.0, "max": 8000.0}
            ],
            "never_seen": ["EEC1", "Long", "Own", "Pages"],
        },
    ),
    "no value in any frame": (
        [frame(EEC1, b"\xff" * 8, True)],
        {
            "frames": 2,
            "decoded": 2,
            "no_value": [{"field": "EngineSpeed", "count": 2}],
            "never_seen": ["Engine", "Long", "Own", "Pages"],
        },
    ),
    "a value in one of them": (
        [frame(EEC1, b"\xff" * 8, True), frame(EEC1 | 1, bytes(8), True)],
        {"frames": 4, "decoded": 4, "never_seen": ["Engine", "Long", "Own", "Pages"]},
    ),
    "a number that is none": (
        [engine(x=float("inf"))],
        {
            "frames": 2,
            "decoded": 2,
            "no_value": [{"field": "x.y", "count": 2}],
            "never_seen": ["EEC1", "Long", "Own", "Pages"],
        },
    ),
}


@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_reports(case: str, chunk: int) -> None:
    """Each kind of misfit, in one piece and in two."""
    frames, expected = CASES[case]
    assert look(rows_of_seconds(every(frames)), chunk=chunk) == {**EMPTY, "seconds": 2, **expected}


def test_messages_of_several_frames() -> None:
    """Their frames are pieces; the message counts when it is whole, and begins before the range."""
    frames = [Frame(n, "can1", can_id, True, 0, data) for n, (can_id, data) in enumerate(bam(bytes(14)))]
    unknown = [Frame(n, "can1", can_id, True, 0, data) for n, (can_id, data) in enumerate(bam(bytes(9), 0xFF99), 10)]
    found = look(rows_of_seconds([second_of([*frames, *unknown])]))
    assert (found["frames"], found["pieces"], found["decoded"], found["multipacket"]) == (6, 6, 1, {})
    [row] = found["unknown"]
    assert (row["pgn"], row["lengths"]) == (0xFF99, [9])
    assert "Long" not in found["never_seen"]

    parted = [second_of(frames[:2], TS_MS, 1), second_of(frames[2:], TS_MS + 1000, 2)]
    found = look(rows_of_seconds(parted), from_ms=TS_MS + 1000)
    assert (found["seconds"], found["frames"], found["decoded"], found["multipacket"]) == (1, 1, 1, {})
    found = look(rows_of_seconds(parted[1:]), from_ms=TS_MS + 1000)
    assert (found["decoded"], found["multipacket"]) == (0, {"multipacket_headless": 1})
    assert HealthReading(PLAN, TS_MS, TS_MS).rows_from_ms < TS_MS - 10_000


def test_without_parsing() -> None:
    """Every id is unknown."""
    found = look(rows_of_seconds(every([engine(), frame(1, b"", flags=ERROR)])), None)
    assert (found["parsing"], found["frames"], found["unknown_total"], found["error_frames"]) == (None, 4, 1, 2)
    assert found["never_seen"] == []


def test_rows_that_cannot_be_read() -> None:
    """Are counted, and hide nothing else."""
    rows = rows_of_seconds(every([engine()], 4))
    rows[1], rows[2] = replace(rows[1], data=b""), replace(rows[2], kind="unread")
    found = look(rows)
    assert (found["unread"], found["decoded"], found["seconds"]) == (2, 2, 3)


def test_lists_are_bounded() -> None:
    """Whatever a bus sends; the totals tell."""
    frames = [frame(can_id, bytes(can_id % 9), True) for can_id in range(0x1000, 0x1000 + 700)]
    found = look(rows_of_second(second_of(frames)))
    assert (len(found["unknown"]), found["unknown_total"], found["frames"]) == (200, 700, 700)


@pytest.mark.servers  # half a second of big seconds
def test_memory_is_bounded() -> None:
    """Whatever the database makes of a frame: of 4 million values a part is there at once."""
    signals = tuple(DescribedSignal(f"b{n}", 8 * n, 8) for n in range(64))
    wide = compile_plan("p", 1, (DescribedFile("a.dbc", (DescribedMessage("Wide", ENGINE, False, 64, signals),)),))
    [row] = rows_of_second(second_of([Frame(n, "can1", ENGINE, False, FD, bytes([n % 256] * 64)) for n in range(3000)]))
    rows = [replace(row, ts_ms=TS_MS + 1000 * n, seq=n) for n in range(20)]
    names, to_ms = [signal.name for signal in signals], TS_MS + 20_000
    for reading in (HealthReading(wide, TS_MS, to_ms), FullReading(wide, names, TS_MS, to_ms, points=2)):
        tracemalloc.start()
        try:
            reading.add(rows)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak_bytes < 45e6  # all at once: 70 MB


@given(found=st.lists(seconds(), max_size=3), has_plan=st.booleans())
def test_nothing_raises(found: list[CanSecond], has_plan: bool) -> None:
    """Any second that a device can make; every frame is accounted for."""
    rows = [row for second in found for row in rows_of_second(second)]
    report = look(sorted(rows, key=lambda row: row.ts_ms), PLAN if has_plan else None, from_ms=0, to_ms=2**53)
    flagged = report["error_frames"] + report["remote_frames"] + report["pieces"]
    assert report["frames"] >= report["decoded"] + sum(row["count"] for row in report["unknown"])
    assert report["frames"] >= flagged
