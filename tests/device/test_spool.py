"""What the hub does not have yet survives the process, within its bound."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.device.spool import Entry, Spool
from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics


def message(seq: int, size: int = 10, msg_type: str = "vehicle_can") -> HubMessage:
    """Return the message of second seq."""
    return HubMessage("D", msg_type, False, seq * 1000, seq, "x/y;v=1", "deflate", bytes([seq % 256]) * size)


def opened(folder: Path, bytes_max: int = 1_000_000, metrics: Metrics | None = None) -> Spool:
    """A spool of device D."""
    return Spool(folder, "D", bytes_max, metrics or Metrics())


def read(spool: Spool, entries: list[Entry]) -> list[int | None]:
    """The seq of each, None where it is gone."""
    return [None if (found := spool.read(entry)) is None else found.seq for entry in entries]


_TEXT = st.text(max_size=20)


@given(st.binary(max_size=300), _TEXT, _TEXT, st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_message_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, kind: str, encoding: str, ts_ms: int, seq: int
) -> None:
    """Every property, but that it is no real-time message any more; the same after a restart."""
    folder = tmp_path_factory.mktemp("spool")
    sent = HubMessage("D", "vehicle_can", True, ts_ms, seq, kind, encoding, body)
    spool = opened(folder)
    found = spool.read(spool.append(sent, 0.0))
    assert found == HubMessage("D", "vehicle_can", False, ts_ms, seq, kind, encoding, body)
    again = opened(folder)
    assert [again.read(entry) for entry in again.left] == [found]
    assert again.next_seq == seq + 1


def test_a_start_finds_what_was_not_released_oldest_first(tmp_path: Path) -> None:
    """Over several segments; what was released with its whole segment is gone from the disk."""
    spool = opened(tmp_path, 40_000)  # segments of 10,000 bytes
    entries = [spool.append(message(seq, 3000), 0.0) for seq in range(12)]
    for entry in entries[:8]:
        spool.release(entry)
    again = opened(tmp_path, 40_000)
    assert read(again, again.left) == [8, 9, 10, 11]
    assert again.next_seq == 12
    for entry in again.left:
        again.release(entry)
    again.close()
    assert list(tmp_path.iterdir()) == []


def test_an_old_segment_is_closed(tmp_path: Path) -> None:
    """After 60 s, so that a start sends again at most what came in that time."""
    spool = opened(tmp_path)
    spool.release(spool.append(message(1), 0.0))
    spool.release(spool.append(message(2), 59.0))
    assert len(list(tmp_path.iterdir())) == 1
    spool.append(message(3), 60.0)
    again = opened(tmp_path)
    assert read(again, again.left) == [3]


def test_over_its_bound_the_oldest_goes_counted(tmp_path: Path) -> None:
    """By segments; what the hub has had already does not count as lost."""
    metrics = Metrics()
    spool = opened(tmp_path, 40_000, metrics)
    entries = [spool.append(message(seq, 3000), 0.0) for seq in range(4)]
    spool.mark(entries[0], sent=True)
    entries += [spool.append(message(seq, 3000), 0.0) for seq in range(4, 40)]
    assert spool.size_bytes <= 40_000
    kept = read(spool, entries)
    gone = kept.count(None)
    assert kept == [None] * gone + list(range(gone, 40))
    assert 24 <= gone < 40
    assert spool.dropped == metrics.value("device_dropped_total") == gone - 1
    for entry in entries:
        spool.release(entry)
    assert spool.dropped == gone - 1


@pytest.mark.parametrize("cut", [1, 5, 12, 100])
def test_a_torn_end_loses_its_last_record_alone(tmp_path: Path, cut: int) -> None:
    """As after a power cut; the rest is sent."""
    spool = opened(tmp_path)
    for seq in range(5):
        spool.append(message(seq, 100), 0.0)
    spool.close()
    [file] = tmp_path.glob("*.spool")
    os.truncate(file, file.stat().st_size - cut)
    again = opened(tmp_path)
    assert read(again, again.left) == [0, 1, 2, 3]


def test_damage_that_came_later_is_counted(tmp_path: Path) -> None:
    """A record that changed on the disk is not sent as if it were right."""
    metrics = Metrics()
    spool = opened(tmp_path, metrics=metrics)
    entries = [spool.append(message(seq, 100), 0.0) for seq in range(3)]
    [file] = tmp_path.glob("*.spool")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert read(spool, entries) == [0, None, 2]
    assert metrics.value("device_dropped_total") == 1


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """The last 1,000 messages are held in memory, the others counted; the disk is tried again each time."""
    metrics = Metrics()
    folder = tmp_path / "spool"
    spool = opened(folder, metrics=metrics)
    folder.rmdir()
    entries = [spool.append(message(seq), 0.0) for seq in range(1005)]
    assert read(spool, entries) == [None] * 5 + list(range(5, 1005))
    assert metrics.value("device_spool_failed_total") == 1005
    assert metrics.value("device_dropped_total") == 5
    spool.release(entries[10])
    folder.mkdir()
    assert read(spool, [spool.append(message(9), 0.0)]) == [9]
    assert len(list(folder.iterdir())) == 1


def test_a_record_that_was_written_in_part_hurts_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that is nearly full: the next ones are where they are looked for, after a restart, too."""
    spool = opened(tmp_path)
    entries = [spool.append(message(seq, 100), 0.0) for seq in range(2)]
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    entries.append(spool.append(message(2, 100), 0.0))
    monkeypatch.setattr(os, "write", write)
    entries += [spool.append(message(seq, 100), 0.0) for seq in range(3, 6)]
    assert read(spool, entries) == list(range(6))
    again = opened(tmp_path)
    assert read(again, again.left) == [0, 1, 3, 4, 5]


