"""Checkpoints and ownerships in Redis: the promises of test_checkpoints, and one clock for all."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from duco_rt.errors import TransportError
from duco_rt.transports.hub_iothub.checkpoints import named
from duco_rt.transports.hub_iothub.checkpoints_redis import RedisCheckpoints
from tests.servers.redis import RedisServer
from tests.transports.hub_iothub.test_checkpoints import NAMES, checkpoints_go_forwards, claims_exclude_each_other

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests."""
    started = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield started
    started.kill()


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisCheckpoints]:
    """With an empty server."""
    opened = RedisCheckpoints(server.url)
    await opened._client.execute("empty", "FLUSHALL")
    yield opened
    await opened.close()
    await opened.close()


async def test_claims_exclude_each_other(store: RedisCheckpoints) -> None:
    """One partition, one reader."""
    await claims_exclude_each_other(store)


async def test_checkpoints_go_forwards(store: RedisCheckpoints) -> None:
    """Never back."""
    await checkpoints_go_forwards(store)


async def test_an_ownerships_age_is_the_servers(store: RedisCheckpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is an hour late sees the same age as the others."""
    await store.claim_ownership([named(*NAMES, "0", {"owner_id": "A"})])
    late_s = time.time() - 3600
    monkeypatch.setattr("duco_rt.transports.hub_iothub.checkpoints_redis.time.time", lambda: late_s)
    (row,) = await store.list_ownership(*NAMES)
    assert abs(row["last_modified_time"] - late_s) < 60


async def test_a_server_that_is_away() -> None:
    """TransportError names it."""
    store = RedisCheckpoints("redis://127.0.0.1:1")
    with pytest.raises(TransportError, match=r"redis://127\.0\.0\.1:1"):
        await store.list_ownership(*NAMES)
    await store.close()
