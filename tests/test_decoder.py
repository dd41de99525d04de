"""The decoder of logs: a truck's recording as cantools reads it, and what `last` makes of a second."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import can
import cantools
import msgspec
import pytest
from cantools.database.can import Database, Message

from duco_rt import Decoder
from duco_rt.decoder import Frame, LastValues
from duco_rt.errors import BadParsing, ConfigError
from duco_rt.parsing_files import read_files
from tests.dbc_texts import J1939_TAIL, dbc_text

TEXT = dbc_text("256 A 2\na : 0|8@1+ (0.5,0)", "257 B 1\nb : 0|8@1+ (1,0)")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small database."""
    found = tmp_path / "a.dbc"
    found.write_text(TEXT, encoding="utf-8")
    return found


def frame(ts: float, data: bytes, can_id: int = 256, **more: object) -> can.Message:
    """A frame of a python-can log."""
    settings: dict[str, object] = {"is_extended_id": False, "channel": "can1", **more}
    return can.Message(timestamp=ts, arbitration_id=can_id, data=data, **settings)  # type: ignore[arg-type]


def test_every_frame_is_there_in_order(file: Path) -> None:
    """Decoded, unknown, short, error and remote ones; the channel may be missing."""
    frames = [
        frame(1.5, b"\5\0"),
        frame(0.5, b"\5"),
        frame(2.0, b"\5\0", 999),
        frame(2.0, b"\5\0", is_error_frame=True),
        frame(2.0, b"", is_remote_frame=True),
        frame(2.0, b"\5\0", is_extended_id=True),
        frame(2.5, b"\7\0\0\0", channel=None),
        frame(2.5, b"\7\0" + bytes(10), channel=3, is_fd=True),
    ]
    assert list(Decoder.from_files([file]).decode(frames)) == [
        Frame(1.5, "can1", 256, False, "A", {"a": 2.5}),
        Frame(0.5, "can1", 256, False, None, None),
        Frame(2.0, "can1", 999, False, None, None),
        Frame(2.0, "can1", 256, False, None, None),
        Frame(2.0, "can1", 256, False, None, None),
        Frame(2.0, "can1", 256, True, None, None),
        Frame(2.5, None, 256, False, "A", {"a": 3.5}),
        Frame(2.5, "3", 256, False, "A", {"a": 3.5}),
    ]


def test_signals_go_by_their_own_names(file: Path) -> None:
    """Also where the field carries the message's name, because another message has the signal too."""
    file.write_text(dbc_text("256 A 1\nx : 0|8@1+ (1,0)", "257 B 1\nx : 0|8@1+ (1,0)"), encoding="utf-8")
    decoder = Decoder.from_files([file])
    assert [field.name for field in decoder.fields] == ["A.x", "B.x"]
    assert [f.signals for f in decoder.decode([frame(1, b"\1"), frame(2, b"\2", 257)])] == [{"x": 1}, {"x": 2}]
    assert list(decoder.last([frame(1, b"\1"), frame(1.5, b"\2", 257)])) == [LastValues(1, {"A.x": 1, "B.x": 2})]


def test_files_are_bound_to_a_bus(file: Path) -> None:
    """BUS=FILE matches that channel alone."""
    decoder = Decoder.from_files([f"can2={file}"])
    found = decoder.decode([frame(1, b"\1\0"), frame(1, b"\1\0", channel="can2")])
    assert [f.message for f in found] == [None, "A"]


def test_last_gives_the_last_value_of_each_second(file: Path) -> None:
    """A line for each second that has frames, also where none could be decoded."""
    frames = [frame(10.1, b"\2\0"), frame(10.9, b"\4\0"), frame(10.95, b"\7", 257), frame(11.0, b"\0", 999)]
    frames += [frame(13.0, b"\6\0"), frame(13.5, b"", is_remote_frame=True, dlc=2), frame(13.6, b"\1")]
    assert list(Decoder.from_files([file]).last(frames)) == [
        LastValues(10, {"a": 2.0, "b": 7}),
        LastValues(11, {}),
        LastValues(13, {"a": 3.0}),
    ]
    assert list(Decoder.from_files([file]).last([])) == []


