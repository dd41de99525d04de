"""The command ledger over HTTP: nothing of it is from a cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_http import HttpMeta
from tests.contracts.test_command_ledger import row, run
from tests.metaapi_server import MetaApiServer
from tests.transports.test_meta_http import fill

pytestmark = pytest.mark.servers


async def test_what_is_asked_is_so_now(tmp_path: Path) -> None:
    """While MetaAPI is away there is no answer: an old one would say more than is known."""
    async with MetaApiServer(tmp_path).running() as server:
        await fill(server)
        meta = HttpMeta(server.url, Metrics())
        done = await run(meta, row())
        assert await meta.commands("D1", 10) == [done]
        assert await meta.acknowledged_ms("D1") == done.answered_ms
        await run(server.meta, row("c2", at=9), "stop")
        assert await meta.acknowledged_ms("D1") is None
    for work in (meta.commands("D1", 10), meta.command("D1", "c1"), meta.acknowledged_ms("D1"), meta.note_commands([])):
        with pytest.raises(TransportError, match="MetaAPI"):
            await work
    await meta.close()


@pytest.mark.parametrize("command_id", ["..", "a/b", "?x=1&y", "#", "%2F", " ", "+", "ü"])
async def test_an_id_of_any_letters(tmp_path: Path, command_id: str) -> None:
    """It finds its own row."""
    async with MetaApiServer(tmp_path).running() as server:
        await fill(server)
        meta = HttpMeta(server.url, Metrics())
        await meta.begin_command(row(command_id))
        assert await meta.command("D1", command_id) == row(command_id)
        await meta.close()
