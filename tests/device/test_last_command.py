"""The time of the last start outlives the App."""

from __future__ import annotations

from pathlib import Path

from duco_rt.device.last_command import LastCommand


def test_it_is_kept_until_forgotten(tmp_path: Path) -> None:
    """By another App that starts later, too."""
    file = tmp_path / "D.command"
    assert LastCommand(file).age_s(5_000) is None
    LastCommand(file).note(5_000)
    LastCommand(file).note(6_000)
    assert LastCommand(file).age_s(7_500) == 1.5
    LastCommand(file).forget()
    LastCommand(file).forget()
    assert LastCommand(file).age_s(7_500) is None


def test_what_cannot_be_is_ignored(tmp_path: Path) -> None:
    """A torn file, a clock behind the command, a folder that is not there."""
    file = tmp_path / "D.command"
    file.write_text("")
    assert LastCommand(file).age_s(1) is None
    LastCommand(file).note(5_000)
    assert LastCommand(file).age_s(4_000) is None
    LastCommand(tmp_path / "gone" / "x").note(1)


def test_it_is_written_in_place(tmp_path: Path) -> None:
    """A full disk has room for what takes the place of as much: the file never gets longer, shorter or empty."""
    file = tmp_path / "D.command"
    sizes = set()
    for now_ms in (5_000, 1_795_352_000_000, 7):
        LastCommand(file).note(now_ms)
        sizes.add(file.stat().st_size)
        assert LastCommand(file).age_s(now_ms + 1_000) == 1.0
    assert sizes == {20}
