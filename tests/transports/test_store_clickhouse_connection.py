"""One connection: what ends a call early ends it, TLS, and the driver's protocol."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from asynch.proto import constants

from duco_rt.errors import TransportError
from duco_rt.transports.store_clickhouse_connection import Address, Connection
from duco_rt.transports.store_native import blob, block, numbers
from tests.needs import needs
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.server import HOST

pytestmark = pytest.mark.servers


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return key and certificate of 127.0.0.1, its own authority."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    what = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [str(needs("openssl")), *what, f"subjectAltName=IP:{HOST}", *files]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """Speaks plain and TLS."""
    folder = tmp_path_factory.mktemp("clickhouse")
    server = ClickHouseServer(folder / "server", certificate=make_certificate(folder)).start()
    yield server
    server.kill()


@pytest.fixture
async def connection(server: ClickHouseServer) -> AsyncIterator[Connection]:
    """A connection, and a table `t` of a number and a string."""
    server.query("DROP TABLE IF EXISTS default.t")
    server.query("CREATE TABLE default.t (i Int64, s String) ENGINE = Log")
    connection = Connection(Address(HOST, server.port, False, "default", "", ""))
    await connection.open()
    yield connection
    connection.abort()


def rows(*ints: int) -> bytes:
    """Return a block of rows of table `t`."""
    return block(len(ints), {"i": ("Int64", numbers("Int64", ints)), "s": ("String", blob(b"\xff\0") * len(ints))})


def test_blocks_are_those_of_the_drivers_protocol() -> None:
    """From revision 54454 on they have a byte more a column: a newer asynch needs a change here."""
    assert constants.CLIENT_REVISION < 54454


async def test_blocks_go_in_and_columns_come_out(connection: Connection) -> None:
    """Any number of blocks, one call after the other; any bytes."""
    await connection.insert("default.t", [rows(1, 2), rows(3)], 5)
    await connection.insert("default.t", [], 5)
    answer = await connection.query("SELECT *, [i, i] AS a, emptyArrayString() AS e FROM default.t ORDER BY i", 5)
    assert answer["i"].tolist() == [1, 2, 3]
    assert answer["s"] == [b"\xff\0"] * 3
    assert (answer["a"].tolist(), answer["a.size"].tolist()) == ([1, 1, 2, 2, 3, 3], [2, 2, 2])
    assert (answer["e"], answer["e.size"].tolist()) == ([], [0, 0, 0])
    assert await connection.query("SELECT * FROM default.t WHERE i = 9", 5) == {}
    assert connection.is_open and await connection.answers()


async def test_long_strings_are_bytes(connection: Connection) -> None:
    """Also those that come in several pieces, which the driver makes bytearrays of."""
    long = [bytes([i]) * 300_000 for i in range(20)]
    data = block(len(long), {"i": ("Int64", numbers("Int64", range(20))), "s": ("String", b"".join(map(blob, long)))})
    await connection.insert("default.t", [data], 5)
    answer = await connection.query("SELECT s FROM default.t", 5)
    assert answer["s"] == long
    assert {type(value) for value in answer["s"]} == {bytes}


def _broken() -> Iterator[bytes]:
    yield rows(1)
    raise TransportError("store: no block")


@pytest.mark.parametrize(
    ("work", "text"),
    [
        (lambda c: c.query("SELECT * FROM default.none", 5), r"store: clickhouse [\d.]+:\d+: Code: 60\. [^\n]*\Z"),
        (lambda c: c.query("SELECT toDate(1) AS d", 5), "KeyError: 'Date'"),
        (lambda c: c.query("SELECT sleep(2)", 0.1), r"no answer within 0\.1 s"),
        (lambda c: c.insert("default.none", [], 5), "Code: 60"),
        (lambda c: c.insert("default.t", [rows(5), block(1, {"i": ("None", b"")})], 5), "Code: 50"),
        (lambda c: c.insert("default.t", _broken(), 5), "no block"),
    ],
)
async def test_an_error_ends_the_connection(
    connection: Connection, work: Callable[[Connection], Awaitable[object]], text: str
) -> None:
    """The server's, of the blocks, in time: what comes next on it could be the rest of this call."""
    with pytest.raises(TransportError, match=text):
        await work(connection)
    assert not connection.is_open
    assert not await connection.answers()
    connection.abort()


async def test_patience_is_with_each_step(connection: Connection) -> None:
    """A call may take longer than the server may be silent."""
    began = time.monotonic()
    answer = await connection.query("SELECT sleep(0.4) AS s FROM system.numbers LIMIT 16384", 2.0)  # 8 blocks
    assert len(answer["s"]) == 16384
    assert time.monotonic() - began > 2.5


@pytest.mark.parametrize("statement", ["SELECT count() FROM", "SELECT number, number FROM"])
async def test_cancelled_in_the_middle(connection: Connection, server: ClickHouseServer, statement: str) -> None:
    """The connection is closed at once, and the server stops the query, whether it has answered a part or nothing."""
    running = "SELECT count() FROM system.processes WHERE interface = 1"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await connection.query(f"{statement} system.numbers", 5)
    assert not connection.is_open
    while await asyncio.to_thread(server.query, running) != "0\n":
        await asyncio.sleep(0.02)


async def test_over_tls(server: ClickHouseServer, tmp_path: Path) -> None:
    """The server's certificate must be of an authority that is trusted."""
    authority = server.folder.parent / "cert.pem"
    connection = Connection(Address(HOST, server.tls_port, True, "default", "", str(authority)))
    await connection.open()
    assert (await connection.query("SELECT toInt64(7) AS i", 5))["i"].tolist() == [7]
    connection.abort()
    for ca_file, text in [("", "certificate verify failed"), (str(tmp_path / "none.pem"), "No such file")]:
        with pytest.raises(TransportError, match=f"cannot connect: .*{text}"):
            await Connection(Address(HOST, server.tls_port, True, "default", "", ca_file)).open()
