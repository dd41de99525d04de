"""In whose name a command is: the ledger has who signed in, and nobody takes out another user's viewer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from duco_rt.config import Web
from duco_rt.web.ledger import ASKED_BY
from tests.web.conftest import Site, is_error

METHODS = "/api/iothubs/ducohub/devices/DUCO_001/methods"
NUMBERS = count()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """With tokens."""
    async with Site(tmp_path, Web(port=0, auth="tokens")).running() as running:
        yield running


async def send(site: Site, who: Mapping[str, str], action: str, **payload: object) -> tuple[int, Any]:
    """The answer to a command."""
    body = {"action": action, "commandId": f"c{next(NUMBERS)}", **payload}
    return await site.ask("POST", METHODS, {"methodName": "setRealTimeUpload", "payload": body}, headers=who)


async def ledger(site: Site) -> list[str]:
    """Whose commands are in it, the newest first."""
    await site.commands.notes.flush()
    return [row.who for row in await site.meta.commands("DUCO_001", 50)]


async def test_the_ledger_has_who_signed_in(site: Site) -> None:
    """Not what the payload says; the machine is told neither."""
    device = await site.device()
    anna = await site.token("Anna Ö.", duco="operator")
    cookie = {**await site.session_of("admin"), "Origin": site.url}
    assert (await send(site, anna, "start", viewerId="v1", **{ASKED_BY: "boss"}))[0] == 200
    site.clock.now_s += 1
    assert (await send(site, cookie, "stop"))[0] == 200
    assert await ledger(site) == ["admin", "Anna Ö."]
    assert all(ASKED_BY not in call and "boss" not in str(call) for call in device.calls)
    assert device.calls[0]["viewerId"] == "v1"


async def test_another_process_says_for_whom_it_asks(site: Site) -> None:
    """And for whom it does not, it is as before."""
    await site.device()
    studio = await site.token("studio", {"*": "service"})
    for more in ({ASKED_BY: "anna"}, {"viewerId": "v1"}, {"reason": "lease"}, {}):
        site.clock.now_s += 1
        assert (await send(site, studio, "stop", **more))[0] == 200
    assert await ledger(site) == ["anonymous", "cron", "v1", "anna"]
    for wrong in (1, "", "x" * 129):
        assert is_error(await send(site, studio, "start", **{ASKED_BY: wrong}), 400, "bad_request")


async def test_nobody_takes_out_anothers_viewer(site: Site) -> None:
    """The same viewerId of two users is two viewers; the stream ends with the last."""
    device = await site.device()
    anna, ben = await site.token("anna", duco="operator"), await site.token("ben", duco="operator")
    for who in (anna, ben):
        await send(site, who, "start", viewerId="v1")
    assert device.actions() == ["start"]
    for _ in range(2):
        answer = await send(site, ben, "stop", viewerId="v1")
        assert answer[1]["payload"]["source"] == "lease"
    assert device.actions() == ["start"]
    await send(site, anna, "stop", viewerId="v1")
    assert device.actions() == ["start", "stop"]


async def test_a_start_without_a_viewer_is_its_users(site: Site) -> None:
    """And a stop without one stops the machine for everybody, as ever."""
    device = await site.device()
    anna, ben = await site.token("anna", duco="operator"), await site.token("ben", duco="operator")
    await send(site, anna, "start")
    await send(site, ben, "start", viewerId="v1")
    await send(site, ben, "stop", viewerId="v1")
    assert device.actions() == ["start"]
    await send(site, ben, "stop")
    assert device.actions() == ["start", "stop"]
    assert await site.leases.held() == {}


async def test_a_name_that_ends_like_anothers_id(site: Site) -> None:
    """`a` with viewer `b/c` is not `a/b` with viewer `c`."""
    device = await site.device()
    one, two = await site.token("a", duco="operator"), await site.token("a/b", duco="operator")
    await send(site, two, "start", viewerId="c")
    await send(site, one, "stop", viewerId="b/c")
    assert device.actions() == ["start"]
