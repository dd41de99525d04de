"""`top` beside the real program: once for scripts, live in a terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from duco_rt.disk.data_dir import owner_of
from tests.programs import REPO, Program, program

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Program, Path]]:
    """A process with authentication and a watched machine, and its data directory."""
    folder = tmp_path_factory.mktemp("top") / "data"
    async with program(folder, "web.auth=tokens") as started, aiohttp.ClientSession(headers=key_of(folder)) as http:
        assert (await started.start_realtime(http))["status"] == 200
        yield started, folder


def key_of(folder: Path) -> dict[str, str]:
    """The header by which the machine's own commands ask the process that holds a folder."""
    owner = owner_of(folder)
    assert owner is not None
    return {"Authorization": f"Bearer {owner.key}"}


def command(*words: str, folder: Path) -> list[str]:
    """`top` for the process that holds the folder."""
    return [sys.executable, "-m", "duco_rt", "top", *words, "--set", f"app.data_dir={folder}"]


async def run(*words: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `top`."""
    process = await asyncio.create_subprocess_exec(
        *command(*words, folder=folder), cwd=REPO, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def test_once_is_one_table(running: tuple[Program, Path]) -> None:
    """Plain text of the process that holds the folder: its second a second, and no colours."""
    started, folder = running
    code, out, errors = await run("--once", "--every", "5", folder=folder)  # a second may come late, not five
    assert (code, errors) == (0, "")
    assert out.splitlines()[0].strip() == f"READY   {started.url}"
    assert "\x1b" not in out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert rows["device"][2] == "seconds" and 0.3 <= float(rows["device"][1]) <= 2.0
    assert float(rows["live"][1]) > 0.5
    assert rows["process"][2] == "seconds" and rows["load"][1] == "CPU"
    assert "memory" in out and "loop late" in out


async def test_another_process_is_asked_by_its_address(running: tuple[Program, Path], tmp_path: Path) -> None:
    """With a token of a file; without one it is told what is needed."""
    started, folder = running
    code, out, errors = await run("--once", "--url", started.url, folder=tmp_path / "none")
    assert (code, out) == (1, "") and "Authorization" in errors
    (tmp_path / "token").write_text(key_of(folder)["Authorization"].split()[1] + "\n")
    words = ("--once", "--every", "0.2", "--url", started.url, "--token-file", str(tmp_path / "token"))
    code, out, _ = await run(*words, folder=tmp_path / "none")
    assert code == 0 and started.url in out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 1, "nothing runs with app.data_dir = "),
        (("--every", "0"), 2, "--every 0: from 0.2 to 600"),
        (("--url", "localhost:8080"), 2, "--url 'localhost:8080': begins with http"),
        (("--url", "http://127.0.0.1:9/", "--token-file", "no-such"), 2, "--token-file 'no-such': No such file"),
        (("--once", "--url", "http://127.0.0.1:9/"), 1, "the process at http://127.0.0.1:9/: "),
    ],
)
async def test_what_cannot_be_is_one_line(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    """On stderr, with the right exit code."""
    found, out, errors = await run(*words, folder=tmp_path / "none")
    assert (found, out) == (code, "")
    assert errors.startswith(f"duco_rt: {said}") and errors.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (160, 50)])
async def test_live_in_a_terminal(running: tuple[Program, Path], columns: int, lines: int) -> None:
    """It is drawn anew, ends on q, and leaves the terminal as it was."""
    import pty
    import termios

    _, folder = running
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (lines, columns))
    before = termios.tcgetattr(theirs)
    environ = {**os.environ, "TERM": "xterm-256color"}
    process = await asyncio.create_subprocess_exec(
        *command("--every", "0.3", folder=folder), cwd=REPO, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    try:
        drawn = await asyncio.to_thread(_drawn, ours, 4)
        os.write(ours, b"q")
        await asyncio.to_thread(_rest, ours)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(theirs)
        os.close(ours)
    for word in ("READY", "STAGE", "device", "studio", "q quits"):
        assert word in drawn


def _drawn(terminal: int, times: int) -> str:
    """What was drawn until it was drawn so often."""
    text = ""
    while text.count("STAGE") < times:
        text += os.read(terminal, 65536).decode("utf-8", "replace")
    return text


def _rest(terminal: int) -> None:
    """Take what still comes, up to the end of the other screen: a full terminal would hold up the end."""
    text = ""
    while "\x1b[?1049l" not in text:
        text += os.read(terminal, 65536).decode("utf-8", "replace")
