"""What the benches of the live service share: fields and messages, the publisher, the servers, and the load client.

All blocks: each server, and the client of all viewers, is a process of its own; the bench itself publishes.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from duco_rt.config import Web
from duco_rt.model import Peer
from tests.needs import needs
from tests.programs import REPO
from tests.servers.redis import RedisServer
from tests.servers.server import HOST, Server

FIELDS = [f"signal_{number:03d}" for number in range(200)]
SENT = "sent_ns"
"""A field with the monotonic time of publication, for lists that name it."""

WANTED = 12
LISTS = [[FIELDS[(number * 19 + step * 7) % 200] for step in range(WANTED)] for number in range(10)]
"""10 field lists of 12 of the 200 fields."""

_READY_S = 60.0


def value_of(name: str, seq: int) -> float:
    """The value of a field in a sample: what arrives can be checked."""
    return 1000 + seq % 1000 + int(name[-3:]) / 8


def message(seq: int, *, stats: bool = False) -> bytes:
    """A live message of all fields, as ingest writes it; `stats`: with lowest, highest and number, its default."""
    now_ms = time.time_ns() // 1_000_000
    payload: dict[str, float] = {name: value_of(name, seq) for name in FIELDS}
    payload[SENT] = time.monotonic_ns()
    read: dict[str, object] = {"payload": payload, "ts": now_ms, "seq": seq, "received": now_ms}
    if stats:
        read["stats"] = {name: [payload[name] - 1.5, payload[name] + 1.5, 10] for name in FIELDS}
    return msgspec.json.encode(read)


def path_of(chassis_id: str) -> str:
    """The WebSocket's path for a machine."""
    return f"/api/resources/duco/_common/datasets/{chassis_id}/live?msgType=vehicle_can"


def channel_of(chassis_id: str) -> str:
    """The live channel of a machine."""
    return Peer("duco", chassis_id, "vehicle_can").channel


class Publisher:
    """Publishes samples to Redis; each machine has a seq of its own."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = socket.create_connection((HOST, redis.port))
        self._seqs: dict[str, int] = {}

    def publish(self, chassis_id: str, *, stats: bool = False) -> None:
        """The machine's next sample, now."""
        seq = self._seqs[chassis_id] = self._seqs.get(chassis_id, 0) + 1
        channel, text = channel_of(chassis_id).encode(), message(seq, stats=stats)
        words = b"PUBLISH", channel, text
        self._redis.sendall(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        while not self._redis.recv(1024).endswith(b"\r\n"):
            pass

    def stream(self, chassis_id: str, count: int, rate: float, *, stats: bool = False) -> None:
        """So many samples, `rate` a second, evenly."""
        begun_s = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begun_s + number / rate - time.monotonic()))
            self.publish(chassis_id, stats=stats)


class Studio(Server):
    """`python -m duco_rt` with studio and MetaAPI on Redis Pub/Sub."""

    start_s = _READY_S

    def __init__(self, folder: Path, redis: RedisServer, settings: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self._settings = [
            "app.roles=['studio','metaapi']",
            f"app.data_dir={folder / 'data'}",
            f"web.port={self.port}",
            "live.kind=redis-pubsub",
            f"live.url={redis.url}",
            *settings,
        ]

    def known(self, chassis_id: str) -> None:
        """Tell MetaAPI of a machine: nobody watches one that it does not know."""
        address = f"http://{HOST}:{self.port}/api/metaapi/devices/{chassis_id}"
        body = json.dumps({"tenant": "duco"}).encode()
        with urllib.request.urlopen(urllib.request.Request(address, body, method="PUT")) as answer:
            answer.read()

    def command(self) -> list[str]:
        """With every setting on the command line."""
        words = [word for setting in self._settings for word in ("--set", setting)]
        return ["env", f"PYTHONPATH={REPO}", sys.executable, "-m", "duco_rt", "run", *words]


def patient() -> list[str]:
    """Settings with which a viewer that reads nothing stays: the limits are reached, and never passed on to a close."""
    return ["web.viewer_stall_s=3600"] if "viewer_stall_s" in Web.__struct_fields__ else []


class NaiveNode(Server):
    """The naive server on Node; its packages lie in a cache folder of the user."""

    start_s = _READY_S

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        super().__init__(folder)
        self._program = needs("node")
        self._url = redis.url
        self._source = Path(__file__).parent / "naive_node"

    def installed(self) -> Path:
        """The folder with the packages, installed once. Raises CalledProcessError where npm fails."""
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "duco_rt" / "naive_node"
        folder.mkdir(parents=True, exist_ok=True)
        wanted = (self._source / "package.json").read_bytes()
        mark = folder / "installed.json"
        if not mark.exists() or mark.read_bytes() != wanted:
            (folder / "package.json").write_bytes(wanted)
            npm = [str(needs("npm")), "install", "--no-audit", "--no-fund", "--no-package-lock"]
            subprocess.run(npm, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            mark.write_bytes(wanted)
        shutil.copy(self._source / "server.mjs", folder)
        return folder

    def command(self) -> list[str]:
        """Its own folder's copy of the script, so that the packages are found."""
        return [str(self._program), str(self.installed() / "server.mjs"), str(self.port), self._url]


class Plain(Server):
    """A server of tests.bench.live_plain."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(folder)
        self._kind = kind

    def command(self) -> list[str]:
        """As a module of this repository."""
        return ["env", f"PYTHONPATH={REPO}", sys.executable, "-m", "tests.bench.live_plain", self._kind, str(self.port)]


class LoadClient:
    """A process of tests.bench.live_client: the viewers of one server."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.bench.live_client"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO)

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Have something done; its answer. Raises EOFError where the process failed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps({"do": do, **more}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise EOFError("the load client ended; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def connect(self, server: Server, chassis_id: str, lists: Sequence[Sequence[str]], count: int, **more: Any) -> None:
        """So many viewers, lists by turns. `deflate`: offer it; `small`: with a small receive buffer, not counted."""
        if isinstance(server, Studio):
            server.known(chassis_id)
        self.ask("connect", port=server.port, path=path_of(chassis_id), lists=lists, count=count, **more)

    def all_came(self, frames: int, within_s: float = 20.0) -> dict[str, Any]:
        """Wait until so many frames were counted since the last reset; the report. Raises TimeoutError."""
        end_s = time.monotonic() + within_s
        while (report := self.ask("report"))["frames"] < frames:
            if time.monotonic() > end_s:
                raise TimeoutError(f"{report['frames']} of {frames} frames came, {report['closed']} closed")
            time.sleep(0.02)
        return report

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


@contextmanager
def loaded() -> Iterator[tuple[ExitStack, Path, RedisServer]]:
    """A Redis server and a folder; servers and clients that the stack gets end with the block."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        redis = RedisServer(Path(name) / "redis").start()
        stack.callback(redis.kill)
        yield stack, Path(name), redis


def started(stack: ExitStack, server: Server) -> None:
    """Start a server that ends with the stack."""
    stack.callback(server.kill)
    server.start()


def client(stack: ExitStack) -> LoadClient:
    """A load client that ends with the stack."""
    made = LoadClient()
    stack.callback(made.end)
    return made


def cpu_s(pid: int) -> float:
    """Processor seconds of a process so far, user and system, all threads."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def rss_kib(pid: int) -> float:
    """What of a process is in memory."""
    return float(psutil.Process(pid).memory_info().rss) / 1024


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios of two figures that were taken by turns."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def verdict(reached: bool) -> str:
    """The last column of a table."""
    return "reached" if reached else "MISSED"
