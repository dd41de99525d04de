"""One process holds the folder; the others are told which."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from duco_rt.data_dir import DataDir, owner_url
from duco_rt.errors import ConfigError, Conflict

HOLD = """
import sys
from pathlib import Path
from duco_rt.data_dir import DataDir
with DataDir(Path(sys.argv[1])) as held:
    held.announce("http://127.0.0.1:8099/a-rather-long-address")
    held.announce(sys.argv[2])
    print("held", flush=True)
    sys.stdin.readline()
"""
URL = "http://127.0.0.1:8080/"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder and serves at URL."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), URL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_has_it(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """The folder, the other's process id and address, and what to do; the address also for who only asks."""
    with pytest.raises(Conflict) as caught, DataDir(tmp_path):
        pass
    assert str(caught.value) == (
        f"app.data_dir = {str(tmp_path)!r}: process {other.pid} has it ({URL}); stop that one or name another data_dir"
    )
    assert owner_url(tmp_path) == URL


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_it_is_free_when_the_other_ends(tmp_path: Path, other: subprocess.Popen[str], end: str) -> None:
    """Also when the other was killed and its lock file stayed."""
    if end == "kill":
        other.send_signal(signal.SIGKILL)
        other.wait()
    else:
        other.communicate("\n")
    assert (tmp_path / "lock").exists()
    assert owner_url(tmp_path) is None
    with DataDir(tmp_path):
        assert owner_url(tmp_path) == ""


def test_asking_does_not_take_it(tmp_path: Path) -> None:
    """A folder that is not there stays so; a free one can be taken again and again."""
    folder = tmp_path / "a" / "b"
    assert owner_url(folder) is None and not folder.exists()
    for _ in range(2):
        with DataDir(folder) as held:
            held.announce(URL)
            assert owner_url(folder) == URL
        assert owner_url(folder) is None
    with DataDir(folder):
        assert owner_url(folder) == ""


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
