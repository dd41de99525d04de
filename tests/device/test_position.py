"""`seq` grows by one and never comes again, whatever ends the process or the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.device.position import PositionFile, read_boot_id, restored

NOW_S = 1_700_000_000
BOOT = "boot-a"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the position is kept; its folder is made with it."""
    return tmp_path / "device" / "D.seq"


def test_without_memory_it_starts_at_the_unix_second(file: Path) -> None:
    """And grows by one each time."""
    position = PositionFile(file, NOW_S, BOOT)
    assert [position.take() for _ in range(5)] == list(range(NOW_S, NOW_S + 5))
    position.close()


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("now_s", [NOW_S - 10**6, NOW_S + 10**6])
def test_it_goes_on_where_the_process_ended(file: Path, clean: bool, now_s: int) -> None:
    """Closed or killed, whatever the clock says: neither a hole nor a repetition."""
    first = PositionFile(file, NOW_S, BOOT)
    taken = [first.take() for _ in range(3)]
    if clean:
        first.close()
    second = PositionFile(file, now_s, BOOT)
    assert second.take() == taken[-1] + 1
    second.close()


@pytest.mark.parametrize("used", [0, 1, 100, 3599, 3600, 3601, 9000])
def test_after_a_power_cut_nothing_comes_again(file: Path, used: int) -> None:
    """What the disk then holds is what was last synced: a file of the start, with other words of the boot."""
    position = PositionFile(file, NOW_S, BOOT)
    synced = [file.read_bytes()]
    ceiling = _ceiling(synced[0])
    for _ in range(used):
        last = position.take()
        content = file.read_bytes()
        if _ceiling(content) != ceiling:  # the ceiling moves only with a sync
            ceiling = _ceiling(content)
            synced.append(content)
    position.close()
    file.write_bytes(synced[-1])
    again = PositionFile(file, NOW_S, "boot-b").take()
    assert used == 0 or again > last


def _ceiling(content: bytes) -> int:
    return int(content.split()[1])


TORN = {
    "empty": b"",
    "half": b"00000000001700000000\n0000",
    "two lines": b"00000000001700000000\n00000000001700003600\n",
    "zeros": b"\0" * 83,
    "other bytes": b"\xff\xfe" * 40,
    "letters": b"seq\nceiling\nboot\n",
}


@pytest.mark.parametrize("case", TORN)
def test_a_torn_file_jumps_over_what_it_may_have_held(file: Path, case: str) -> None:
    """The clock is what is left, an hour ahead of it."""
    file.parent.mkdir()
    file.write_bytes(TORN[case])
    position = PositionFile(file, NOW_S, BOOT)
    first = position.take()
    assert first >= NOW_S + 3600
    position.close()
    assert PositionFile(file, NOW_S, BOOT).take() == first + 1


@settings(max_examples=12)
@given(steps=st.lists(st.tuples(st.integers(0, 4000), st.sampled_from(["kill", "close", "cut"])), max_size=6))
def test_any_history_only_grows(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]) -> None:
    """Restarts and power cuts in any order."""
    file = tmp_path_factory.mktemp("seq") / "D.seq"
    boot, last = 0, 0
    for count, end in steps:
        position = PositionFile(file, NOW_S, f"boot-{boot}")
        for _ in range(count):
            seq = position.take()
            assert seq > last
            last = seq
        if end == "close":
            position.close()
        elif end == "cut":
            boot += 1


def test_the_boot_has_a_name() -> None:
    """The same while the machine runs."""
    assert read_boot_id() == read_boot_id()
    assert re.fullmatch(r"\S{1,40}", read_boot_id())


def test_what_lies_in_the_spool_has_been_used(tmp_path: Path) -> None:
    """A process that ended between keeping a second and counting it goes on above it."""
    file = tmp_path / "seq"
    position = PositionFile(file, NOW_S, BOOT)
    assert position.next == position.take()
    position.close()
    assert PositionFile(file, NOW_S, BOOT, least=NOW_S + 2).take() == NOW_S + 2
    assert PositionFile(file, NOW_S, BOOT, least=NOW_S).take() == NOW_S + 3


@pytest.mark.parametrize(
    ("text", "made_s", "newest", "expected"),
    [
        pytest.param(b"100\n3700\nboot\n", 100, 0, NOW_S, id="with the clock"),
        pytest.param(b"700\n4300\nboot\n", 100, 0, NOW_S + 600, id="as far ahead of the clock as it was"),
        pytest.param(b"100\n3700\nboot\n", 100, 149, NOW_S + 50, id="the store has seen more"),
        pytest.param(b"%d\n1\nclosed\n" % (NOW_S + 9), NOW_S + 99, 0, NOW_S + 9, id="the clock went back"),
        pytest.param(b"", 100, 0, NOW_S + 3600, id="torn"),
    ],
)
def test_a_restored_position_is_above_all_that_was_used(
    tmp_path: Path, text: bytes, made_s: int, newest: int, expected: int
) -> None:
    """It counts from there whatever computer it is on."""
    file = tmp_path / "seq"
    file.write_bytes(restored(text, made_s, NOW_S, newest))
    position = PositionFile(file, 1, "another boot")
    assert [position.take(), position.take()] == [expected, expected + 1]
