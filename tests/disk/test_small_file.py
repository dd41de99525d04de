"""A small file is the old one or the new one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from duco_rt.disk.small_file import write_whole


def test_it_is_replaced_whole_for_its_owner(tmp_path: Path) -> None:
    """Nothing else is left beside it."""
    file = tmp_path / "name"
    for data in (b"first", b"2"):
        write_whole(file, data)
        assert file.read_bytes() == data
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk."""
    file = tmp_path / "name"
    write_whole(file, b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]
