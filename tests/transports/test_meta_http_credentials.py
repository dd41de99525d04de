"""A MetaAPI that asks who it is: the service's token, what is said where it is wrong, and whom it is given to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from duco_rt.adapters_meta import open_meta
from duco_rt.config import Config, MetaStore, Web
from duco_rt.disk.data_dir import Owner
from duco_rt.errors import Conflict, TransportError
from duco_rt.model import Device
from duco_rt.rights import Role, token_text
from duco_rt.seeing.metrics import Metrics
from duco_rt.tls import client_context, leaf_sha256
from duco_rt.transports.base_data import Meta
from duco_rt.transports.meta_http import HttpMeta
from duco_rt.transports.meta_http_client import Trust
from duco_rt.web.access.tokens import mint
from tests.certificates import Certificates
from tests.metaapi_server import KEY, MetaApiServer
from tests.servers.server import free_port
from tests.transports.test_meta_http import ONE, fill

pytestmark = pytest.mark.servers

TOKENS = Web(auth="tokens")


async def token(server: MetaApiServer, role: Role = "service", tenant: str = "*") -> str:
    """The text of a new one."""
    kept, text = mint("token", "studio", {tenant: role}, time.time_ns() // 1_000_000, None)
    await server.meta.add_credential(kept)
    return text


@asynccontextmanager
async def asking(url: str, trust: Trust | None = None) -> AsyncIterator[HttpMeta]:
    """Another process that asks MetaAPI."""
    meta = HttpMeta(url, Metrics(), trust=trust)
    try:
        yield meta
    finally:
        await meta.close()


WORKS: dict[str, Callable[[HttpMeta], Awaitable[object]]] = {
    "devices": lambda meta: meta.devices(),
    "a device": lambda meta: meta.device("D1"),
    "presence": lambda meta: meta.check(),
    "groups": lambda meta: meta.groups("duco"),
    "a change": lambda meta: meta.put_device(Device("D2", "duco", "")),
    "the ledger": lambda meta: meta.acknowledged_ms("D1"),
    "credentials": lambda meta: meta.credential("0" * 16),
    "tokens": lambda meta: meta.tokens(),
    "tenants of a parsing": lambda meta: meta.parsing_tenants("p"),
}


async def test_a_service_is_let_in(tmp_path: Path) -> None:
    """To everything that the other roles ask for."""
    async with MetaApiServer(tmp_path, web=TOKENS).running() as server:
        await fill(server)
        async with asking(server.url, Trust(await token(server))) as meta:
            for work in WORKS.values():
                await work(meta)
            assert await meta.connected("duco") == {"D1": False, "D2": False}
            (listed,) = await meta.tokens()
            assert listed.digest == "" and listed.grants == {"*": "service"}
            taken = mint("session", "x", {"duco": "viewer"}, 0, None)[0]
            await meta.add_credential(taken)
            with pytest.raises(Conflict):
                await meta.add_credential(taken)


@pytest.mark.parametrize("case", ["none", "wrong", "low"])
async def test_one_that_is_not_let_in(tmp_path: Path, case: str) -> None:
    """MetaAPI counts as away, never as knowing nothing; the words say which key to set, and not what it is."""
    async with MetaApiServer(tmp_path, web=TOKENS).running() as server:
        await fill(server)
        text = {"none": "", "wrong": token_text("0" * 16, "s" * 43), "low": await token(server, "viewer")}[case]
        said = {"none": "meta.token is not set", "wrong": "meta.token is not one that is good there"}
        refused = ("a change", "the ledger", "credentials", "tokens", "tenants of a parsing")
        async with asking(server.url, Trust(text)) as meta:
            for name, work in WORKS.items():
                if case == "low" and name not in refused:
                    await work(meta)
                    continue
                with pytest.raises(TransportError) as caught:
                    await work(meta)
                assert said.get(case, "meta.token is not enough there") in str(caught.value)
                assert "s" * 43 not in str(caught.value)


async def test_the_token_goes_to_metaapi_alone() -> None:
    """One that sends elsewhere is no MetaAPI: what asks it follows to nowhere."""
    seen: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    application = web.Application()
    application.router.add_route("*", "/{any:.*}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    try:
        async with asking(f"http://127.0.0.1:{port}", Trust("secret")) as meta:
            for work in (WORKS["devices"], WORKS["a change"], WORKS["credentials"]):
                with pytest.raises(TransportError):
                    await work(meta)
    finally:
        await runner.cleanup()
    assert len(seen) == 3 and "/elsewhere" not in seen


async def test_over_tls(tmp_path: Path) -> None:
    """The authority of `meta.ca_file` is trusted, for the name that was asked for; no other one, and no token goes."""
    own, other = Certificates(tmp_path / "own"), Certificates(tmp_path / "other")
    files = own.server("127.0.0.1")
    tls = Web(auth="tokens", cert_file=str(files.cert), key_file=str(files.key))
    async with MetaApiServer(tmp_path, web=tls).running() as server:
        assert server.url.startswith("https://127.0.0.1:")
        await fill(server)
        text = await token(server)
        async with asking(server.url, Trust(text, client_context(str(own.ca), "meta.ca_file"))) as meta:
            assert await meta.device("D1") == ONE
        named = server.url.replace("127.0.0.1", "localhost")
        for url, ca in ((server.url, str(other.ca)), (server.url, ""), (named, str(own.ca))):
            async with asking(url, Trust(text, client_context(ca, "meta.ca_file"))) as meta:
                with pytest.raises(TransportError, match="certificate verify failed"):
                    await meta.device("D1")


@pytest.mark.parametrize("kind", ["http", "the holder"])
async def test_what_the_configuration_says_is_used(tmp_path: Path, kind: str) -> None:
    """`meta.token` and `meta.ca_file`; or the key and the certificate of the process that holds the folder."""
    own = Certificates(tmp_path / "own")
    files = own.server("127.0.0.1")
    tls = Web(auth="tokens", cert_file=str(files.cert), key_file=str(files.key))
    async with MetaApiServer(tmp_path, web=tls).running() as server, AsyncExitStack() as stack:
        await fill(server)
        config, owner = Config(), None
        if kind == "http":
            remote = MetaStore(kind="http", url=server.url, token=await token(server), ca_file=str(own.ca))
            config = Config(meta=remote)
        else:
            owner = Owner(server.url, KEY, leaf_sha256(tls))
        meta: Meta = await open_meta(config, tmp_path / "nowhere", stack, owner=owner)
        assert await meta.device("D1") == ONE
        assert await meta.parsing_tenants("p")
        assert not (tmp_path / "nowhere").exists()


async def test_a_holder_that_does_not_take_the_key(tmp_path: Path) -> None:
    """The words name the lock file, not a key of the configuration."""
    async with MetaApiServer(tmp_path, web=TOKENS).running() as server, AsyncExitStack() as stack:
        meta = await open_meta(Config(), tmp_path, stack, owner=Owner(server.url, "x" * 43))
        with pytest.raises(TransportError, match="the key in the data directory's lock file is not one that is good"):
            await meta.devices()


def test_what_is_shown_of_it() -> None:
    """Not the token."""
    assert "secret" not in repr(Trust("secret"))
