"""The table of leases against a plain list of who renewed when."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from duco_rt.transports.leases_memory import LeaseTable

KEYS, VIEWERS = st.sampled_from("AB"), st.sampled_from("xyz")


class Leases(RuleBasedStateMachine):
    """The model: one moment of end for each (key, viewer), and a note a key that is forgotten with its last viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.table = LeaseTable()
        self.now_s = 0.0
        self.ends: dict[tuple[str, str], float] = {}
        self.notes: dict[str, int] = {}

    def viewers(self, key: str) -> list[str]:
        """Who holds the key now."""
        return [v for (k, v), end in self.ends.items() if k == key and end > self.now_s]

    @rule(key=KEYS, viewer=VIEWERS, ttl_s=st.sampled_from([1.0, 3.0, 60.0]))
    def renew(self, key: str, viewer: str, ttl_s: float) -> None:
        """The first of a key is told so."""
        assert self.table.renew(key, viewer, ttl_s, self.now_s) == (not self.viewers(key), self.notes.get(key))
        self.ends[key, viewer] = self.now_s + ttl_s

    @rule(key=KEYS, answer_ms=st.none() | st.integers(0, 9))
    def note(self, key: str, answer_ms: int | None) -> None:
        """Kept while the key is live."""
        self.table.note(key, answer_ms, self.now_s)
        self.notes.pop(key, None)
        if answer_ms is not None and self.viewers(key):
            self.notes[key] = answer_ms

    @rule(key=KEYS, viewer=st.none() | VIEWERS)
    def drop(self, key: str, viewer: str | None) -> None:
        """The last of a key is told so."""
        gone = self.table.drop(key, viewer, self.now_s)
        self.ends = {(k, v): e for (k, v), e in self.ends.items() if k != key or viewer not in (None, v)}
        assert gone == (not self.viewers(key))
        self.forget()

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 59.0]))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.now_s += seconds
        self.forget()

    def forget(self) -> None:
        """Notes of keys that nobody holds any more."""
        self.notes = {key: answer_ms for key, answer_ms in self.notes.items() if self.viewers(key)}

    @rule(key=KEYS)
    def noted(self, key: str) -> None:
        """The newest note of a live key."""
        assert self.table.noted(key, self.now_s) == self.notes.get(key)

    @invariant()
    def held(self) -> None:
        """Only live ones, each counted once."""
        expected = {key: len(self.viewers(key)) for key in "AB" if self.viewers(key)}
        assert self.table.held(self.now_s) == expected


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=30, stateful_step_count=20)
