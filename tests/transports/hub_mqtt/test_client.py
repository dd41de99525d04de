"""Connecting: both versions of the protocol, and attempts that are given up."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Literal

import aiomqtt
import psutil
import pytest

from duco_rt.errors import TransportError
from duco_rt.transports.hub_mqtt.address import tls_context
from duco_rt.transports.hub_mqtt.client import Client, Publication, Session
from duco_rt.transports.hub_mqtt.connection import connected
from tests.servers.deaf import Deaf
from tests.servers.mosquitto import Mosquitto
from tests.servers.server import HOST

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all of these tests."""
    server = Mosquitto(tmp_path_factory.mktemp("broker")).start()
    yield server
    server.kill()


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server that takes connections and never says anything."""
    with socket.create_server((HOST, 0)) as server:
        yield int(server.getsockname()[1])


def sockets() -> set[tuple[int, int]]:
    """This process's TCP sockets, by descriptor and own port: other descriptors come and go with earlier tests."""
    return {(each.fd, each.laddr.port) for each in psutil.Process().net_connections("tcp") if each.laddr}


@pytest.mark.parametrize("version", [4, 5])
async def test_both_versions_of_the_protocol(broker: Mosquitto, version: Literal[4, 5]) -> None:
    """A message goes to the broker and back; 3.1.1 has no reason codes and no properties."""
    session = replace(Session(HOST, broker.port, f"v{version}"), version=version)
    got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    async with connected(session, lambda topic, body, _: got.put_nowait((topic, body))) as connection:
        await connection.subscribe("x/+", qos=1)
        assert await connection.publish(Publication("x/y", b"body"), expiry_s=5) == 0
        assert await asyncio.wait_for(got.get(), 20) == ("x/y", b"body")


async def test_a_server_that_says_nothing(deaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt ends with TransportError that names it, and leaves no socket behind."""
    monkeypatch.setattr("duco_rt.transports.hub_mqtt.client._CONNECT_S", 0.1)
    before = sockets()
    with pytest.raises(TransportError, match=f"{HOST}:{deaf}"):
        async with connected(Session(HOST, deaf, "c"), print):
            pass
    await asyncio.sleep(0)
    assert sockets() <= before


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 50])
async def test_an_attempt_that_is_cancelled(deaf: int, turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever step: no socket is left behind, though a thread made it."""
    loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    monkeypatch.setattr("duco_rt.transports.hub_mqtt.client._CONNECTING", threads)
    await loop.run_in_executor(threads, int)
    before = sockets()

    async def connect() -> None:
        async with connected(Session(HOST, deaf, "c"), print):
            pass

    async with asyncio.TaskGroup() as tasks:
        attempt = tasks.create_task(connect())
        for _ in range(turns):
            await asyncio.sleep(0.0002 if turns < 50 else 0.001)
        attempt.cancel()
    await loop.run_in_executor(threads, int)  # the only thread has done with the attempt
    async with asyncio.timeout(20):
        while not sockets() <= before:
            await asyncio.sleep(0.01)


async def test_an_attempt_that_is_cancelled_while_its_thread_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread's socket is closed as soon as it is there."""
    connect, in_thread, is_cancelled = aiomqtt.Client._client_connect, threading.Event(), threading.Event()

    def slow(self: aiomqtt.Client) -> None:
        in_thread.set()
        is_cancelled.wait(20)
        connect(self)

    monkeypatch.setattr(aiomqtt.Client, "_client_connect", slow)
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.put_nowait(await reader.read())
        writer.close()

    async def attempt() -> None:
        async with connected(Session(HOST, server.sockets[0].getsockname()[1], "c"), print):
            pass

    async with await asyncio.start_server(serve, HOST, 0) as server, asyncio.TaskGroup() as tasks:
        attempting = tasks.create_task(attempt())
        await asyncio.to_thread(in_thread.wait)
        attempting.cancel()
        await asyncio.wait([attempting])
        is_cancelled.set()
        assert await asyncio.wait_for(seen.get(), 20) == b""


async def test_no_server_and_no_name() -> None:
    """TransportError too."""
    for session in (Session(HOST, 1, "c"), Session("name.invalid", 1883, "c"), Session("a" * 70, 1883, "c")):
        with pytest.raises(TransportError, match=session.host):
            async with connected(session, print):
                pass


async def test_brokers_that_do_not_answer_hold_up_no_other_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many devices wait for one: the loop's own threads are free for everybody else."""
    monkeypatch.setattr("duco_rt.transports.hub_mqtt.client._CONNECT_S", 60.0)  # none is given up meanwhile
    async with Deaf() as deaf, asyncio.TaskGroup() as tasks:
        tls = tls_context("", "", "")
        clients = [Client(Session("127.0.0.1", deaf.port, f"c{n}", tls=tls)) for n in range(100)]
        opening = [tasks.create_task(client.open()) for client in clients]
        async with asyncio.timeout(20):
            while len(deaf.taken) < 8:
                await asyncio.sleep(0.01)
            for _ in range(50):
                await asyncio.to_thread(lambda: None)
        assert not any(each.done() for each in opening)
        for each in opening:
            each.cancel()
        for taken in deaf.taken:  # the handshakes end at once
            taken.close()
