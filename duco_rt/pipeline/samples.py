"""One second of raw CAN becomes a sample: last values and spans. Pure.

Messages of several frames may begin in one second and end in the next, so what is open at a second's end is kept for
the second that follows it. It is kept by position: a second that comes again gives the same sample again.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from duco_rt.body import CanSecond
from duco_rt.model import Peer, Sample
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN, Open
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.spans import spans
from duco_rt.pipeline.decoding.whole import whole_slices

_SECONDS_MAX = 64
_PEERS_MAX = 100_000


class Problems(Counter[str]):
    """Bad input by kind; `why` says what was wrong with the last unread body."""

    why: str = ""


class Sampler:
    """Makes samples. `stats`: whether with spans. It remembers 64 seconds a peer at most, those with open messages."""

    def __init__(self, *, stats: bool = True) -> None:
        self._stats = stats
        self._open: OrderedDict[Peer, OrderedDict[int, Open]] = OrderedDict()

    def sample(self, peer: Peer, second: CanSecond, received_ms: int, plan: Plan, problems: Problems) -> Sample | None:
        """The sample of a whole second; None, counted, where the plan fails."""
        try:
            slices, open_ = whole_slices(plan, second, self._before(peer, second.seq), problems)
            self._after(peer, second.seq, open_)
            values = last_values(plan, slices, problems)
            stats = spans(plan, slices) if self._stats else None
        except Exception as e:  # a plan that fails must not stop the storage of the raw frames
            problems["decode_failed"] += 1
            problems.why = f"{type(e).__name__}: {e}"
            return None
        return Sample(peer, second.ts_ms, second.seq, received_ms, values, stats)

    def knows(self, peer: Peer) -> bool:
        """Whether it has seen a second of the peer."""
        return peer in self._open

    def _before(self, peer: Peer, seq: int) -> Open:
        kept = self._open.get(peer)
        return kept.get(seq, NOTHING_OPEN) if kept else NOTHING_OPEN

    def _after(self, peer: Peer, seq: int, open_: Open) -> None:
        kept = self._open.get(peer)
        if kept is None:
            kept = self._open[peer] = OrderedDict()
            if len(self._open) > _PEERS_MAX:
                self._open.popitem(last=False)
        if open_ is not NOTHING_OPEN:
            kept[seq + 1] = open_
            kept.move_to_end(seq + 1)
            if len(kept) > _SECONDS_MAX:
                kept.popitem(last=False)
        elif kept:
            kept.pop(seq + 1, None)
