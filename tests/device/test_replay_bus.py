"""A recording as a bus: its own channels and distances, moved to now; a bad one says what is wrong."""

from __future__ import annotations

import contextlib
import gzip
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import can
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.device.can_bus import BusReader, FrameCollector
from duco_rt.device.replay_bus import ReplayBus, read_log
from duco_rt.errors import ConfigError
from tests.device.virtual import Caught, until

pytestmark = pytest.mark.servers  # buses take their real time

START_S = 1_620_692_699.5


def recording(count: int = 30, step_s: float = 0.01) -> list[can.Message]:
    """Frames of two buses, some extended."""
    return [
        can.Message(
            timestamp=START_S + i * step_s,
            arbitration_id=0x18FEEE00 if i % 3 else 0x123,
            is_extended_id=bool(i % 3),
            data=bytes([i % 256, 255 - i % 256]),
            channel=f"can{1 + i % 2}",
        )
        for i in range(count)
    ]


def write(file: Path, messages: list[can.Message]) -> Path:
    """Write with python-can's own writer, packed where the name says so."""
    plain = file.with_suffix("") if file.suffix == ".gz" else file
    with can.Logger(plain) as logger:
        for message in messages:
            logger.on_message_received(message)
    if file != plain:
        file.write_bytes(gzip.compress(plain.read_bytes()))
    return file


def content(message: can.Message) -> tuple[int, bool, bytes]:
    """What every format keeps."""
    return message.arbitration_id, message.is_extended_id, bytes(message.data)


@pytest.mark.parametrize("name", ["a.log", "a.log.gz", "a.asc", "a.asc.gz", "a.blf"])
def test_formats(tmp_path: Path, name: str) -> None:
    """Every frame with its distance to the first."""
    messages = recording()
    found = list(read_log(write(tmp_path / name, messages)))
    assert [content(m) for m in found] == [content(m) for m in messages]
    distances = [m.timestamp - found[0].timestamp for m in found]
    assert distances == pytest.approx([i * 0.01 for i in range(30)], abs=2e-3)


def read(bus: can.BusABC, count: int) -> list[tuple[float, can.Message]]:
    """The next messages, each with the moment it came."""
    found: list[tuple[float, can.Message]] = []
    end_s = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end_s:
        message = bus.recv(timeout=0.2)
        if message is not None:
            found.append((time.time(), message))
    return found


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_it_plays_now_at_its_own_pace(tmp_path: Path, speed: float) -> None:
    """Restamped to now; recorded distances are divided by the speed; no frame comes before its time."""
    file = write(tmp_path / "a.log", recording(20, 0.02 * speed))
    before = time.time()
    with ReplayBus(file, speed) as bus:
        found = read(bus, 20)
        assert [content(m) for _, m in found] == [content(m) for m in recording(20)]
        assert {m.channel for _, m in found} == {"can1", "can2"}
        for i, (came_s, message) in enumerate(found):
            assert -0.005 <= came_s - message.timestamp < 5
            assert message.timestamp - found[0][1].timestamp == pytest.approx(i * 0.02, abs=1e-3)
        assert before <= found[0][1].timestamp <= before + 5
        assert bus.recv(timeout=0.02) is None
        assert bus.recv(timeout=0) is None
        with pytest.raises(can.CanOperationError):
            bus.send(recording(1)[0])


def test_it_does_not_hold_up_who_asks(tmp_path: Path) -> None:
    """A long pause in the recording is waited for in steps of the asker's."""
    with ReplayBus(write(tmp_path / "a.log", recording(2, 60.0)), 1.0) as bus:
        assert bus.recv(timeout=1) is not None
        begun_s = time.monotonic()
        assert bus.recv(timeout=0) is None
        assert bus.recv(timeout=0.05) is None
        assert time.monotonic() - begun_s < 20


