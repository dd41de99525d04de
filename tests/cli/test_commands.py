"""The command line: exit codes, one line on stderr, the ready line, an end that drains."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from duco_rt.__main__ import main
from tests.database_texts import KCD
from tests.dbc_texts import J1939_TAIL, dbc_text

pytestmark = pytest.mark.servers

DBC = 'VERSION ""\nBU_: ECU\nBO_ 256 Key: 1 ECU\n SG_ Ignition : 0|1@1+ (1,0) [0|1] "" Vector__XXX\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with a database and a log; no environment of the developer's."""
    monkeypatch.chdir(tmp_path)
    # loggers keep the first stderr that they wrote to, which here is the test's own; the process below has the real one
    monkeypatch.setattr("duco_rt.seeing.logs.configure", lambda *_: None)
    for name in [name for name in os.environ if name.startswith("DUCO_") and "__" in name]:
        monkeypatch.delenv(name)
    Path("key.dbc").write_text(DBC)
    Path("bad.dbc").write_text(DBC + "BO_ nonsense\n")
    Path("bad.kcd").write_text("<a>\n</b>")
    Path("key.KCD").write_text(KCD)
    Path("j.dbc").write_text(dbc_text("2364540158 EEC1 8\nrpm : 24|16@1+ (0.125,0)", tail=J1939_TAIL))
    Path("j.log").write_text("(1.5) can1 0CF00403#0000000100000000\n(1.6) can1 0CF00407#0000000200000000\n")
    Path("a.log").write_text("(1620692699.797900) can1 100#01\n(1620692700.100000) can1 7FF#02\n")
    Path("noise.log").write_text("this is no log\n")
    Path("noise.xyz").write_text("")
    Path("odd/lock").mkdir(parents=True)
    Path("newer").mkdir()
    Path("newer/version").write_text('{"number": 99, "program": "9.0", "at": 1}')
    Path("bad.toml").write_text("[web]\nport = 'x'\n")
    return tmp_path


