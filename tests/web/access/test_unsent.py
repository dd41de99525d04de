"""Clients that take what was written to them, and those that do not, on sockets of this machine."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from duco_rt.web.access import unsent as unsent_module
from duco_rt.web.access.unsent import LOOKS, Unsent


@pytest.fixture
async def pair() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """A transport, and the socket of its client."""
    theirs = socket.socket()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs.connect(listening.getsockname())
        ours, _ = listening.accept()
    theirs.settimeout(20.0)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    yield transport, theirs
    transport.abort()
    theirs.close()


def take(transport: asyncio.Transport, theirs: socket.socket) -> None:
    """The client takes something, and the system has noticed, which it may do later; the loop does not go on."""
    before = unsent_module._waiting_bytes(transport)
    assert theirs.recv(65536)
    until_s = time.monotonic() + 20
    while unsent_module._waiting_bytes(transport) >= before and time.monotonic() < until_s:
        time.sleep(0.001)


async def test_one_that_takes_nothing(pair: tuple[asyncio.Transport, socket.socket]) -> None:
    """Is stuck after so many looks, though more and more is written to it."""
    transport, _ = pair
    unsent = Unsent(transport)
    assert [unsent.is_stuck() for _ in range(3 * LOOKS)] == [False] * 3 * LOOKS  # nothing waits
    found = []
    for _ in range(LOOKS + 1):
        transport.write(b"x" * 8_000_000)
        await asyncio.sleep(0)
        found.append(unsent.is_stuck())
    assert found == [False] * LOOKS + [True]


async def test_one_that_takes_a_little(pair: tuple[asyncio.Transport, socket.socket]) -> None:
    """Once in a while, and from what waits in the system alone, is not."""
    transport, theirs = pair
    unsent = Unsent(transport)
    transport.write(b"x" * 8_000_000)
    await asyncio.sleep(0)
    here = transport.get_write_buffer_size()
    for _ in range(5):
        assert not any(unsent.is_stuck() for _ in range(LOOKS - 1))
        take(transport, theirs)
        assert not unsent.is_stuck()
    assert here - transport.get_write_buffer_size() < 1_000_000


async def test_as_much_again(pair: tuple[asyncio.Transport, socket.socket]) -> None:
    """What was taken between two looks counts, though there is no less then."""
    transport, _ = pair
    unsent = Unsent(transport)
    transport.write(b"x" * 8_000_000)
    for _ in range(5):
        assert not any(unsent.is_stuck() for _ in range(LOOKS - 1))
        unsent.taken()
    transport.abort()
    await asyncio.sleep(0.01)
    assert not any(unsent.is_stuck() for _ in range(2 * LOOKS))
