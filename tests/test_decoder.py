"""The decoder of logs: a truck's recording as cantools reads it, and what `last` makes of a second."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import can
import cantools
import msgspec
import numpy as np
import pyarrow.compute as pc
import pytest
from cantools.database.can import Database, Message

from duco_rt import Decoder
from duco_rt.decoder import Frame, LastValues
from duco_rt.errors import BadParsing, ConfigError
from duco_rt.parsing_files import read_files
from tests.can_seconds import TS_MS
from tests.dbc_texts import J1939_TAIL, dbc_text
from tests.pipeline.decoding.long_messages import TEXT as GROUPS
from tests.pipeline.decoding.long_messages import VI, frames_of_seconds
from tests.pipeline.decoding.packets import bam_frames

TEXT = dbc_text("256 A 2\na : 0|8@1+ (0.5,0)", "257 B 1\nb : 0|8@1+ (1,0)")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small database."""
    found = tmp_path / "a.dbc"
    found.write_text(TEXT, encoding="utf-8")
    return found


def here(*files: str | Path, sources: tuple[int, ...] = ()) -> Decoder:
    """A decoder whose files this process reads: another one takes its time to start."""
    return Decoder.from_files(files, sources=sources, limit_s=None)


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
    assert list(here(file).decode(frames)) == [
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
    decoder = here(file)
    assert [field.name for field in decoder.fields] == ["A.x", "B.x"]
    assert [f.signals for f in decoder.decode([frame(1, b"\1"), frame(2, b"\2", 257)])] == [{"x": 1}, {"x": 2}]
    assert list(decoder.last([frame(1, b"\1"), frame(1.5, b"\2", 257)])) == [LastValues(1, {"A.x": 1, "B.x": 2})]


def test_files_are_bound_to_a_bus(file: Path) -> None:
    """BUS=FILE matches that channel alone."""
    decoder = here(f"can2={file}")
    found = decoder.decode([frame(1, b"\1\0"), frame(1, b"\1\0", channel="can2")])
    assert [f.message for f in found] == [None, "A"]


def test_last_gives_the_last_value_of_each_second(file: Path) -> None:
    """A line for each second that has frames, also where none could be decoded."""
    frames = [frame(10.1, b"\2\0"), frame(10.9, b"\4\0"), frame(10.95, b"\7", 257), frame(11.0, b"\0", 999)]
    frames += [frame(13.0, b"\6\0"), frame(13.5, b"", is_remote_frame=True, dlc=2), frame(13.6, b"\1")]
    assert list(here(file).last(frames)) == [
        LastValues(10, {"a": 2.0, "b": 7}),
        LastValues(11, {}),
        LastValues(13, {"a": 3.0}),
    ]
    assert list(here(file).last([])) == []


def test_last_leaves_out_what_is_no_value(tmp_path: Path) -> None:
    """J1939's "not available" is null in a frame and absent in a second."""
    (tmp_path / "j.dbc").write_text(dbc_text("2364540158 EEC1 8\nrpm : 24|16@1+ (0.125,0)", tail=J1939_TAIL))
    decoder = here(tmp_path / "j.dbc")
    frames = [frame(1, b"\xff" * 8, 0x0CF00400, is_extended_id=True)]
    assert [f.signals for f in decoder.decode(frames)] == [{"rpm": None}]
    assert list(decoder.last(frames)) == [LastValues(1, {})]


def test_files_that_cannot_be_used(tmp_path: Path, file: Path) -> None:
    """One that is not there, and one that is wrong, by their names."""
    with pytest.raises(ConfigError, match=r"--dbc can1=.*none\.dbc: No such file"):
        read_files([str(file), f"can1={tmp_path / 'none.dbc'}"])
    file.write_text(TEXT.replace("BO_ 257", "BO 257"))
    with pytest.raises(BadParsing, match=r"^a\.dbc: line 10, column 1"):
        here(file)


def test_files_are_read_by_another_process_or_here(file: Path) -> None:
    """The same fields; a text that takes too long is refused."""
    assert Decoder.from_files([file]).fields == here(file).fields
    with pytest.raises(BadParsing, match=r"^a\.dbc: .*0\.001"):
        Decoder.from_files([file], limit_s=0.001)


def test_the_example_of_the_docstring(file: Path, tmp_path: Path) -> None:
    """A log that python-can reads, decoded frame by frame and as columns."""
    log = tmp_path / "log.asc"
    with can.Logger(log) as logger:
        for message in (frame(1.5, b"\5\0"), frame(2.0, b"\7\0")):
            logger.on_message_received(message)
    decoder = here(file, f"can1={file}")
    found = [(f.message, f.signals) for f in decoder.decode(can.LogReader(log))]
    assert found == [("A", {"a": 2.5}), ("A", {"a": 3.5})]
    speed = decoder.columns(can.LogReader(log))["A.a"]
    assert np.diff(speed.times_us).tolist() == [500_000] and speed.values.tolist() == [2.5, 3.5]
    assert speed.times_us.dtype == np.int64 and speed.values.dtype == np.float64


def long_log(seed: int) -> list[can.Message]:
    """Three seconds with messages of several frames between others."""
    return [
        frame(TS_MS / 1000 + f.time_us / 1e6, f.data, f.can_id, is_extended_id=True)
        for f in frames_of_seconds(random.Random(seed), 3, 30)
    ]


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """A database of messages of several frames."""
    found = tmp_path / "groups.dbc"
    found.write_text(GROUPS, encoding="utf-8")
    return found


def test_a_message_of_several_frames_comes_with_its_last(groups: Path) -> None:
    """The frames before it have no message; a packet that is lost makes no message."""
    payload = bytes(range(20))
    sent = bam_frames(VI, 3, payload)
    frames = [frame(1 + n / 100, data, can_id, is_extended_id=True) for n, (can_id, data) in enumerate(sent)]
    decoder = here(groups)
    found = list(decoder.decode(frames))
    assert [f.message for f in found] == [None, None, None, "vi3"]
    assert (found[-1].ts, found[-1].id, found[-1].signals) == (1.03, sent[-1][0], {"vi3_a": 1})
    assert [f.message for f in here(groups).decode([*frames[:2], *frames[3:]])] == [None] * 3
    assert not decoder.problems


@pytest.mark.parametrize("seed", range(3))
def test_the_readings_agree(groups: Path, seed: int) -> None:
    """Frame by frame, by the second, as columns and as a table: the same values."""
    log = long_log(seed)
    by_frame: dict[str, list[tuple[int, float]]] = {}
    by_second: dict[int, dict[str, float]] = {}
    for found in here(groups).decode(log):
        kept = by_second.setdefault(int(found.ts), {})
        for name, value in (found.signals or {}).items():
            if value is not None and name != "vi3_a":  # in the second of two messages that describe a frame
                by_frame.setdefault(name, []).append((round(found.ts * 1e6), value))
                kept[name] = value
    assert len(by_frame) > 5
    for second, (ts, values) in zip(here(groups).last(log), by_second.items(), strict=True):
        second.signals.pop("vi3_a", None)
        assert (second.ts, second.signals) == (ts, values)
    columns = here(groups).columns(log)
    del columns["vi3_a"]
    assert {f: list(zip(t.tolist(), v.tolist(), strict=True)) for f, (t, v) in columns.items()} == by_frame
    table = here(groups).table(log).filter(pc.field("field") != "vi3_a")
    assert (
        table.schema.names == ["field", "ts", "value"] and str(table.schema.field("ts").type) == "timestamp[us, tz=UTC]"
    )
    rows = zip(
        table["field"].to_pylist(), table["ts"].cast("int64").to_pylist(), table["value"].to_pylist(), strict=True
    )
    assert list(rows) == [(name, *row) for name in columns for row in by_frame[name]]
    assert here(groups).table([]).num_rows == 0 and here(groups).columns([]) == {}


def test_sources_kept_apart(groups: Path) -> None:
    """Their fields carry the address, in every reading."""
    decoder = here(groups, sources=(3,))
    frames = [frame(1 + n, bytes([n] * 8), 0x18F00400 | n, is_extended_id=True) for n in range(5)]
    assert {name: column.values.tolist() for name, column in decoder.columns(frames).items() if "_a" in name} == {
        "short_a": [0, 1, 2, 4],
        "short_a_sa03": [3],
    }
    assert [f.signals and f.signals["short_a"] for f in decoder.decode(frames)] == [0, 1, 2, 3, 4]
    assert [values.signals.get("short_a_sa03") for values in decoder.last(frames)] == [None, None, None, 3, None]
    assert "vi_a_sa03" in {field.name for field in decoder.fields}


def test_problems_are_counted_in_every_reading(groups: Path, file: Path) -> None:
    """By kind: unknown, short and error frames, and what fits no message of several frames."""
    frames = [
        frame(1, b"", 999),
        frame(1, b"\1"),
        frame(1, b"\1\2", is_error_frame=True),
        frame(1, b"", is_remote_frame=True),
        frame(1, bytes([2, *bytes(7)]), 0x1CEBFF00, is_extended_id=True),
    ]
    wanted = {"unknown_id": 1, "short_frame": 1, "error_frame": 1, "multipacket_headless": 1}
    for read in (Decoder.decode, Decoder.last, Decoder.columns, Decoder.table):
        decoder = here(groups, file)
        list(read(decoder, frames))
        assert decoder.problems == wanted, read


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