def test_last_leaves_out_what_is_no_value(tmp_path: Path) -> None:
    """J1939's "not available" is null in a frame and absent in a second."""
    (tmp_path / "j.dbc").write_text(dbc_text("2364540158 EEC1 8\nrpm : 24|16@1+ (0.125,0)", tail=J1939_TAIL))
    decoder = Decoder.from_files([tmp_path / "j.dbc"])
    frames = [frame(1, b"\xff" * 8, 0x0CF00400, is_extended_id=True)]
    assert [f.signals for f in decoder.decode(frames)] == [{"rpm": None}]
    assert list(decoder.last(frames)) == [LastValues(1, {})]


def test_files_that_cannot_be_used(tmp_path: Path, file: Path) -> None:
    """One that is not there, and one that is wrong, by their names."""
    with pytest.raises(ConfigError, match=r"--dbc can1=.*none\.dbc: No such file"):
        read_files([str(file), f"can1={tmp_path / 'none.dbc'}"])
    file.write_text(TEXT.replace("BO_ 257", "BO 257"))
    with pytest.raises(BadParsing, match=r"^a\.dbc: line 10, column 1"):
        Decoder.from_files([file])


def lines(recordings: Path, *more: str) -> list[dict[str, object]]:
    """What `decode` prints of the truck's recording."""
    log, dbc = recordings / "truck-j1939-gps.log.gz", recordings / "j1939-demo.dbc"
    command = [sys.executable, "-m", "duco_rt", "decode", str(log), "--dbc", str(dbc), *more]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return [msgspec.json.decode(line) for line in done.stdout.splitlines()]


def truck(recordings: Path) -> Iterator[tuple[float, str, int, bool, bytes]]:
    """The recording, read by hand."""
    with gzip.open(recordings / "truck-j1939-gps.log.gz", "rt", encoding="ascii") as text:
        for line in text:
            stamp, channel, sent, *_ = line.split()
            name, _, data = sent.partition("#")
            yield float(stamp[1:-1]), channel, int(name, 16), len(name) == 8, bytes.fromhex(data)


def wanted(message: Message, data: bytes) -> dict[str, float | None]:
    """What cantools makes of a frame, "error" and "not available" of 16-bit numbers as None."""
    found = message.decode(data, decode_choices=False)
    raws = message.decode(data, decode_choices=False, scaling=False)
    assert isinstance(found, dict) and isinstance(raws, dict)
    values: dict[str, float | None] = {}
    for signal in message.signals:
        value, raw = found[signal.name], raws[signal.name]
        assert isinstance(value, int | float) and isinstance(raw, int) and signal.length == 16
        values[signal.name] = None if raw >= 0xFE00 else value
    return values


@pytest.mark.servers
def test_the_truck_reads_as_cantools_reads_it(recordings: Path) -> None:
    """All 150,411 frames in log order; every EEC1 and CCVS1 by its PGN, nothing else."""
    database = cantools.database.load_file(recordings / "j1939-demo.dbc")
    assert isinstance(database, Database)
    groups = {m.frame_id >> 8 & 0xFFFF: m for m in database.messages}
    printed, seen = lines(recordings), {"EEC1": 0, "CCVS1": 0}
    for row, (ts, channel, can_id, extended, data) in zip(printed, truck(recordings), strict=True):
        assert (row["ts"], row["channel"], row["id"], row["extended"]) == (ts, channel, can_id, extended)
        message = groups.get(can_id >> 8 & 0xFFFF) if extended else None
        if message is None:
            assert row["message"] is None and "signals" not in row
        else:
            assert row["message"] == message.name
            assert row["signals"] == wanted(message, data)
            seen[message.name] += 1
    assert len(printed) == 150_411
    assert seen == {"EEC1": 3993, "CCVS1": 3993}


@pytest.mark.servers
def test_the_truck_a_line_a_second(recordings: Path) -> None:
    """The last value that each field had in the second, of the frames as they are decoded one by one."""
    seconds: dict[int, dict[str, float]] = {}
    decoder = Decoder.from_files([recordings / "j1939-demo.dbc"])
    messages = (
        can.Message(timestamp=ts, arbitration_id=can_id, is_extended_id=extended, data=data, channel=channel)
        for ts, channel, can_id, extended, data in truck(recordings)
    )
    for found in decoder.decode(messages):
        kept = seconds.setdefault(int(found.ts), {})
        kept.update({name: value for name, value in (found.signals or {}).items() if value is not None})
    assert lines(recordings, "--last") == [{"ts": ts, "signals": signals} for ts, signals in seconds.items()]
    assert len(seconds) == 403
