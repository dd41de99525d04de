"""Credentials as MetaAPI last said: one question at a time, bounded, good for an hour while it is away."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from duco_rt.errors import TooMany, TransportError
from duco_rt.rights import Credential
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access import known
from duco_rt.web.access.known import AWAY_S, Known
from duco_rt.web.access.tokens import mint
from tests.web.conftest import SetClock

REFRESH_S = 5.0


class Keeper:
    """What MetaAPI would say; `lets` holds its answers back while it is clear, `is_away` makes it fail."""

    def __init__(self) -> None:
        self.held: dict[str, Credential] = {}
        self.asked: list[str] = []
        self.under_way = 0
        self.most_under_way = 0
        self.is_away = False
        self.lets = asyncio.Event()
        self.lets.set()

    async def credential(self, credential_id: str) -> Credential | None:
        """As it was when it was asked."""
        self.asked.append(credential_id)
        found = self.held.get(credential_id)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.lets.wait()
        finally:
            self.under_way -= 1
        if self.is_away:
            raise TransportError("MetaAPI: away")
        return found

    def new(self, parent: str | None = None) -> Credential:
        """One more, a session where it has a parent."""
        kept, _ = mint("session" if parent else "token", "anna", {"duco": "viewer"}, 0, None, parent)
        self.held[kept.id] = kept
        return kept

    async def add_credential(self, credential: Credential) -> None:
        """Not asked for here."""

    async def tokens(self) -> list[Credential]:
        """Not asked for here."""
        return []

    async def sessions(self, tenant: str | None = None) -> list[Credential]:
        """Not asked for here."""
        return []

    async def remove_grant(self, credential_id: str, tenant: str) -> None:
        """Not asked for here."""

    async def remove_credential(self, credential_id: str) -> None:
        """Forget it."""
        del self.held[credential_id]


@pytest.fixture
def keeper() -> Keeper:
    """Knows nobody yet."""
    return Keeper()


@pytest.fixture
def clock() -> SetClock:
    """Stands still until a test moves it."""
    return SetClock()


@pytest.fixture
def metrics() -> Metrics:
    """Fresh counters."""
    return Metrics()


@pytest.fixture
def asks(keeper: Keeper, clock: SetClock, metrics: Metrics) -> Known:
    """What is tested."""
    return Known(keeper, REFRESH_S, clock, metrics)


async def outcome(asks: Known, credential_id: str) -> Credential | TooMany | None:
    """What comes of a question."""
    try:
        return await asks.credential(credential_id)
    except TooMany as e:
        return e


async def begun(keeper: Keeper, count: int) -> None:
    """Once so many questions were asked in all."""
    async with asyncio.timeout(20):
        while len(keeper.asked) < count:
            await asyncio.sleep(0)


async def test_it_is_asked_again_once_it_is_old(asks: Known, keeper: Keeper, clock: SetClock) -> None:
    """A good one and one that is not known alike; one that was taken back is noticed then."""
    token = keeper.new()
    for _ in range(3):
        assert await asks.credential(token.id) == token
        assert await asks.credential("0" * 16) is None
    assert keeper.asked == [token.id, "0" * 16]
    await keeper.remove_credential(token.id)
    clock.now_s += REFRESH_S - 0.1
    assert await asks.credential(token.id) == token
    clock.now_s += 0.1
    assert await asks.credential(token.id) is None
    assert await asks.credential("0" * 16) is None
    assert len(keeper.asked) == 4


async def test_its_age_begins_with_the_question(asks: Known, keeper: Keeper, clock: SetClock) -> None:
    """An answer that took long is as old as what it says."""
    token = keeper.new()
    keeper.lets.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(asks.credential(token.id))
        await begun(keeper, 1)
        await keeper.remove_credential(token.id)
        clock.now_s += REFRESH_S
        keeper.lets.set()
    assert first.result() == token
    assert await asks.credential(token.id) is None


async def test_many_who_ask_at_once_are_one_question(asks: Known, keeper: Keeper) -> None:
    """Of the same id; where the one who asks goes away, another of them asks."""
    token = keeper.new()
    keeper.lets.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(asks.credential(token.id))
        others = [tasks.create_task(asks.credential(token.id)) for _ in range(20)]
        await begun(keeper, 1)
        others[0].cancel()
        first.cancel()
        await begun(keeper, 2)
        keeper.lets.set()
    assert [other.result() for other in others[1:]] == [token] * 19
    assert keeper.asked == [token.id] * 2


async def test_while_metaapi_is_away(asks: Known, keeper: Keeper, clock: SetClock, metrics: Metrics) -> None:
    """What it confirmed goes on for an hour, asked for again every few seconds; of others nothing can be told."""
    token, unseen = keeper.new(), keeper.new()
    assert await asks.credential(token.id) == token
    keeper.is_away = True
    clock.now_s += AWAY_S - 1
    before = len(keeper.asked)
    for _ in range(3):
        assert await asks.credential(token.id) == token
        with pytest.raises(TransportError) as found:
            await asks.credential(unseen.id)
        assert str(found.value) == "who you are cannot be checked now: MetaAPI does not answer"
    assert keeper.asked[before:].count(token.id) == 1
    assert metrics.value("credentials_from_cache_total") == 1
    clock.now_s += REFRESH_S
    with pytest.raises(TransportError):
        await asks.credential(token.id)
    keeper.is_away = False
    assert await asks.credential(token.id) == token
    assert await asks.credential(unseen.id) == unseen


async def test_why_it_cannot_be_told_is_in_the_log(asks: Known, keeper: Keeper, clock: SetClock) -> None:
    """Where MetaAPI is, for the operator alone: a line a minute, however many ask."""
    keeper.is_away = True
    with capture_logs() as lines:
        for number in range(50):
            with pytest.raises(TransportError):
                await asks.credential(f"{number:016x}")
        assert [line["error"] for line in lines] == ["MetaAPI: away"]
        clock.now_s += 61
        with pytest.raises(TransportError):
            await asks.credential("f" * 16)
    assert len(lines) == 2


async def test_one_that_was_taken_back_here(asks: Known, keeper: Keeper) -> None:
    """It and its sessions are asked for anew at once; an answer that is under way, from before, is not kept."""
    token = keeper.new()
    session, other = keeper.new(parent=token.id), keeper.new()
    for each in (token, session, other):
        assert await asks.credential(each.id) == each
    late = keeper.new(parent=token.id)
    before = keeper.lets
    before.clear()
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(asks.credential(late.id))
        await begun(keeper, 4)
        for each in (token, session, late):
            await keeper.remove_credential(each.id)
        asks.forget(token.id)
        keeper.lets = asyncio.Event()
        keeper.lets.set()
        assert await asks.credential(late.id) is None
        before.set()
    assert asking.result() == late
    for each in (token, session, late):
        assert await asks.credential(each.id) is None
    assert await asks.credential(other.id) == other
    assert keeper.asked.count(other.id) == 1


async def test_guesses_do_not_fill_metaapi(
    asks: Known, keeper: Keeper, clock: SetClock, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few questions about unknown ids at a time, few that wait, the others refused; known ones are asked for always."""
    monkeypatch.setattr(known, "WAITING_MAX", 10)
    token = keeper.new()
    await asks.credential(token.id)
    clock.now_s += REFRESH_S
    keeper.lets.clear()
    async with asyncio.TaskGroup() as tasks:
        guesses = [tasks.create_task(outcome(asks, f"{n:016x}")) for n in range(known.STRANGERS_MAX + 15)]
        await begun(keeper, 1 + known.STRANGERS_MAX)
        good = tasks.create_task(asks.credential(token.id))
        await begun(keeper, 2 + known.STRANGERS_MAX)
        keeper.lets.set()
    assert good.result() == token
    outcomes = [guess.result() for guess in guesses]
    assert keeper.most_under_way == known.STRANGERS_MAX + 1
    assert [type(outcome) for outcome in outcomes].count(TooMany) == 5
    assert metrics.value("credentials_not_asked_total") == 5
    assert outcomes.count(None) == known.STRANGERS_MAX + 10