def test_a_reader_takes_all_of_it(tmp_path: Path) -> None:
    """Each frame under the channel that it was recorded on."""
    file = write(tmp_path / "a.log", recording(1000, 0.1))
    collector = FrameCollector()
    reader = BusReader("", partial(ReplayBus, file, 1000.0), collector)
    caught = Caught(collector, round(time.time() * 1000))
    reader.start()
    until(lambda: caught.count() >= 1000)
    reader.stop()
    assert caught.totals == {"can1": 500, "can2": 500}


def test_an_empty_recording_is_silence(tmp_path: Path) -> None:
    """No frame, no error."""
    (tmp_path / "a.log").write_text("")
    with ReplayBus(tmp_path / "a.log", 1.0) as bus:
        assert bus.recv(timeout=0.01) is None


BAD: dict[str, tuple[str, bytes, str]] = {
    "no candump": ("a.log", b"this is not a log\n", "after message 0"),
    "cut": ("a.log", b"(1.0) can1 123#01\n(1.1) can1 12", "after message 1"),
    "unknown kind": ("a.xyz", b"", "xyz"),
    "no gzip": ("a.log.gz", b"(1.0) can1 123#01\n", "a.log.gz"),
    "no BLF": ("a.blf", b"nothing of the kind", "a.blf"),
    "cut gzip": ("a.log.gz", gzip.compress(b"(1.0) can1 123#01\n" * 500)[:40], "a.log.gz"),
    "binary": ("a.log", b"\xff\xfe\x00\x01" * 20, "a.log"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_log_says_what_is_wrong(tmp_path: Path, case: str) -> None:
    """The error names the file and how far it could be read."""
    name, text, expected = BAD[case]
    (tmp_path / name).write_bytes(text)
    with pytest.raises(ConfigError, match=expected):
        list(read_log(tmp_path / name))
    with pytest.raises(ConfigError, match="no such file"):
        read_log(tmp_path / "missing.log")


MAKERS: dict[str, Callable[[bytes], bytes]] = {
    ".log": lambda noise: noise,
    ".asc": lambda noise: b"date Tue May 11 12:00:00.000 am 2021\nbase hex  timestamps absolute\n" + noise,
    ".blf": lambda noise: b"LOGG" + noise,
    ".log.gz": lambda noise: gzip.compress(noise),
}
_LINES = st.lists(
    st.text("0123456789abcdef()#. RXrxcan\n\t-", max_size=40).map(str.encode) | st.binary(max_size=20), max_size=5
)


@pytest.mark.parametrize("suffix", MAKERS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=_LINES)
def test_noise_is_read_or_refused(tmp_path: Path, suffix: str, lines: list[bytes]) -> None:
    """Whatever the bytes: frames or a ConfigError, nothing else."""
    file = tmp_path / f"a{suffix}"
    file.write_bytes(MAKERS[suffix](b"\n".join(lines)))
    try:
        for message in read_log(file):
            assert message.timestamp is not None
    except ConfigError as e:
        assert "a" + suffix in str(e)


@pytest.mark.parametrize("suffix", [".log", ".asc", ".blf", ".log.gz"])
def test_a_recording_that_ends_anywhere(tmp_path: Path, suffix: str) -> None:
    """A copy that was broken off: what is whole of it, then the end or a clear error."""
    whole = write(tmp_path / f"whole{suffix}", recording(20)).read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 60)):
        file = tmp_path / f"a{suffix}"
        file.write_bytes(whole[:size])
        found: list[can.Message] = []
        with contextlib.suppress(ConfigError):
            found.extend(read_log(file))
        assert len(found) <= 20


def test_a_bad_log_as_a_bus(tmp_path: Path) -> None:
    """The reader keeps the reason, with the good frames before it."""
    file = tmp_path / "a.log"
    file.write_text("(1.0) can1 123#01\n(1.1) can1 123#02\nbad\n")
    collector = FrameCollector()
    reader = BusReader("", partial(ReplayBus, file, 1.0), collector)
    reader.start()
    until(lambda: collector.failed is not None)
    reader.stop()
    assert "a.log: after message 2" in str(collector.failed)
    assert collector.close(0, 0)[0].frames == 2
