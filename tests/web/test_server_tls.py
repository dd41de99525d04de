"""The server with a certificate: its address, what it promises to browsers, and who can speak to it."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest

from duco_rt.config import Web
from duco_rt.errors import ConfigError
from duco_rt.seeing.metrics import Metrics
from duco_rt.tls import client_context, leaf_sha256
from duco_rt.web.health import Health
from duco_rt.web.server import Server, listen, routes
from tests.certificates import Certificates

pytestmark = pytest.mark.servers


def server(config: Web, listening: socket.socket) -> Server:
    """One that tells its health alone."""
    table = routes(Health({}, Metrics()), studio=None, metaapi=None, call=None, static=None)
    return Server(config, listening, table)


async def test_it_serves_by_tls_alone(tmp_path: Path) -> None:
    """To who trusts its authority; plain text is not answered."""
    made = Certificates(tmp_path)
    files = made.server("127.0.0.1")
    config = Web(port=0, cert_file=str(files.cert), key_file=str(files.key))
    with listen(config) as listening:
        serving = server(config, listening)
        await serving.start()
        try:
            assert serving.url == f"https://127.0.0.1:{listening.getsockname()[1]}/"
            assert serving.certificate_sha256 == leaf_sha256(config) != ""
            async with aiohttp.ClientSession() as http:
                trusted = client_context(str(made.ca), "ca")
                async with http.get(f"{serving.url}healthz", ssl=trusted) as response:
                    assert response.status == 200
                for url in (f"{serving.url}healthz", f"http{serving.url.removeprefix('https')}healthz"):
                    with pytest.raises(aiohttp.ClientError):
                        await http.get(url)
        finally:
            await serving.close()


async def test_files_that_do_not_fit(tmp_path: Path) -> None:
    """Nothing is served with them."""
    one, other = Certificates(tmp_path / "1").server("a"), Certificates(tmp_path / "2").server("a")
    config = Web(port=0, cert_file=str(one.cert), key_file=str(other.key))
    with listen(config) as listening, pytest.raises(ConfigError, match=r"web\.key_file"):
        server(config, listening)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("::1", "[::1]"),
    ],
)
def test_where_this_machine_reaches_it(host: str, expected: str) -> None:
    """By loopback where it listens on all addresses."""
    config = Web(port=0, host=host)
    try:
        listening = listen(config)
    except ConfigError:
        if ":" in host and not socket.has_ipv6:
            pytest.skip("this machine has no IPv6")
        raise
    with listening:
        assert server(config, listening).url == f"http://{expected}:{listening.getsockname()[1]}/"
