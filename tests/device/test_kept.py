"""What an App has on disk, over runs that fail: nothing that was taken is lost, and no seq comes again."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.device.kept import Kept
from duco_rt.device.spool import Entry, Spool
from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics
from tests.device.test_outbox import Steady, message


def kept(folder: Path, earlier: Kept | None = None) -> Kept:
    """The files of device D."""
    clock = Steady()
    clock.now_s = 1_000.0
    return Kept(folder, "D", 1_000_000, clock, Metrics(), earlier)


def left(found: Kept) -> list[int]:
    """The seqs that wait to be sent."""
    messages = [found.spool.read(entry) for entry in found.spool.left]
    return [each.seq for each in messages if each is not None]


def test_a_fresh_one_starts_at_the_clock(tmp_path: Path) -> None:
    """Nothing waits."""
    first = kept(tmp_path)
    assert (first.position.next, left(first), first.held) == (1_000, [], [])


@pytest.mark.parametrize("in_process", [True, False])
def test_the_next_run_has_what_the_last_one_left(tmp_path: Path, in_process: bool) -> None:
    """Sent or not: what was not released waits, the seconds of the open batch too, and counting goes on."""
    first = kept(tmp_path)
    entries = [first.spool.append(message(seq), 0.0) for seq in (1_000, 1_001)]
    first.open.append(message(first.position.take()), 0.0)
    first.open.append(message(first.position.take() + 3), 0.0)
    first.spool.release(entries[0])
    first.end()
    first.spool.close()
    second = kept(tmp_path, first if in_process else None)
    assert sorted(left(second))[-3:] == [1_000, 1_001, 1_004]
    assert second.position.next == 1_005
    second.end()
    assert kept(tmp_path, second).open.left == []


def test_what_no_disk_took_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held in memory by the run that failed."""
    first = kept(tmp_path)
    append = Spool._write

    def full(*_: object) -> Entry:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "_write", full)
    held: list[HubMessage] = [message(1_000), message(1_001)]
    first.spool.append(held[0], 0.0)
    first.open.append(held[1], 0.0)
    first.end()
    assert [each.seq for each in first.held] == [1_000, 1_001]
    still = kept(tmp_path, first)
    assert left(still) == [1_000, 1_001]
    still.end()
    monkeypatch.setattr(Spool, "_write", append)
    assert left(kept(tmp_path, still)) == [1_000, 1_001]
    assert left(kept(tmp_path)) == [1_000, 1_001]  # on disk by now


def test_a_position_that_the_disk_did_not_take(tmp_path: Path) -> None:
    """The run before knows better than the file."""
    first = kept(tmp_path)
    for _ in range(5):
        first.position.take()
    first.end()
    (tmp_path / "D.seq").write_text(f"{1_001:020d}\n{5_000:020d}\nclosed\n")
    assert kept(tmp_path, first).position.next == 1_005
