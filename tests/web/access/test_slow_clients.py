"""Connections by hand: too many, too slow, too large, and those that do everything right."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest

from duco_rt.config import Web
from duco_rt.web.access import places
from tests.web.conftest import BASE, Site
from tests.web.live.viewing import LIVE, becomes, pause, publish, receive_until, resume, viewing, watch
from tests.web.live.viewing import narrow as viewing_narrow
from tests.web.raw import Raw, code

pytestmark = pytest.mark.servers  # a web server of its own each

Serve = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A site with these limits."""

    @asynccontextmanager
    async def serving(**limits: object) -> AsyncIterator[Site]:
        async with Site(tmp_path, Web(port=0, **limits)).running() as site:  # type: ignore[arg-type]  # a table's values
            yield site

    return serving


async def opened(site: Site, stack: AsyncExitStack, count: int) -> Sequence[Raw]:
    """So many connections that have not asked anything."""
    found = []
    for number in range(count):
        found.append(await Raw.open(site.url))
        stack.callback(found[-1].close)
        await becomes(site, "web_connections", number + 1)
    return found


async def test_who_waits_longest_makes_room(serve: Serve) -> None:
    """Idle connections, of whoever, never keep others out; one that was used of late stays."""
    async with serve(connections_max=3) as site, AsyncExitStack() as stack:
        first, second, third = await opened(site, stack, 3)
        first.ask("/healthz")
        assert (await first.answer()).status == 200
        new = await Raw.open(site.url)
        stack.callback(new.close)
        new.ask("/healthz")
        assert (await new.answer()).status == 200 and await second.ended()
        assert site.metrics.value("web_connections") == 3 and site.metrics.value("web_cut_total", why="room") == 1
        for connection in (first, third):
            connection.ask("/healthz")
            assert (await connection.answer()).status == 200


async def test_busy_ones_stay_and_one_more_is_told(serve: Serve) -> None:
    """Viewers are not cut for others: who comes then gets 503, and can read it whatever it sends meanwhile."""
    async with serve(connections_max=2) as site, viewing(site, ["a"]), viewing(site, ["a"]):
        extra = await Raw.open(site.url)
        extra.send(b"x" * 300_000)
        answer = await extra.answer()
        assert (answer.status, code(answer), answer.ends) == (503, "too_many_connections", True)
        assert answer.headers["retry-after"] == "1" and await extra.ended()
        assert site.metrics.value("web_refused_total", why="connections") == 1
        assert site.metrics.value("web_connections") == 2
    await asyncio.sleep(0)


async def test_room_is_given_back(serve: Serve) -> None:
    """However a connection ends, its place is free again."""
    async with serve(connections_max=50) as site, AsyncExitStack() as stack:
        for connection in await opened(site, stack, 20):
            connection.send("GET / HT")
            connection.close()
        async with viewing(site, ["a"]):
            pass
        await becomes(site, "web_connections", 0)
        assert not site.metrics.value("web_refused_total", why="connections")


