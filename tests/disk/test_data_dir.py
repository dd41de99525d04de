"""One process holds the folder; the others are told which."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from duco_rt.disk import data_dir
from duco_rt.disk.data_dir import DataDir, Owner, check_place, check_room, free_bytes, instance_id, owner_of
from duco_rt.errors import ConfigError, Conflict, TransportError

HOLD = """
import sys
from pathlib import Path
from duco_rt.disk.data_dir import DataDir
with DataDir(Path(sys.argv[1])) as held:
    held.announce("http://127.0.0.1:8099/a-rather-long-address")
    held.announce(sys.argv[2], "ab" * 32)
    print(held.key, flush=True)
    sys.stdin.readline()
"""
URL = "http://127.0.0.1:8080/"


def url_of(folder: Path) -> str:
    """Where the folder's holder serves."""
    owner = owner_of(folder)
    assert owner is not None
    return owner.url


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that somebody has is told at once."""
    monkeypatch.setattr(data_dir, "_AGAIN_S", 0.0)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder and serves at URL."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), URL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.key = process.stdout.readline().strip()  # type: ignore[attr-defined]  # what it held it with
        yield process
        process.kill()


def test_a_second_process_is_told_who_has_it(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """The folder, the other's process id and address, and what to do, not its key; that is for who asks it."""
    with pytest.raises(Conflict) as caught, DataDir(tmp_path):
        pass
    assert str(caught.value) == (
        f"app.data_dir = {str(tmp_path)!r}: process {other.pid} has it ({URL}); stop that one or name another data_dir"
    )
    found = owner_of(tmp_path)
    assert found == Owner(URL, other.key, "ab" * 32)  # type: ignore[attr-defined]  # see above
    assert len(found.key) >= 43 and found.key not in repr(found)


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_it_is_free_when_the_other_ends(tmp_path: Path, other: subprocess.Popen[str], end: str) -> None:
    """Also when the other was killed and its lock file stayed."""
    if end == "kill":
        other.send_signal(signal.SIGKILL)
        other.wait()
    else:
        other.communicate("\n")
    assert (tmp_path / "lock").exists()
    assert owner_of(tmp_path) is None
    with DataDir(tmp_path):
        assert url_of(tmp_path) == ""


def test_asking_does_not_take_it(tmp_path: Path) -> None:
    """A folder that is not there stays so; a free one can be taken again and again."""
    folder = tmp_path / "a" / "b"
    assert owner_of(folder) is None and not folder.exists()
    for _ in range(2):
        with DataDir(folder) as held:
            held.announce(URL)
            assert url_of(folder) == URL
        assert owner_of(folder) is None
    with DataDir(folder):
        assert url_of(folder) == ""


def test_a_holder_that_still_starts(tmp_path: Path) -> None:
    """Without an address, and whatever the lock file says, the message can be read."""
    with DataDir(tmp_path), pytest.raises(Conflict, match="still starting"), DataDir(tmp_path):
        pass
    with DataDir(tmp_path):
        (tmp_path / "lock").write_text("{", encoding="utf-8")
        with pytest.raises(Conflict, match=r"process \? has it"), DataDir(tmp_path):
            pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The key and the path are named."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"app\.data_dir = .*file/data"), DataDir(tmp_path / "file" / "data"):
        pass


def test_the_key_is_for_the_owner_of_the_folder_alone(tmp_path: Path) -> None:
    """New at each start; also where an older release left the file for everybody."""
    lock = tmp_path / "lock"
    lock.touch(mode=0o644)
    keys = set()
    for _ in range(2):
        with DataDir(tmp_path) as held:
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600
            found = owner_of(tmp_path)
            assert found is not None and found.key == held.key
            keys.add(held.key)
    assert len(keys) == 2


def test_a_holder_of_an_older_release(tmp_path: Path) -> None:
    """Its lock file has no key: it is asked without one."""
    with DataDir(tmp_path):
        (tmp_path / "lock").write_text(json.dumps({"pid": 1, "url": URL}), encoding="utf-8")
        assert owner_of(tmp_path) == Owner(URL, "")


def ask(folder: Path) -> None:
    """Take it."""
    with DataDir(folder):
        pass


WAYS = [ask, owner_of, check_place]


@pytest.mark.parametrize("way", WAYS)
def test_a_lock_file_that_cannot_be_opened(tmp_path: Path, way: Callable[[Path], object]) -> None:
    """The key, the folder and why; no traceback."""
    (tmp_path / "lock").mkdir()
    with pytest.raises(ConfigError, match=r"app\.data_dir = .*: lock: (Is a directory|is no plain file)"):
        way(tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="the system has no such flag")