async def test_who_waits_too_long_is_refused(asks: Known, keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than held until its own client gives up; those whose turn it was are answered."""
    monkeypatch.setattr(known, "WAITING_S", 0.01)
    keeper.lets.clear()
    async with asyncio.TaskGroup() as tasks:
        guesses = [tasks.create_task(outcome(asks, f"{n:016x}")) for n in range(known.STRANGERS_MAX + 2)]
        assert [type(await late) for late in guesses[-2:]] == [TooMany] * 2
        keeper.lets.set()
    assert [guess.result() for guess in guesses[:-2]] == [None] * known.STRANGERS_MAX
    assert await asks.credential("f" * 16) is None


async def test_bounds(asks: Known, keeper: Keeper, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of good ones those go that were not used for longest; guesses push out guesses alone."""
    monkeypatch.setattr(known, "KNOWN_MAX", 3)
    monkeypatch.setattr(known, "UNKNOWN_MAX", 5)
    tokens = [keeper.new() for _ in range(4)]
    for token in (tokens[0], tokens[1], tokens[2], tokens[0], tokens[3]):
        await asks.credential(token.id)
    for n in range(50):
        await asks.credential(f"{n:016x}")
    assert metrics.value("credentials_held") == 3
    assert len(asks._unknown) == 5
    before = len(keeper.asked)
    for token in (tokens[0], tokens[2], tokens[3]):
        await asks.credential(token.id)
    assert len(keeper.asked) == before
    await asks.credential(tokens[1].id)
    assert len(keeper.asked) == before + 1
