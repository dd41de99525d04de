"""What is open ends with what let it in."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.rights import ANONYMOUS, Identity
from duco_rt.web.access.watch import Watch, always
from tests.web.conftest import BASE, Site


def identity(credential: str) -> Identity:
    """Somebody with a token."""
    return Identity("anna", "token", {"duco": "viewer"}, credential)


class Doorkeeper:
    """Knows who is good, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bad: set[str] = set()
        self.is_away = False

    async def is_good(self, who: Identity) -> bool:
        """As the test set it."""
        self.asked.append(who.credential)
        if self.is_away:
            raise TransportError("away")
        return who.credential not in self.bad


async def test_each_identity_is_asked_about_once() -> None:
    """However many connections it has; all of them end, and those of others do not."""
    keeper, ended = Doorkeeper(), list[str]()
    watch = Watch(keeper.is_good, 5.0)
    with ExitStack() as stack:
        for name in ("a", "a", "a", "b"):
            stack.enter_context(watch.over(identity(name), lambda name=name: ended.append(name)))  # type: ignore[misc]
        await watch.look()
        assert (sorted(keeper.asked), ended) == (["a", "b"], [])
        keeper.bad.add("a")
        await watch.look()
        assert ended == ["a"] * 3
    assert len(watch) == 0
    await watch.look()
    assert len(keeper.asked) == 4


async def test_who_needs_no_credentials_is_not_asked_about() -> None:
    """The local key's, the monitor's and nobody's do not end before the process."""
    keeper = Doorkeeper()
    watch = Watch(keeper.is_good, 5.0)
    with watch.over(None, print), watch.over(ANONYMOUS, print):
        await watch.look()
    assert keeper.asked == [] and await always(ANONYMOUS)


async def test_nobody_is_put_out_while_it_cannot_be_told() -> None:
    """MetaAPI is away: what is open stays open."""
    keeper, ended = Doorkeeper(), list[str]()
    watch = Watch(keeper.is_good, 5.0)
    keeper.is_away = True
    keeper.bad.add("a")
    with watch.over(identity("a"), lambda: ended.append("a")):
        await watch.look()
        assert ended == []
        keeper.is_away = False
        await watch.look()
        assert ended == ["a"]


@pytest.mark.servers
async def test_a_token_that_is_taken_back_ends_its_websockets(tmp_path: Path) -> None:
    """With 1008, those of its sessions as well; others' go on."""
    web = Web(port=0, auth="tokens", token_refresh_s=0.05)
    async with asyncio.timeout(20), Site(tmp_path, web).running() as site:
        anna, other = await site.token("anna", duco="viewer"), await site.token("other", duco="viewer")
        cookie = {**await site.session_of("viewer"), "Origin": site.url}
        place = f"{BASE}/DUCO_001/live"
        sockets = [await site.session.ws_connect(place, headers=who) for who in (anna, cookie, other)]
        await site.meta.remove_credential(anna["Authorization"].split("_")[1])
        for token in await site.meta.tokens():
            if token.name == "viewer":
                await site.meta.remove_credential(token.id)
        site.clock.now_s += 10
        for socket in sockets[:2]:
            message = await socket.receive()
            assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "signed out")
        await sockets[2].send_json({"type": "INIT_FIELD_LIST", "payload": ["speed"], "ack": True})
        assert (await sockets[2].receive_json())["type"] == "ACK"
        await sockets[2].close()


@pytest.mark.servers
async def test_a_token_that_is_over_ends_its_websockets(tmp_path: Path) -> None:
    """At its end, and not before."""
    web = Web(port=0, auth="tokens", token_refresh_s=0.05)
    async with asyncio.timeout(20), Site(tmp_path, web).running() as site:
        who = await site.token("anna", duco="viewer", ends_ms=site.clock.wall_ms() + 60_000)
        async with site.session.ws_connect(f"{BASE}/DUCO_001/live", headers=who) as socket:
            site.clock.now_s += 61
            assert (await socket.receive()).data == 1008
