"""A server program of its own on a free port of loopback: started, killed, started again, ended with its test."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"


_PORTS = range(15_000, 32_000)
"""Below those that the system gives to connections: a server that is started again finds its port free."""


def _own_ports() -> range:
    """Those of this worker of pytest-xdist: a port is bound some time after it was found, or bound anew, and another
    worker must not take it meanwhile."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % workers
    each = len(_PORTS) // workers
    return _PORTS[worker * each : (worker + 1) * each]


_given: set[int] = set()


def free_port(in_a_row: int = 1) -> int:
    """A TCP port of loopback that nobody holds at the moment (the first of several), never given before."""
    own = _own_ports()
    while True:
        port = random.choice(own[: len(own) - in_a_row + 1])
        ports = range(port, port + in_a_row)
        if _given.isdisjoint(ports) and all(map(_is_free, ports)):
            _given.update(ports)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


class Server:
    """The program's port and folder stay the same over restarts. Calls block: in a coroutine use `asyncio.to_thread`.

    A subclass names the program (`command`) and, where an open port is not yet an answer, asks it (`answers`).
    """

    start_s = 30.0

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running program."""
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        """What to run; configuration files may be written here."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def start(self) -> Self:
        """Start it and return when it serves."""
        command = self.command()
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        end_s = time.monotonic() + self.start_s
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > end_s:
                said = (self.folder / "output.log").read_text(errors="replace")[-3000:]
                self.kill()
                raise RuntimeError(f"{command[0]} does not serve on port {self.port}: {said}")
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in order; by force after 10 s."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self.kill()

    def pause(self, on: bool) -> None:
        """Stop it from answering while its connections stay, or let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)
