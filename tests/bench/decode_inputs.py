"""What the decode engine is measured on: the truck's recording and a full bus, and cantools as its users ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import can
import cantools
from cantools.database.can import Message

from duco_rt.body import CanSecond
from duco_rt.device.second import SecondBuilder
from duco_rt.model import Parsing
from duco_rt.parsing_files import read_files
from duco_rt.pipeline.decoding import j1939
from tests.bench.full_bus import FULL

REPO = Path(__file__).resolve().parents[2]
RECORDING = REPO.parent / "shared" / "data" / "truck-j1939-gps.log.gz"
SHIPPED = [str(REPO / "duco_rt" / "dbc" / name) for name in ("j1939.dbc", "gnss.dbc")]
LONG_S = 120

Frames = list[tuple[int, bytes]]
"""Id and data."""


class Targets(NamedTuple):
    """How many times cantools' speed: columns of one second, of 120 s, the last values."""

    one: float | None
    long: float | None
    last: float | None


class Input(NamedTuple):
    """A bus for LONG_S seconds, and how to read it."""

    name: str
    parsing: Parsing
    seconds: Sequence[CanSecond]
    targets: Targets


def inputs() -> Iterator[Input]:
    """What is measured."""
    yield Input("full bus", FULL.parsing(), list(FULL.seconds(LONG_S)), Targets(10, 50, 20))
    if not RECORDING.is_file():
        print("the truck's recording is not here: it belongs in ../shared/data")
        return
    seconds = list(_truck())[1 : LONG_S + 1]
    demo = [str(RECORDING.with_name("j1939-demo.dbc"))]
    yield Input("truck, shipped DBCs", Parsing("truck", 1, read_files(SHIPPED)), seconds, Targets(4, 20, None))
    yield Input("truck, demo DBC", Parsing("truck", 1, read_files(demo)), seconds, Targets(None, None, None))


def _truck() -> Iterator[CanSecond]:
    """The recording's seconds."""
    builder, open_s = SecondBuilder(), None
    for m in can.LogReader(RECORDING):
        second_s = int(m.timestamp)
        if open_s is not None and second_s != open_s:
            yield builder.close(open_s * 1000, open_s)
        open_s = second_s
        key = str(m.channel), m.arbitration_id, m.is_extended_id, 0, len(m.data)
        builder.add(key, round(m.timestamp * 1e6), bytes(m.data))


def frames_of(seconds: Sequence[CanSecond]) -> Frames:
    """The frames one by one, stream by stream."""
    frames: Frames = []
    for second in seconds:
        for stream, _, data in second.slices():
            n = stream.length
            frames += [(stream.can_id, bytes(data[at : at + n])) for at in range(0, stream.count * n, n)]
    return frames


@dataclass
class Cantools:
    """Databases as a user of cantools holds them: messages by id, those of J1939 by PGN."""

    exact: dict[int, Message]
    groups: dict[int, Message]

    @classmethod
    def of(cls, parsing: Parsing) -> Cantools:
        """Read the files."""
        messages: list[Message] = []
        for file in parsing.files:
            database = cantools.database.load_string(file.text, "dbc")
            assert isinstance(database, cantools.database.Database)
            messages += database.messages
        groups = {j1939.pgn_of(m.frame_id): m for m in messages if m.protocol == "j1939"}
        return cls({m.frame_id: m for m in messages if m.protocol != "j1939"}, groups)

    def known(self, frames: Frames) -> int:
        """How many frames it has a message for."""
        return sum(can_id in self.exact or j1939.pgn_of(can_id) in self.groups for can_id, _ in frames)

    def decode(self, frames: Frames) -> int:
        """Decode every frame that is known; the number of values."""
        exact, groups, values = self.exact.get, self.groups.get, 0
        for can_id, data in frames:
            message = exact(can_id) or groups(j1939.pgn_of(can_id))
            if message is not None and len(data) >= message.length:
                values += len(message.decode(data, decode_choices=False))
        return values
