"""How a Redis server is reached: quickly or not at all, with a password, by TLS."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.transports.redis_client import CALL_S, RedisClient
from tests.needs import needs
from tests.servers.redis import RedisServer
from tests.servers.server import HOST, free_port

pytestmark = pytest.mark.servers

PASSWORD = "no secret: of this test"
AT_ONCE_S = 0.9 * CALL_S
"""Less than a call takes that waits for an answer."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with a password."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD).start()
    yield server
    server.kill()


async def refused(client: RedisClient, at_most_s: float) -> str:
    """What a check says that fails in time."""
    begun_s = time.monotonic()
    with pytest.raises(TransportError) as caught:
        await client.check()
    assert time.monotonic() - begun_s < at_most_s
    await client.close()
    return str(caught.value)


async def test_the_password_opens_the_server(server: RedisServer) -> None:
    """With or without the default user's name; without it or with a wrong one the error says so, and hides it."""
    for user in ("", "default"):
        client = RedisClient(server.url, user=user, password=PASSWORD)
        await client.check()
        await client.close()
    assert "Authentication required" in await refused(RedisClient(server.url), AT_ONCE_S)
    said = await refused(RedisClient(server.url, password="wrong one"), AT_ONCE_S)
    assert server.url in said
    assert "invalid username-password" in said
    assert "wrong one" not in said


async def test_a_server_that_is_away_is_told_at_once() -> None:
    """No retry: the caller has a policy of its own."""
    port = free_port()
    said = await refused(RedisClient(f"redis://user:secret@{HOST}:{port}"), AT_ONCE_S)
    assert said.startswith(f"redis://{HOST}:{port}: ping: ")
    assert "secret" not in said


async def test_a_server_that_hangs_is_told_in_time(server: RedisServer) -> None:
    """Its connections stay, but nothing is answered, old connection or new; then all works again."""
    old, new = (RedisClient(server.url, password=PASSWORD) for _ in range(2))
    await old.check()
    server.pause(True)
    try:
        said = await asyncio.gather(refused(old, CALL_S + 2), refused(new, CALL_S + 2))
    finally:
        server.pause(False)
    assert all("ping: no answer in time" in text for text in said)
    await old.check()
    await old.close()
    await old.close()


async def test_the_pool_outlives_the_server(tmp_path: Path) -> None:
    """The first call after its return succeeds, be there connections from before."""
    server = RedisServer(tmp_path).start()
    client = RedisClient(server.url)
    try:
        await asyncio.gather(*(client.execute("test", "PING") for _ in range(5)))
        server.kill()
        await refused(client, AT_ONCE_S)
        await asyncio.to_thread(server.start)
        await asyncio.gather(*(client.execute("test", "PING") for _ in range(5)))
    finally:
        await client.close()
        server.kill()


async def test_a_call_that_was_cut_short_confuses_no_other(server: RedisServer) -> None:
    """The answer that still comes is nobody's."""
    client = RedisClient(server.url, password=PASSWORD)
    for i in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(i * 1e-4):
                while True:
                    await client.execute("test", "ECHO", "cut short")
        assert await client.execute("test", "ECHO", i) == b"%d" % i
    await client.close()


async def test_many_calls_at_once_share_a_few_connections(server: RedisServer) -> None:
    """They wait for each other instead of failing."""
    client = RedisClient(server.url, password=PASSWORD)
    answers = await asyncio.gather(*(client.execute("test", "ECHO", i) for i in range(200)))
    assert answers == [b"%d" % i for i in range(200)]
    assert 2 <= len((await client.execute("test", "CLIENT", "LIST")).splitlines()) <= 17
    await client.close()


async def test_tls_checks_the_certificate(tmp_path: Path) -> None:
    """By the authority that is named; an unknown one is refused, with the reason."""
    await asyncio.to_thread(_certificate, tmp_path)
    port = free_port()
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(tmp_path / "cert.pem"),
        "tls-key-file": str(tmp_path / "key.pem"),
        "tls-auth-clients": "no",
    }
    server = RedisServer(tmp_path / "redis", options=options).start()
    try:
        client = RedisClient(f"rediss://{HOST}:{port}", ca_file=str(tmp_path / "cert.pem"))
        await client.check()
        async with client.connection("test") as connection:
            await connection.send_command("ECHO", "by TLS")
            assert await connection.read_response() == b"by TLS"
        await client.close()
        assert "certificate verify failed" in await refused(RedisClient(f"rediss://{HOST}:{port}"), AT_ONCE_S)
        missing = RedisClient(f"rediss://{HOST}:{port}", ca_file=str(tmp_path / "missing.pem"))
        assert "No such file" in await refused(missing, AT_ONCE_S)
    finally:
        server.kill()


def _certificate(folder: Path) -> None:
    words = (
        f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
        f"-addext subjectAltName=IP:{HOST} -keyout key.pem -out cert.pem"
    )
    subprocess.run([needs("openssl"), *words.split()], cwd=folder, check=True, capture_output=True)