def test_a_lock_file_that_is_a_link(tmp_path: Path, way: Callable[[Path], object]) -> None:
    """Is not followed, wherever it points: what is there would be cut and written over."""
    target = tmp_path / "precious"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lock").symlink_to(target)
    for text in (None, "do not lose"):
        if text is not None:
            target.write_text(text)
        with pytest.raises(ConfigError, match="lock: is a symbolic link, which is not followed; remove it"):
            way(tmp_path / "data")
    assert target.read_text() == "do not lose"


def test_who_only_asks_stops_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the lock for a moment: the start tries again."""
    monkeypatch.setattr(data_dir, "_AGAIN_S", 5.0)
    (tmp_path / "lock").touch()
    fd = os.open(tmp_path / "lock", os.O_RDWR)
    assert data_dir._try_lock(fd)
    tries: list[float] = []

    def look_away(for_s: float) -> None:
        tries.append(for_s)
        if len(tries) == 2:
            os.close(fd)

    monkeypatch.setattr(time, "sleep", look_away)
    with DataDir(tmp_path):
        assert len(tries) == 2


def test_whether_a_folder_will_do(tmp_path: Path) -> None:
    """As a start would find it; nothing is made, and a process that has it is no trouble."""
    check_place(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    for bad, words in ((tmp_path / "file", "Not a directory"), (tmp_path / "file" / "x", "file: Not a directory")):
        with pytest.raises(ConfigError, match=rf"app\.data_dir = .*{words}"):
            check_place(bad)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    with DataDir(tmp_path / "held"):
        check_place(tmp_path / "held")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everybody can write there")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Nor one below it be made."""
    (tmp_path / "fixed").mkdir(mode=0o500)
    for folder in (tmp_path / "fixed", tmp_path / "fixed" / "new"):
        with pytest.raises(ConfigError, match="cannot be written"):
            check_place(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="no such rights there")
def test_a_new_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """What machines sent is nobody else's on this computer; a folder that is there keeps what its owner chose."""
    there = tmp_path / "there"
    there.mkdir(mode=0o750)
    for folder, mode in ((tmp_path / "new", 0o700), (there, 0o750)):
        with DataDir(folder):
            assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_a_process_keeps_its_name(tmp_path: Path) -> None:
    """The same at each start; one that is damaged is made anew."""
    name = instance_id(tmp_path)
    assert instance_id(tmp_path) == name and len(name) == 16
    for damaged in (b"", b"\xff\0garbage", b"a b"):
        (tmp_path / "instance").write_bytes(damaged)
        again = instance_id(tmp_path)
        assert again != name and instance_id(tmp_path) == again
    (tmp_path / "instance").write_bytes(b"mine-1\n")
    assert instance_id(tmp_path) == "mine-1"
    with pytest.raises(ConfigError, match=r"app\.data_dir = .*: instance: "):
        instance_id(tmp_path / "absent")


@pytest.mark.parametrize("text", ["[1]", "3", "null", "\x00", "[" * 5000])
def test_a_lock_file_of_another_kind(tmp_path: Path, text: str) -> None:
    """The message can still be read, and the folder taken when it is free."""
    with DataDir(tmp_path):
        (tmp_path / "lock").write_text(text, encoding="utf-8")
        with pytest.raises(Conflict, match=r"process \? has it"), DataDir(tmp_path):
            pass
    with DataDir(tmp_path):
        pass


async def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than 200 MB is none, on a small disk less than its hundredth part; the key is named."""
    free = shutil.disk_usage(tmp_path).free  # others write beside it
    assert free_bytes(tmp_path) == pytest.approx(free, abs=1e9)
    for total, free, fits in ((10**12, 201_000_000, True), (10**12, 199_000_000, False), (10**9, 11_000_000, True),
                              (10**9, 9_000_000, False), (64_000_000, 0, False)):  # fmt: skip
        monkeypatch.setattr(shutil, "disk_usage", lambda _, of=(total, free): SimpleNamespace(total=of[0], free=of[1]))
        if fits:
            await check_room(tmp_path)
        else:
            with pytest.raises(TransportError, match=r"app\.data_dir = .*: its disk is full, \d+ MB of .* GB free"):
                await check_room(tmp_path)
    monkeypatch.undo()
    with pytest.raises(TransportError, match="No such file"):
        await check_room(tmp_path / "absent")
