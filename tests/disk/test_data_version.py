"""A data directory is of a version: fresh, brought up, or refused with nothing touched."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from duco_rt import __version__
from duco_rt.disk import data_version
from duco_rt.disk.data_dir import DataDir
from duco_rt.disk.data_version import RESTORING, VERSION, bring_up, is_fresh, read_version, stamp_version
from duco_rt.errors import ConfigError


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def stamp(folder: Path, **more: object) -> None:
    """A version file as somebody wrote it."""
    (folder / "version").write_text(json.dumps({"number": 1, "program": "0.0.9", "at": 1, **more}), encoding="utf-8")


def test_a_fresh_folder_is_of_today(tmp_path: Path) -> None:
    """And says so, for its owner alone."""
    with DataDir(tmp_path / "data") as held:
        said = json.loads((held.path / "version").read_text(encoding="utf-8"))
        assert (said["number"], said["program"]) == (VERSION, __version__) and said["at"] > 1_700_000_000_000
        assert stat.S_IMODE((held.path / "version").stat().st_mode) == 0o600
    with DataDir(tmp_path / "data"):
        assert json.loads((tmp_path / "data" / "version").read_text(encoding="utf-8")) == said


def test_one_without_a_version_is_brought_up(tmp_path: Path) -> None:
    """What is kept stays as it was, for its owner alone."""
    meta = tmp_path / "meta.sqlite"
    meta.write_bytes(b"kept")
    meta.chmod(0o644)
    with DataDir(tmp_path):
        assert read_version(tmp_path) == VERSION
    assert meta.read_bytes() == b"kept" and stat.S_IMODE(meta.stat().st_mode) == 0o600


def test_an_interrupted_step_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number follows the step, so that what failed in its middle is not taken for done."""
    (tmp_path / "meta.sqlite").touch()
    done: list[int] = []

    def step(number: int, *, fails: bool = False) -> None:
        def run(folder: Path) -> None:
            if fails and number not in done:
                done.append(number)
                raise OSError(28, "No space left on device")
            done.append(number)

        monkeypatch.setitem(data_version.STEPS, number, run)

    step(2)
    step(3, fails=True)
    monkeypatch.setattr(data_version, "VERSION", 3)
    with pytest.raises(ConfigError, match=r"cannot be brought from version 1 to 3: No space left on device"):
        bring_up(tmp_path)
    assert (read_version(tmp_path), done) == (2, [2, 3])
    bring_up(tmp_path)
    assert (read_version(tmp_path), done) == (3, [2, 3, 3])


def test_a_newer_one_is_refused_untouched(tmp_path: Path) -> None:
    """Both versions are named, and what to do."""
    stamp(tmp_path, number=VERSION + 1, program="9.1")
    before = content(tmp_path)
    with pytest.raises(ConfigError) as caught, DataDir(tmp_path):
        pass
    assert str(caught.value) == (
        f"app.data_dir = {str(tmp_path)!r}: version {VERSION + 1}, made by a newer duco_rt (9.1); this one"
        f" ({__version__}) reads up to version {VERSION}: use that one, or restore a backup"
    )
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    "text", ["", "{", "2", '{"number":"2"}', '{"number":0,"program":"","at":0}', "\xff", "[" * 9999]
)
def test_a_damaged_version_is_refused(tmp_path: Path, text: str) -> None:
    """It might be a newer one's: the operator decides, and is told how."""
    (tmp_path / "version").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"its file 'version' is damaged .*delete that file, else restore"):
        DataDir(tmp_path).__enter__()
    assert list(content(tmp_path)) == ["version"]
    (tmp_path / "version").unlink()
    with DataDir(tmp_path):
        assert read_version(tmp_path) == VERSION


def test_a_version_file_that_is_a_folder(tmp_path: Path) -> None:
    """One line that names it."""
    (tmp_path / "version").mkdir()
    with pytest.raises(ConfigError, match=r"app\.data_dir = .*: version: Is a directory"), DataDir(tmp_path):
        pass


def test_one_that_is_being_restored_is_refused(tmp_path: Path) -> None:
    """What lies in it is not whole; who brings the backup in may take it."""
    (tmp_path / RESTORING).mkdir()
    with pytest.raises(ConfigError, match=r"interrupted; do it again with restore --replace"), DataDir(tmp_path):
        pass
    with DataDir(tmp_path, restoring=True):
        assert not (tmp_path / "version").exists()


def test_what_counts_as_fresh(tmp_path: Path) -> None:
    """An absent folder, and one with nothing that is kept; the version is not kept without data."""
    assert is_fresh(tmp_path / "absent")
    for name in ("lock", "version.part", "before-restore-20260101T000000Z"):
        (tmp_path / name).touch()
    for name in ("lost+found", "backup.part", "restore.part"):
        (tmp_path / name).mkdir()
    assert is_fresh(tmp_path)
    stamp_version(tmp_path)
    assert not is_fresh(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory"):
        is_fresh(tmp_path / "file")


def test_what_a_killed_process_was_making_goes(tmp_path: Path) -> None:
    """It takes room on the disk."""
    for name in ("backup.part", "restore.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "upload.tar").write_bytes(b"half")
    with DataDir(tmp_path):
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lock", "version"]
