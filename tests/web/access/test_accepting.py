"""Accepting by hand: whose a connection is, TLS that does not come, and a machine that has no more open files."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from duco_rt.config import Web
from duco_rt.seeing.metrics import Metrics
from duco_rt.tls import client_context
from duco_rt.web.access import accepting, places
from duco_rt.web.access.accepting import Accepting
from duco_rt.web.health import Health
from duco_rt.web.server import Server, listen, routes
from tests.certificates import Certificates
from tests.web.raw import Raw

ELSEWHERE = "127.0.0.2"


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.005)


class Greeter(asyncio.Protocol):
    """Says one word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say it, and close."""
        transport.write(b"hello")  # type: ignore[attr-defined]  # uvloop's is no asyncio.Transport by its class
        transport.close()


class Refusing(socket.socket):
    """A listening socket of a process without a free file, for so many times."""

    times = 2

    def accept(self) -> tuple[socket.socket, object]:
        """As `socket.accept` fails."""
        self.times -= 1
        if self.times >= 0:
            raise OSError(24, "Too many open files")
        return super().accept()


@pytest.mark.servers
async def test_those_who_are_in_come_between_those_who_come() -> None:
    """However many knock at once: a few are let in, then the loop looks at the others."""
    begun = 0

    def begin(_: str) -> asyncio.Protocol:
        nonlocal begun
        begun += 1
        return Greeter()

    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    knocking = [socket.create_connection(listening.getsockname()) for _ in range(60)]
    made, at_once = Accepting(listening, begin, lambda _: None, None, 1.0), [0]
    while begun < len(knocking):
        before = begun
        await asyncio.sleep(0)
        at_once.append(begun - before)
    assert max(at_once) <= 4
    made.close()
    for client in knocking:
        client.close()


@pytest.mark.servers
async def test_no_more_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and tried again in a while: not at full speed, and who waits comes in."""
    monkeypatch.setattr(accepting, "_PAUSE_S", 0.01)
    seen: list[str] = []

    def begin(address: str) -> asyncio.Protocol:
        seen.append(address)
        return Greeter()

    refusing = Refusing(fileno=socket.create_server(("127.0.0.1", 0)).detach())
    url = f"http://127.0.0.1:{refusing.getsockname()[1]}"
    with capture_logs() as lines:
        made = Accepting(refusing, begin, lambda _: None, None, 1.0)
        client = await Raw.open(url, ELSEWHERE)
        assert not await client.ended()
    assert seen == [ELSEWHERE] and refusing.times < 0
    assert ["Too many open files" in line["error"] for line in lines] == [True] * 2
    made.close()
    await until(lambda: refusing.fileno() == -1)
    with pytest.raises(ConnectionRefusedError):
        await Raw.open(url)


@pytest.mark.servers
async def test_a_defect_ends_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not the accepting of all."""
    monkeypatch.setattr(accepting, "_PAUSE_S", 0.01)
    seen: list[str] = []

    def begin(address: str) -> asyncio.Protocol:
        seen.append(address)
        if len(seen) == 1:
            raise KeyError("a defect")
        return Greeter()

    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with capture_logs() as lines:
        made = Accepting(listening, begin, lambda _: None, None, 1.0)
        assert await (await Raw.open(url)).ended()
        assert not await (await Raw.open(url)).ended()
    assert ["a defect" in repr(line["exc_info"]) for line in lines] == [True]
    made.close()
    await until(lambda: listening.fileno() == -1)


@pytest.mark.servers
async def test_silence_instead_of_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts for its address from the beginning, and ends by itself; others come in meanwhile."""
    monkeypatch.setattr(places, "HERE", (ip_network("127.0.0.1/32"),))
    made = Certificates(tmp_path)
    files = made.server("127.0.0.1")
    config = Web(
        port=0,
        cert_file=str(files.cert),
        key_file=str(files.key),
        connections_max=20,
        connections_address_max=2,
        header_timeout_s=2.0,  # a slow machine's handshake as well
    )
    metrics = Metrics()
    table = routes(Health({}, metrics), studio=None, metaapi=None, call=None, static=None)
    with listen(config) as listening:
        server = Server(config, listening, table, metrics=metrics)
        await server.start()
        try:
            silent = [await Raw.open(server.url.rstrip("/"), ELSEWHERE) for _ in range(2)]
            await until(lambda: metrics.value("web_connections") == 2)
            assert await (await Raw.open(server.url.rstrip("/"), ELSEWHERE)).ended()
            assert metrics.value("web_refused_total", why="connections_address") == 1
            async with ClientSession() as http:
                trusted = client_context(str(made.ca), "ca")
                async with http.get(f"{server.url}healthz", ssl=trusted) as response:
                    assert response.status == 200
            for connection in silent:
                assert await connection.ended()
            await until(lambda: metrics.value("web_connections") == 0)
        finally:
            await server.close()
