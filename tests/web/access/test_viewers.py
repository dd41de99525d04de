"""Who may become a live viewer, and how fast one is read: with the time passed in, and on the running server."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.config import Web
from duco_rt.rights import ANONYMOUS, Identity
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.viewers import Due, Viewers
from tests.web.conftest import Site
from tests.web.live.viewing import LIVE, becomes
from tests.web.raw import Raw

ANNA = Identity("anna", "token", {"a": "viewer"}, "id-anna")
BERT = Identity("bert", "token", {"b": "viewer"}, "id-bert")


def test_seats_are_given_back() -> None:
    """Of a user, and of all; nobody's viewers count for all alone."""
    viewers = Viewers(Web(viewers_max=3, viewers_user_max=1), Metrics())
    with viewers.visit(ANNA, "a"):
        full = viewers.refusal(ANNA, "a")
        assert full is not None and full.status == 429 and full.headers["Retry-After"] == "5"
        assert viewers.refusal(BERT, "b") is None and viewers.refusal(ANONYMOUS, "a") is None
        with viewers.visit(ANONYMOUS, "a"), viewers.visit(ANONYMOUS, "a"):
            full = viewers.refusal(BERT, "b")
            assert full is not None and full.status == 503
    assert viewers.refusal(ANNA, "a") is None and not viewers._of_user and not viewers._of_tenant


def test_a_tenants_seats() -> None:
    """However many tokens it has; other tenants, other processes and this machine have theirs."""
    metrics = Metrics()
    viewers = Viewers(Web(viewers_tenant_max=2), metrics)
    others = [Identity(f"anna{number}", "token", {"a": "viewer"}, f"id-{number}") for number in range(3)]
    with viewers.visit(others[0], "a"), viewers.visit(others[1], "a"):
        full = viewers.refusal(others[2], "a")
        assert full is not None and full.status == 429 and metrics.value("web_refused_total", why="viewers_tenant") == 1
        assert viewers.refusal(BERT, "b") is None and viewers.refusal(ANONYMOUS, "a") is None
    assert viewers.refusal(others[2], "a") is None


@pytest.mark.parametrize("identity", [ANONYMOUS, ANNA, None])
def test_one_viewers_messages(identity: Identity | None) -> None:
    """Two seconds' worth at once, then each a little later than the one before; said once in a stretch."""
    metrics = Metrics()
    with Viewers(Web(messages_per_s_max=10, messages_user_per_s_max=1000), metrics).visit(identity, "a") as pace:
        assert [pace.due(0, 5.0) for _ in range(20)] == [Due(0.0, tell=False)] * 20
        later = [pace.due(0, 5.0) for _ in range(3)]
        assert [due.tell for due in later] == [True, False, False]
        assert [due.wait_s for due in later] == pytest.approx([0.1, 0.2, 0.3])
        assert metrics.value("live_late_messages_total") == 3
        assert pace.due(0, 5.45).wait_s == 0
        assert pace.due(0, 5.45).wait_s > 0 and not pace.due(0, 5.45).tell  # the stretch goes on
        assert pace.due(0, 10.0) == Due(0.0, tell=False)  # it is over
        assert [pace.due(0, 10.0).tell for _ in range(25)].count(True) == 1


def test_a_users_viewers_share() -> None:
    """One that says much slows down its user's others, and nobody else; nobody's share none."""
    viewers = Viewers(Web(messages_per_s_max=100, messages_user_per_s_max=10), Metrics())
    with viewers.visit(ANNA, "a") as one, viewers.visit(ANNA, "a") as other, viewers.visit(BERT, "b") as bert:
        for _ in range(20):
            one.due(0, 0.0)
        assert other.due(0, 0.0).wait_s > 0 and bert.due(0, 0.0).wait_s == 0
        assert one.due(0, 0.0).wait_s > other.due(0, 0.0).wait_s - 0.2
    with viewers.visit(None, "a") as one, viewers.visit(None, "a") as other:
        for _ in range(100):
            one.due(0, 50.0)
        assert other.due(0, 50.0).wait_s == 0


def test_large_messages_count_as_several() -> None:
    """Reading a list of thousands of names takes as long as many short ones."""
    with Viewers(Web(messages_per_s_max=10), Metrics()).visit(None, "a") as pace:
        assert not pace.due(65_536, 0.0).wait_s
        assert pace.due(65_536, 0.0).wait_s == 0 < pace.due(0, 0.0).wait_s


def test_nothing_stays_of_who_left() -> None:
    """As many may come and go as like."""
    viewers = Viewers(Web(), Metrics())
    for _ in range(100):
        with viewers.visit(ANONYMOUS, "a") as pace:
            pace.due(0, 0.0)
    assert len(viewers.of_connections) == 0


@pytest.mark.servers
@pytest.mark.parametrize("ends", ["cut", "closed"])
async def test_who_said_too_much_and_left(ends: str, tmp_path: Path) -> None:
    """What it said would be read for hours: it goes once it is seen to be gone, and its place is free."""
    async with Site(tmp_path, Web(port=0, messages_per_s_max=10)).running() as site:
        connection = await Raw.open(site.url)
        upgrade = "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"
        connection.ask(LIVE, *upgrade, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
        assert (await connection.answer()).status == 101
        connection.send(b"\x89\x80\0\0\0\0" * 100_000)
        await becomes(site, "live_viewers", 1)
        if ends == "cut":
            connection.close()
        else:
            connection.end()
        await becomes(site, "live_viewers", 0)
        await becomes(site, "web_connections", 0)