def test_a_segment_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that became read-only ends nothing."""
    metrics = Metrics()
    spool = opened(tmp_path, metrics=metrics)
    entry = spool.append(message(1), 0.0)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    spool.release(entry)
    spool.close()
    assert metrics.value("device_spool_failed_total") == 1


def test_a_segment_s_number_never_comes_again(tmp_path: Path) -> None:
    """An entry of one that is gone must not read what another file has."""
    spool = opened(tmp_path)
    first = spool.append(message(1), 0.0)
    spool.append(message(2), 61.0)
    spool.release(first)
    spool.append(message(3), 122.0)
    assert spool.read(first) is None
    assert spool.oldest_segment == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from duco_rt.device.spool import Spool
from duco_rt.seeing.metrics import Metrics
from tests.device.test_spool import message
spool = Spool(Path(sys.argv[1]), "D", 1_000_000, Metrics())
for seq in range(1000):
    spool.append(message(seq, 2000), 0.0)
    if seq == 321:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_survives_kill(tmp_path: Path) -> None:
    """Every message that `append` returned for is there after kill -9."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    again = opened(tmp_path)
    assert read(again, again.left) == list(range(322))


def test_damage_in_the_middle_takes_what_it_hit_alone(tmp_path: Path) -> None:
    """The records before and after it are sent; it is counted, also where a length is garbage."""
    metrics = Metrics()
    spool = opened(tmp_path)
    for seq in range(6):
        spool.append(message(seq, 100), 0.0)
    spool.close()
    [file] = tmp_path.glob("*.spool")
    data = bytearray(file.read_bytes())
    size = len(data) // 6
    data[2 * size + 4 : 2 * size + 8] = b"\xff\xff\xff\x7f"  # the length of the third
    data[4 * size + 50] ^= 1  # the body of the fifth
    file.write_bytes(data)
    again = opened(tmp_path, metrics=metrics)
    assert read(again, again.left) == [0, 1, 3, 5]
    assert again.dropped == metrics.value("device_dropped_total") == 2
    assert again.next_seq == 6
    for entry in again.left:
        again.release(entry)
    assert list(tmp_path.iterdir()) == []


def test_a_segment_that_is_garbage_or_cannot_be_read(tmp_path: Path) -> None:
    """Costs no other one anything; numbers do not come again."""
    spool = opened(tmp_path)
    spool.append(message(1), 0.0)
    spool.append(message(2), 61.0)
    spool.close()
    first, _ = sorted(tmp_path.glob("*.spool"))
    first.write_bytes(os.urandom(5000))
    (tmp_path / "000000000009.spool").mkdir()
    metrics = Metrics()
    again = opened(tmp_path, metrics=metrics)
    assert read(again, again.left) == [2]
    assert (metrics.value("device_dropped_total"), metrics.value("device_spool_failed_total")) == (1, 1)
    again.append(message(3), 0.0)
    assert (tmp_path / "000000000010.spool").exists()
