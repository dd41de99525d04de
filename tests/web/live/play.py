"""One run of what a plan says: how bad network, store and viewer are, in simulated time."""

from __future__ import annotations

from functools import partial
from random import Random

import msgspec

from duco_rt.web.live.protocol import Wish
from tests.web.live.simulation import FIELDS, SETTLE_S, START, Client, Store, Studio, Viewer, World


class Plan(msgspec.Struct, frozen=True):
    """How bad it gets."""

    seed: int
    seconds: int = 90
    drop: float = 0.1
    double: float = 0.1
    delay_s: float = 0.8
    cut_s: float = 10.0
    lag_s: float = 1.5
    late: float = 0.05
    away: bool = False
    blocks: bool = False
    spool: bool = False


class Play:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng, self.world, self.viewer = Random(plan.seed), World(), Viewer()
        self.store = Store(self.world)
        self.studios = [Studio(self.world, self.store, self.rng) for _ in range(2)]
        self.last = START + plan.seconds + 10
        self.owed: set[int] = set()
        """What the store had of the history that the first connection asked for."""

    def run(self) -> Viewer:
        """Let it all happen; the viewer as it is in the end."""
        if self.plan.away:
            begin = self.rng.uniform(0, self.plan.seconds)
            self.store.away.append((begin, begin + self.rng.uniform(0, 20)))
        for seq in range(START + 1, self.last + 1):
            self._send(seq)
        self.world.at(self.rng.uniform(0, 30), self._connect)
        self.world.run(self.last - START + SETTLE_S)
        return self.viewer

    def _send(self, seq: int) -> None:
        """A second of the machine, on its two ways. The last ten come without trouble."""
        plan, rng = self.plan, self.rng
        at_s = seq - START
        is_bad = at_s <= plan.seconds
        lag_s = rng.uniform(5, 40) if rng.random() < plan.late else rng.uniform(0.2, plan.lag_s)
        self.store.has[seq] = at_s + lag_s
        for studio in self.studios:
            if plan.spool and rng.random() < 0.5:  # an old second, sent after an absence
                self.world.at(at_s + 0.3, partial(studio.publish, seq - rng.randint(610, 900)))
            for _ in range(1 + (is_bad and rng.random() < plan.double)):
                if not (is_bad and rng.random() < plan.drop):
                    delay_s = rng.uniform(0.0, plan.delay_s) if is_bad else 0.05
                    self.world.at(at_s + delay_s, partial(studio.publish, seq))

    def _connect(self) -> None:
        rng, world, plan = self.rng, self.world, self.plan
        client = self.viewer.client = Client(world, self.viewer, rng.uniform(0.001, 0.3))
        client.studio = rng.choice(self.studios)
        since, history_s = self.viewer.newest, rng.choice([None, 20.0, 120.0])
        if since is None:
            history_s = history_s or 20.0
            from_s, now_s = START + world.now_s - history_s + 2, world.now_s
            self.owed = {seq for seq, has_s in self.store.has.items() if has_s <= now_s and seq > from_s}
        client.studio.init(client, Wish(FIELDS, since, history_s))
        if world.now_s < plan.seconds:
            world.at(world.now_s + rng.uniform(0.1, 2 * plan.cut_s), lambda: self._cut(client))
            if plan.blocks:
                world.at(world.now_s + rng.uniform(0, 20), lambda: self._block(client))

    def _block(self, client: Client) -> None:
        client.blocked_until_s = self.world.now_s + self.rng.uniform(0.5, 8.0)
        if self.world.now_s < self.plan.seconds:
            self.world.at(self.world.now_s + self.rng.uniform(8, 30), lambda: self._block(client))

    def _cut(self, client: Client) -> None:
        """What is under way is lost; the server may notice later than the viewer comes back."""
        self.viewer.client = None
        studio, client.studio = client.studio, None
        assert studio is not None
        self.world.at(self.world.now_s + self.rng.uniform(0, 3), lambda: studio.leave(client))
        self.world.at(self.world.now_s + self.rng.uniform(0, 5), self._connect)