WRONG: dict[str, tuple[str, list[str]]] = {
    "unknown key": ("check --set web.prot=1", ["web.prot"]),
    "wrong value": ("check --set web.port=99999", ["web.port", "99999"]),
    "wrong kind": ("check --set hub.kind=pigeon", ["hub.kind", "pigeon"]),
    "wrong role": ("run --roles device,nobody", ["app.roles", "nobody"]),
    "in the file": ("check --config bad.toml", ["web.port", "x"]),
    "no file": ("check --config gone.toml", ["gone.toml"]),
    "no key": ("check --set nonsense", ["nonsense"]),
    "not this machine": ("check --set web.host=0.0.0.0", ["web.host", "0.0.0.0"]),
    "no recording": ("check --set device.replay=gone.log", ["device.replay", "gone.log"]),
    "no database": ("check --set device.dbc=['gone.dbc']", ["gone.dbc"]),
    "bad database": ("check --set device.dbc=['bad.dbc']", ["device.dbc", "bad.dbc", "line 5"]),
    "decode: no log": ("decode gone.log --dbc key.dbc", ["gone.log"]),
    "decode: no database": ("decode a.log", ["--dbc"]),
    "decode: missing database": ("decode a.log --dbc gone.dbc", ["gone.dbc"]),
    "decode: bad database": ("decode a.log --dbc bad.dbc", ["bad.dbc", "line 5"]),
    "decode: bad KCD": ("decode a.log --dbc bad.kcd", ["bad.kcd", "line 2"]),
    "decode: sources": ("decode a.log --dbc key.dbc --sources 0,254", ["--sources", "254"]),
    "decode: no sources": ("decode a.log --dbc key.dbc --sources all", ["--sources", "all"]),
    "replay: sources of nothing": ("replay a.log --device DUCO_001 --sources 3", ["--sources 3", "--dbc"]),
    "add: sources": ("device add D1 --tenant t --dbc key.dbc --sources 0x100", ["--sources", "0x100"]),
    "add: too much to read": (
        "device add D1 --tenant t --dbc key.dbc --set meta.read_limit_s=0.01",
        ["key.dbc", "more than 0.01 s"],
    ),
    "decode: bad log": ("decode noise.log --dbc key.dbc", ["noise.log", "after message 0"]),
    "decode: unknown log": ("decode noise.xyz --dbc key.dbc", ["noise.xyz"]),
    "replay: no log": ("replay gone.log --device D1", ["gone.log"]),
    "replay: unknown log": ("replay noise.xyz --device D1 --dbc key.dbc", ["noise.xyz"]),
    "replay: bad log": ("replay noise.log --device D1 --dbc key.dbc", ["noise.log"]),
    "replay: unknown device": ("replay a.log --device D9", ["D9", "--dbc"]),
    "replay: speed": ("replay a.log --device D1 --speed 0", ["--speed", "0"]),
    "replay: no speed": ("replay a.log --device D1 --speed nan", ["speed", "nan"]),
    "add: no database": ("device add D1 --tenant t", ["--dbc"]),
    "add: bad database": ("device add D1 --tenant t --dbc bad.dbc", ["bad.dbc", "line 5"]),
    "add: name": ("device add a.b --tenant t --dbc key.dbc", ["a.b"]),
    "add: tenant": ("device add D1 --tenant a.b --dbc key.dbc", ["tenant", "a.b"]),
    "check: no folder can be there": ("check --set app.data_dir=a.log/data", ["app.data_dir", "a.log", "directory"]),
    "check: a lock that is a folder": ("check --set app.data_dir=odd", ["app.data_dir = 'odd'", "lock", "directory"]),
    "run: a lock that is a folder": ("run --set app.data_dir=odd", ["app.data_dir = 'odd'", "lock", "directory"]),
    "check: a newer one's": ("check --set app.data_dir=newer", ["app.data_dir = 'newer'", "version 99"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_exits_2_with_one_line(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The line names the key and the value; nothing is started, nothing said on stdout."""
    command, expected = WRONG[case]
    assert main(command.split()) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert [word for word in expected if word not in err] == []


@pytest.mark.parametrize(
    "command", ["frobnicate", "decode", "device", "device add D1", "run --nonsense", "replay a.log"]
)
def test_wrong_arguments_exit_2_with_one_line(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    """As everything else that is wrong."""
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 2
    assert len(capfd.readouterr().err.strip().splitlines()) == 1


def test_a_good_configuration(capfd: pytest.CaptureFixture[str]) -> None:
    """Said so, with warnings for what will not work; nothing is made."""
    assert main(["check"]) == 0
    assert main(["check", "--set", "app.roles=['device','ingest']"]) == 0
    out = capfd.readouterr().out
    assert "the configuration is good" in out
    assert "warning: " in out
    assert not Path("data").exists()


def test_decode(capfd: pytest.CaptureFixture[str]) -> None:
    """A line a frame in log order, undecodable ones without signals; with --last a line a second."""
    assert main(["decode", "a.log", "--dbc", "can1=key.dbc"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    known = {"ts": 1620692699.7979, "channel": "can1", "id": 256, "extended": False, "message": "Key"}
    assert rows[0] == {**known, "signals": {"Ignition": 1}}
    assert rows[1] == {"ts": 1620692700.1, "channel": "can1", "id": 0x7FF, "extended": False, "message": None}
    assert main(["decode", "a.log", "--dbc", "key.dbc", "--last"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert rows == [{"ts": 1620692699, "signals": {"Ignition": 1}}, {"ts": 1620692700, "signals": {}}]


def test_decode_by_other_formats(capfd: pytest.CaptureFixture[str]) -> None:
    """The file's ending says which, in any case."""
    Path("kcd.log").write_text("(1.5) can1 100#C800050000000000\n")
    assert main(["decode", "kcd.log", "--dbc", "key.KCD"]) == 0
    (row,) = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert row["message"] == "Engine" and row["signals"]["speed"] == -20.0 and row["signals"]["whole"] == 11


def test_decode_keeps_sources_apart(capfd: pytest.CaptureFixture[str]) -> None:
    """The fields of a named address carry it; the others are one."""
    assert main(["decode", "j.log", "--dbc", "j.dbc", "--last", "--sources", "0x03"]) == 0
    assert json.loads(capfd.readouterr().out) == {"ts": 1, "signals": {"rpm_sa03": 0.125, "rpm": 0.25}}


def test_a_device_with_sources(capfd: pytest.CaptureFixture[str]) -> None:
    """Kept with its parsing, for every file."""
    assert main(["device", "add", "D1", "--tenant", "t", "--dbc", "j.dbc", "--dbc", "key.KCD", "--sources", "0,3"]) == 0
    db = sqlite3.connect(Path("data") / "meta.sqlite")
    (row,) = db.execute("SELECT files FROM parsings WHERE name = 'D1'").fetchall()
    db.close()
    kept = [(file["format"], file["sources"]) for file in json.loads(row[0])]
    assert kept == [("dbc", [0, 3]), ("kcd", [0, 3])]


def test_devices_without_a_running_process(capfd: pytest.CaptureFixture[str]) -> None:
    """Added, listed, replaced, removed by itself; a fresh folder has the demo."""
    assert main(["device", "add", "D1", "--tenant", "t1", "--dbc", "key.dbc"]) == 0
    assert main(["device", "add", "D1", "--tenant", "t2", "--dbc", "can1=key.dbc"]) == 0
    assert "t2" in capfd.readouterr().out
    assert main(["device", "list"]) == 0
    rows = [line.split()[:3] for line in capfd.readouterr().out.splitlines()]
    assert rows == [["DEVICE", "TENANT", "PARSING"], ["D1", "t2", "D1"], ["DUCO_001", "duco", "demo"]]
    assert main(["device", "remove", "D1"]) == 0
    assert main(["device", "remove", "D1"]) == 2
    assert "device 'D1' is not known" in capfd.readouterr().err


def test_names_steer_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """A device's name can be anything; in the table it is text, and one row. So is a word that comes back."""
    assert main(["device", "add", "D1", "--tenant", "t", "--dbc", "key.dbc"]) == 0
    db = sqlite3.connect(Path("data") / "meta.sqlite")
    db.execute("UPDATE devices SET name = ?", ("\x1b]0;owned\x07\nD2  t  D2  \u202eforged",))
    db.commit()
    db.close()
    capfd.readouterr()
    assert main(["device", "list"]) == 0
    rows = capfd.readouterr().out.split("\n")
    assert rows[1] == "D1        t       D1       \\x1b]0;owned\\x07\\nD2  t  D2  \\u202eforged"
    assert len(rows) == 4
    assert main(["check", "--config", "\x1b[2J\nduco_rt: done"]) == 2
    assert "\x1b" not in (err := capfd.readouterr().err) and len(err.splitlines()) == 1


def test_a_folder_that_others_can_look_into(capfd: pytest.CaptureFixture[str]) -> None:
    """Is worth a warning where credentials are asked for."""
    Path("data").mkdir(mode=0o755)
    Path("data").chmod(0o755)
    words = "warning: app.data_dir = 'data': other accounts of this machine can look into that folder"
    for auth, mode, expected in (("tokens", 0o755, True), ("none", 0o755, False), ("tokens", 0o700, False)):
        Path("data").chmod(mode)
        assert main(["check", "--set", f"web.auth={auth}"]) == 0
        assert (words in capfd.readouterr().out) == expected


def test_a_removed_demo_device_stays_away(capfd: pytest.CaptureFixture[str]) -> None:
    """What a fresh folder starts with comes once."""
    assert main(["device", "add", "D1", "--tenant", "t1", "--dbc", "key.dbc"]) == 0
    assert main(["device", "remove", "DUCO_001"]) == 0
    capfd.readouterr()
    assert main(["device", "list"]) == 0
    assert "DUCO_001" not in capfd.readouterr().out


def test_decode_says_when_nothing_matched(capfd: pytest.CaptureFixture[str]) -> None:
    """A wrong bus in front of the database: a line on stderr names the buses of the log."""
    assert main(["decode", "a.log", "--dbc", "can7=key.dbc"]) == 0
    assert "none of 2 frames matched; buses in the log: can1" in capfd.readouterr().err


@pytest.fixture
def process(folder: Path, free_port: int) -> Iterator[subprocess.Popen[str]]:
    """`python -m duco_rt` with every role in the folder."""
    command = [sys.executable, "-m", "duco_rt", "--set", f"web.port={free_port}"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    running = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield running
    if running.poll() is None:
        running.kill()
    running.communicate()


def status_of(url: str) -> int:
    """What a GET is answered with."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as e:
        return e.code


def test_run(process: subprocess.Popen[str], free_port: int, capfd: pytest.CaptureFixture[str]) -> None:
    """It says when it is ready; commands ask it; a second one is told; SIGTERM drains and exits 0."""
    assert process.stdout is not None
    assert process.stdout.readline() == f"duco_rt is ready: http://127.0.0.1:{free_port}/\n"
    end_s = time.monotonic() + 40
    while (status := status_of(f"http://127.0.0.1:{free_port}/readyz")) != 200:
        assert time.monotonic() < end_s, status  # a loop that the start held up is told for 15 s
        time.sleep(0.2)
    assert main(["device", "add", "D1", "--tenant", "t1", "--dbc", "key.dbc"]) == 0
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/api/metaapi/devices/D1", timeout=30) as answer:
        assert json.load(answer)["tenant"] == "t1"
    for kept in ("chdb", "chdb/store", "device", "meta.sqlite"):
        assert Path("data", kept).stat().st_mode & 0o077 == 0, kept
    assert main(["device", "list"]) == 0
    assert main(["device", "remove", "D1"]) == 0
    out = capfd.readouterr().out
    assert "DUCO_001" in out
    assert main(["device", "remove", "D1"]) == 2
    assert main(["device", "add", "D1", "--tenant", "t1", "--dbc", "bad.dbc"]) == 2
    assert main(["run", "--set", f"web.port={free_port}", "--set", "app.data_dir=other"]) == 2
    assert f"web.port = {free_port}" in capfd.readouterr().err
    assert main(["run", "--set", "web.port=0"]) == 2
    assert str(process.pid) in capfd.readouterr().err
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert main(["device", "list"]) == 0
