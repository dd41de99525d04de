"""One second of raw CAN becomes a sample: last values and spans. Pure.

Messages of several frames may begin in one second and end in the next, so what is open at a second's end is kept for
the second that follows it. It is kept by position: a second that comes again gives the same sample again, and one that
came before its predecessor is known, so that it can be parsed again.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from contextlib import suppress

from duco_rt.body import CanSecond
from duco_rt.model import Peer, Sample
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN, Open, is_same
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.spans import spans
from duco_rt.pipeline.decoding.whole import Slice, whole_slices

_SECONDS_MAX = 64
_PEERS_MAX = 100_000
_NO_SECONDS: Mapping[int, Open] = {}


class Problems(Counter[str]):
    """Bad input by kind; `why` says what was wrong with the last unread body."""

    why: str = ""

    def fail(self, error: Exception) -> None:
        """Count an error that nobody thought of."""
        self["failed"] += 1
        self.why = f"{type(error).__name__}: {error}"


class Sampler:
    """Makes samples. `stats`: whether with spans. It remembers the newest 64 seconds of a peer, and 100,000 peers."""

    def __init__(self, *, stats: bool = True) -> None:
        self._stats = stats
        self._after: OrderedDict[Peer, OrderedDict[int, Open]] = OrderedDict()

    def sample(self, peer: Peer, second: CanSecond, received_ms: int, plan: Plan, problems: Problems) -> Sample | None:
        """The sample of a whole second; None, counted, where the plan fails."""
        try:
            slices = self._slices(peer, second, plan, problems)
            values = last_values(plan, slices, problems)
            stats = spans(plan, slices) if self._stats else None
        except Exception as e:  # a plan that fails must not stop the storage of the raw frames
            problems["decode_failed"] += 1
            problems.why = f"{type(e).__name__}: {e}"
            return None
        return Sample(peer, second.ts_ms, second.seq, received_ms, values, stats)

    def pass_over(self, peer: Peer, second: CanSecond, plan: Plan) -> None:
        """See what a second leaves open, and nothing else. Never raises."""
        with suppress(Exception):  # as above; who wants its sample hears of it
            self._slices(peer, second, plan, Problems())

    def follows(self, peer: Peer, seq: int) -> bool:
        """Whether the second before has been seen."""
        return seq - 1 in self._seen(peer)

    def leaves_more(self, peer: Peer, seq: int, before: Open) -> bool:
        """Whether the second after was parsed as if this one left `before` open, and it leaves something else."""
        kept = self._seen(peer)
        return seq + 1 in kept and not is_same(kept.get(seq, NOTHING_OPEN), before)

    def left_open(self, peer: Peer, seq: int) -> Open:
        """What is open after a second, as far as is known."""
        return self._seen(peer).get(seq, NOTHING_OPEN)

    def _seen(self, peer: Peer) -> Mapping[int, Open]:
        return self._after.get(peer, _NO_SECONDS)

    def _slices(self, peer: Peer, second: CanSecond, plan: Plan, problems: Problems) -> list[Slice]:
        slices, open_ = whole_slices(plan, second, self.left_open(peer, second.seq - 1), problems)
        kept = self._after.get(peer)
        if kept is None:
            kept = self._after[peer] = OrderedDict()
            if len(self._after) > _PEERS_MAX:
                self._after.popitem(last=False)
        self._after.move_to_end(peer)
        kept[second.seq] = open_
        kept.move_to_end(second.seq)
        if len(kept) > _SECONDS_MAX:
            kept.popitem(last=False)
        return slices
