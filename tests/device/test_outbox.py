"""What is on its way to the hub: the live second first, the spool oldest first, again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from duco_rt.device.outbox import Outbox
from duco_rt.device.spool import Spool
from duco_rt.errors import TransportError
from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import MethodHandler
from tests.device.virtual import until_async


def message(seq: int) -> HubMessage:
    """Return the real-time message of second seq."""
    return HubMessage("D", "vehicle_can", True, seq, seq, "x/y", "identity", b"%d" % seq)


class Steady:
    """A clock that a test sets."""

    now_s = 0.0

    def wall_ms(self) -> int:
        """In ms."""
        return round(self.now_s * 1000)

    def steady_s(self) -> float:
        """In s."""
        return self.now_s


class Link:
    """A hub that is there or not as a test says, and acknowledges when it is told; `seen` is what arrived."""

    def __init__(self) -> None:
        self.seen: list[HubMessage] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.acks_at_once = True
        self.fails: Callable[[HubMessage], bool] = lambda _: False
        self._online = asyncio.Event()
        self._online.set()

    def go(self, online: bool) -> None:
        """Come or go; what is not acknowledged fails."""
        if online:
            self._online.set()
            return
        self._online.clear()
        for future in self.waiting:
            if not future.done():
                future.set_exception(TransportError("connection lost"))
        self.waiting.clear()

    async def run(self, on_method: MethodHandler, on_loss: Callable[[], None]) -> None:
        """Not needed."""

    @property
    def is_online(self) -> bool:
        """As told."""
        return self._online.is_set()

    async def online(self) -> None:
        """As told."""
        await self._online.wait()

    async def send(self, message: HubMessage) -> None:
        """Take it, fail, or wait for the acknowledgement."""
        if not self.is_online or self.fails(message):
            raise TransportError("away")
        self.seen.append(message)
        if not self.acks_at_once:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            await future

    def seqs(self) -> list[int]:
        """What arrived, in order."""
        return [m.seq for m in self.seen]


class Rig:
    """An outbox over a spool and a link."""

    def __init__(self, folder: Path, resend_s: float = 60.0, bytes_max: int = 1_000_000) -> None:
        self.metrics, self.clock, self.link = Metrics(), Steady(), Link()
        self.folder = folder
        self.spool = Spool(folder, "D", bytes_max, self.metrics)
        self.outbox = Outbox(self.link, self.spool, resend_s, self.clock, self.metrics)

    def put(self, *seqs: int) -> None:
        """Hand over the messages of these seconds."""
        self.outbox.put([(self.spool.append(message(seq), self.clock.now_s), message(seq)) for seq in seqs])

    async def until(self, count: int) -> list[int]:
        """Wait for so many arrivals; their seqs."""
        await until_async(lambda: len(self.link.seen) >= count)
        return self.link.seqs()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A fresh one."""
    return Rig(tmp_path / "spool")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are tried again soon."""
    monkeypatch.setattr("duco_rt.device.outbox.backoff_s", lambda _: 0.01)


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run the outbox as long as the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(_run(work))
        yield
        task.cancel()


async def _run(work: Awaitable[None]) -> None:
    await work


async def test_messages_go_in_order_and_drained_waits_for_the_last(rig: Rig) -> None:
    """As they were handed over, real-time ones as such."""
    rig.link.acks_at_once = False
    async with running(rig.outbox.run()):
        rig.put(*range(50))
        assert await rig.until(50) == list(range(50))
        assert all(m.realtime for m in rig.link.seen)
        for future in rig.link.waiting[:-1]:
            future.set_result(None)
        await until_async(lambda: rig.outbox.sent == 49)
        async with asyncio.TaskGroup() as tasks:
            drained = tasks.create_task(rig.outbox.drained())
            await asyncio.sleep(0.02)
            assert not drained.done()
            assert len(rig.outbox) == 1
            rig.link.waiting[-1].set_result(None)
    assert (rig.outbox.sent, len(rig.outbox)) == (50, 0)


async def test_at_most_64_live_ones_are_on_their_way(rig: Rig) -> None:
    """The others wait, and count as not yet sent."""
    rig.link.acks_at_once = False
    async with running(rig.outbox.run()):
        rig.put(*range(64))
        await rig.until(64)
        rig.put(*range(64, 100))
        await asyncio.sleep(0.02)
        assert len(rig.link.seen) == 64
        assert len(rig.outbox) == 100
        rig.link.waiting[5].set_result(None)
        assert (await rig.until(65))[64] == 64


async def test_a_message_is_sent_again_until_the_hub_has_it(rig: Rig) -> None:
    """Each failure is counted; nothing is lost."""
    tries: dict[int, int] = {}

    def fails(sent: HubMessage) -> bool:
        tries[sent.seq] = tries.get(sent.seq, 0) + 1
        return sent.seq == 1 and tries[1] <= 2

    rig.link.fails = fails
    async with running(rig.outbox.run()):
        rig.put(0, 1, 2)
        assert sorted(await rig.until(3)) == [0, 1, 2]
        await asyncio.wait_for(rig.outbox.drained(), 20)
    assert tries == {0: 1, 1: 3, 2: 1}
    assert rig.metrics.value("transport_retries_total", what="hub") == 2


async def test_after_an_absence_the_live_second_goes_first_then_the_oldest(rig: Rig) -> None:
    """What waited is no real-time message any more."""
    rig.link.go(online=False)
    async with running(rig.outbox.run()):
        rig.put(*range(20))
        rig.link.go(online=True)
        rig.put(20)
        assert await rig.until(21) == [20, *range(20)]
    assert [m.realtime for m in rig.link.seen] == [True] + [False] * 20


async def test_the_live_second_does_not_wait_for_the_spool(rig: Rig) -> None:
    """At most 8 of the spool are on their way at once, however many there are."""
    rig.link.acks_at_once = False
    rig.link.go(online=False)
    rig.put(*range(100))
    rig.link.go(online=True)
    async with running(rig.outbox.run()):
        assert await rig.until(8) == list(range(8))
        rig.put(100)
        assert (await rig.until(9))[8] == 100
        await asyncio.sleep(0.02)
        assert len(rig.link.seen) == 9


async def test_what_was_on_its_way_when_the_hub_went_comes_again(rig: Rig) -> None:
    """Oldest first, with all that came meanwhile."""
    rig.link.acks_at_once = False
    async with running(rig.outbox.run()):
        rig.put(0, 1, 2)
        await rig.until(3)
        rig.link.go(online=False)
        rig.put(3)
        await until_async(lambda: rig.metrics.value("transport_retries_total", what="hub") == 3)
        await asyncio.sleep(0.05)
        rig.link.acks_at_once = True
        rig.link.go(online=True)
        assert (await rig.until(7))[3:] == [0, 1, 2, 3]


async def test_resend(rig: Rig) -> None:
    """What the hub took in the last 60 s comes once more, as no real-time message; what is older does not."""
    async with running(rig.outbox.run()):
        rig.put(1)
        await rig.until(1)
        rig.clock.now_s = 61.0
        rig.put(2, 3)
        await rig.until(3)
        await asyncio.wait_for(rig.outbox.drained(), 20)
        rig.outbox.resend()
        assert (await rig.until(5))[3:] == [2, 3]
        await asyncio.wait_for(rig.outbox.drained(), 20)
    assert not any(m.realtime for m in rig.link.seen[3:])
    assert rig.metrics.value("device_resent_total") == 2
    rig.outbox.close()
    assert list(rig.folder.iterdir()) == []


async def test_resend_after_a_long_absence(rig: Rig) -> None:
    """What counts is when the hub went, not when it came back: a broker that was away for long has lost the same."""
    async with running(rig.outbox.run()):
        rig.put(1)
        await rig.until(1)
        await asyncio.wait_for(rig.outbox.drained(), 20)
        rig.link.go(online=False)
        rig.clock.now_s = 500.0
        rig.put(2)
        rig.link.go(online=True)
        rig.outbox.resend()
        assert sorted((await rig.until(3))[1:]) == [1, 2]


async def test_a_link_that_comes_and_goes_resends_each_three_times(rig: Rig) -> None:
    """However often it does: a bad link is not filled with copies."""
    async with running(rig.outbox.run()):
        rig.put(1)
        for n in range(1, 8):
            await rig.until(min(n, 4))
            await asyncio.wait_for(rig.outbox.drained(), 20)
            rig.outbox.resend()
        await asyncio.wait_for(rig.outbox.drained(), 20)
    assert rig.link.seqs() == [1] * 4
    rig.outbox.close()
    assert list(rig.folder.iterdir()) == []


async def test_what_the_bound_took_is_not_waited_for(tmp_path: Path) -> None:
    """A machine that is away for weeks holds no more than its disk does."""
    rig = Rig(tmp_path / "spool", bytes_max=4_000)
    rig.link.go(online=False)
    rig.put(*range(1000))
    assert len(rig.outbox) < 100
    rig.link.go(online=True)
    async with running(rig.outbox.run()):
        await asyncio.wait_for(rig.outbox.drained(), 20)
    assert rig.link.seqs() == list(range(1000 - len(rig.link.seen), 1000))
    assert rig.spool.dropped == 1000 - len(rig.link.seen)


async def test_a_start_sends_what_the_last_run_left(rig: Rig) -> None:
    """A run that was offline, then ended: nothing of it is lost, and it does not wait for the hub at its end."""
    rig.link.go(online=False)
    rig.put(*range(5))
    await asyncio.wait_for(rig.outbox.drained(), 20)
    rig.outbox.close()
    again = Rig(rig.folder)
    async with running(again.outbox.run()):
        again.put(5)
        assert sorted(await again.until(6)) == list(range(6))
        await asyncio.wait_for(again.outbox.drained(), 20)
    again.outbox.close()
    assert list(rig.folder.iterdir()) == []


async def test_nothing_to_drain(rig: Rig) -> None:
    """An empty outbox is drained at once."""
    await asyncio.wait_for(rig.outbox.drained(), 20)