@pytest.mark.parametrize("sent", ["", "G", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n"])
async def test_a_head_that_does_not_come(serve: Serve, sent: str) -> None:
    """A connection that asks nothing whole in time is closed, without a word."""
    async with serve(header_timeout_s=0.1) as site:
        slow = await Raw.open(site.url)
        slow.send(sent)
        assert await slow.ended() and site.metrics.value("web_cut_total", why="head") == 1


async def test_a_later_head_has_as_long(serve: Serve) -> None:
    """From its first byte; until then a connection may be idle longer, and one that is asked for work is not cut."""
    async with serve(header_timeout_s=0.5, idle_timeout_s=60.0) as site, viewing(site, ["a"]) as socket:
        connection = await Raw.open(site.url)
        for _ in range(3):
            connection.ask("/healthz")
            assert (await connection.answer()).status == 200
            await asyncio.sleep(0.6)  # longer than a head may take
        connection.send("GET /healthz")
        assert await connection.ended()
        await socket.send_json({"type": "STATUS"})
        assert (await socket.receive_json())["type"] == "STATUS"


async def test_idle_connections_end(serve: Serve) -> None:
    """Between requests, after `idle_timeout_s`."""
    async with serve(idle_timeout_s=1.0) as site:  # the first request has to come within it, too
        connection = await Raw.open(site.url)
        connection.ask("/healthz")
        assert (await connection.answer()).status == 200
        assert await connection.ended()


HEADS: dict[str, tuple[str, int, str]] = {
    "field too large": (f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 2000}\r\n\r\n", 431, "head_too_large"),
    "line too large": (f"GET /{'x' * 2000} HTTP/1.1\r\nHost: localhost\r\n\r\n", 431, "head_too_large"),
    "too many fields": ("GET / HTTP/1.1\r\n" + "X: 1\r\n" * 200 + "\r\n", 431, "head_too_large"),
    "no HTTP": ("\x16\x03\x01 what a TLS client says\r\n\r\n", 400, "bad_request"),
    "two lengths": ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
    "length and chunks": (
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
async def test_bad_heads(serve: Serve, case: str, caplog: pytest.LogCaptureFixture) -> None:
    """An error of our own form, the end of the connection, and no line in the log: a stranger could fill it."""
    sent, status, expected = HEADS[case]
    async with serve(header_bytes_max=1024) as site:
        connection = await Raw.open(site.url)
        connection.send(sent)
        answer = await connection.answer()
        assert (answer.status, code(answer), answer.ends) == (status, expected, True)
        assert site.metrics.value("web_refused_total", why="head") == 1 and not caplog.records


async def test_a_head_in_many_fields(serve: Serve) -> None:
    """Fields that are each small enough do not add up beyond four times the limit while the head is not complete."""
    async with serve(header_bytes_max=1024) as site:
        connection = await Raw.open(site.url)
        connection.send("GET / HTTP/1.1\r\n")
        for number in range(6):
            await asyncio.sleep(0.01)  # each a piece of its own
            connection.send(f"X-{number}: {'x' * 900}\r\n")
        answer = await connection.answer()
        assert (answer.status, code(answer), answer.ends) == (431, "head_too_large", True)


def narrow(site: Site) -> socket.socket:
    """A client's socket that takes little of an answer at once."""
    host, _, port = site.url.rpartition("/")[2].partition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.setblocking(False)
    return client


LARGE = b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_who_takes_nothing_is_cut(serve: Serve) -> None:
    """Answers that nobody reads hold no place."""
    async with serve(write_timeout_s=0.1) as site:
        with narrow(site) as client:
            await asyncio.get_running_loop().sock_sendall(client, LARGE * 400)
            await becomes(site, "web_cut_total", 1, why="write")
            await becomes(site, "web_connections", 0)


async def test_who_takes_it_slowly_is_not(serve: Serve) -> None:
    """As long as something is taken all the time."""
    async with serve(write_timeout_s=0.4) as site:
        with narrow(site) as client:
            loop, taken = asyncio.get_running_loop(), 0
            await loop.sock_sendall(client, LARGE * 400)
            until_s = loop.time() + 1.6  # four times as long
            while loop.time() < until_s:
                taken += len(await loop.sock_recv(client, 65536))
                await asyncio.sleep(0.01)
            assert taken and site.metrics.value("web_cut_total", why="write") == 0


async def test_a_viewer_has_its_own_limit(serve: Serve) -> None:
    """One that takes nothing lags, for `viewer_stall_s`, and goes on then."""
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(serve(write_timeout_s=0.05))
        session = await stack.enter_async_context(viewing_narrow(site))
        viewer = await stack.enter_async_context(session.ws_connect(LIVE))
        await watch(site, viewer, ["a"])
        pause(viewer)
        for seq in range(1, 40):
            await publish(site, {"a": "x" * 100_000}, seq)
            await asyncio.sleep(0)
        await becomes(site, "live_lagging", 1)
        await asyncio.sleep(0.2)  # several looks
        assert site.metrics.value("web_cut_total", why="write") == 0
        resume(viewer)
        assert (await receive_until(viewer, 39))[-1]["seq"] == 39


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of this machine that counts as another's."""
    monkeypatch.setattr(places, "HERE", (ip_network("127.0.0.1/32"),))
    return "127.0.0.2"


async def test_one_address(serve: Serve, elsewhere: str) -> None:
    """Has its number and no more; others come in beside it, and it as soon as one of its own has gone."""
    async with serve(connections_address_max=2) as site:
        first, second = [await Raw.open(site.url, elsewhere) for _ in range(2)]
        await becomes(site, "web_connections", 2)
        third = await Raw.open(site.url, elsewhere)
        answer = await third.answer()
        assert (answer.status, code(answer), answer.ends) == (429, "too_many_connections", True)
        other = await Raw.open(site.url)
        await becomes(site, "web_connections", 3)  # it is there, lest it be counted for the first below
        first.close()
        await becomes(site, "web_connections", 2)
        for connection in (second, other, await Raw.open(site.url, elsewhere)):
            connection.ask("/healthz")
            assert (await connection.answer()).status == 200
        assert site.metrics.value("web_refused_total", why="connections_address") == 1


async def test_the_last_places_are_for_this_machine(serve: Serve, elsewhere: str) -> None:
    """Where all others are at work, who runs the server still comes in."""
    connector = aiohttp.TCPConnector(local_addr=(elsewhere, 0))
    async with serve(connections_max=8) as site, AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(site.url, connector=connector))
        for _ in range(7):
            await stack.enter_async_context(session.ws_connect(LIVE))
        answer = await (await Raw.open(site.url, elsewhere)).answer()
        assert (answer.status, code(answer)) == (503, "too_many_connections")
        assert (await site.ask("GET", "/healthz"))[0] == 200


async def test_expecting_something(serve: Serve) -> None:
    """Other than 100-continue gets an error of our own form."""
    async with serve() as site:
        for path in ("/healthz", "/nowhere"):
            connection = await Raw.open(site.url)
            connection.ask(path, "Expect: a miracle")
            answer = await connection.answer()
            assert (answer.status, code(answer)) == (417, "expectation_failed")
            connection.close()


async def test_large_bodies_are_no_heads(serve: Serve) -> None:
    """A body that comes with its head, or requests one behind the other, are none of that."""
    async with serve(header_bytes_max=1024) as site:
        connection = await Raw.open(site.url)
        connection.ask(f"{BASE}/_groups", f"Content-Length: {100_000}", method="POST")
        connection.send(b"x" * 100_000)
        assert (await connection.answer()).status == 400
        for _ in range(50):
            connection.ask("/healthz", f"X: {'x' * 900}")
        for _ in range(50):
            assert (await connection.answer()).status == 200
        connection.ask(f"{BASE}/_groups/none", f"Content-Length: {50_000}", method="DELETE")
        assert (await connection.answer()).status == 404  # nobody read that body
        connection.send(b"x" * 50_000)
        assert await connection.ended()
