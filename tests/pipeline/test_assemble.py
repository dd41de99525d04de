"""Parts become seconds again, each device for itself."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import CanSecond
from duco_rt.parts import split
from duco_rt.pipeline.assemble import _OPEN_MAX, Assembler
from tests.can_seconds import busy_second, frames_in


@cache
def parts_of(seq: int, device: int = 0) -> tuple[CanSecond, ...]:
    """A second in three parts; its frames depend on seq and device."""
    parts = split(busy_second(frames_count=300, ids=3, seed=1000 * device + seq, seq=seq), 2500)
    assert len(parts) == 3
    return tuple(parts)


def add(assembler: Assembler, device: str, part: CanSecond, msg_type: str = "t") -> CanSecond | None:
    """Add a part; nothing may be given up on the way."""
    problems: Counter[str] = Counter()
    out = assembler.add(device, msg_type, part, problems)
    assert not problems
    return out


def test_a_whole_second_goes_straight_through() -> None:
    """The second itself, at once."""
    second = busy_second(frames_count=10, ids=2)
    assert add(Assembler(), "a", second) is second


@given(st.randoms(use_true_random=False))
def test_parts_in_any_order_of_several_devices(rng: random.Random) -> None:
    """Each second comes once, with its last part, to the device that sent it."""
    assembler = Assembler()
    sent = [(f"d{device}", part) for device in range(3) for seq in range(3) for part in parts_of(seq, device)]
    rng.shuffle(sent)
    found: dict[tuple[str, int], CanSecond] = {}
    open_parts: dict[tuple[str, int], int] = {}
    for device, part in sent:
        key = device, part.seq
        open_parts[key] = open_parts.get(key, 0) + 1
        second = add(assembler, device, part)
        assert (second is not None) == (open_parts[key] == 3)
        if second is not None:
            found[device, second.seq] = second
    for (device, seq), second in found.items():
        assert sorted(frames_in(second)) == sorted(
            frames_in(busy_second(frames_count=300, ids=3, seed=1000 * int(device[1:]) + seq, seq=seq))
        )
    assert len(found) == 9


def test_a_part_that_came_twice_counts_once() -> None:
    """At least once: a copy completes nothing, before and after its second was whole."""
    assembler, (one, two, three) = Assembler(), parts_of(1)
    assert [add(assembler, "a", part) for part in (one, one, two, one)] == [None] * 4
    second = add(assembler, "a", three)
    assert second is not None and second.frames == 300
    assert add(assembler, "a", two) is None


def test_types_are_apart() -> None:
    """The same position of another message type is another second."""
    assembler, (one, two, three) = Assembler(), parts_of(1)
    add(assembler, "a", one)
    add(assembler, "a", two)
    assert add(assembler, "a", three, "u") is None


def test_the_oldest_is_given_up_and_counted() -> None:
    """A part that never comes holds memory for a while; what is there is no sample: it would look whole."""
    assembler, problems = Assembler(), Counter[str]()
    for seq in range(_OPEN_MAX + 1):
        assert assembler.add("a", "t", parts_of(seq)[0], problems) is None
    assert problems == {"incomplete_second": 1}
    assert [add(assembler, "a", part) for part in parts_of(1)[1:]][1] is not None


def test_one_device_never_pushes_out_another_s() -> None:
    """A device that leaves parts open costs only itself."""
    assembler, problems = Assembler(), Counter[str]()
    assembler.add("quiet", "t", parts_of(7, device=9)[0], problems)
    for seq in range(20 * _OPEN_MAX):
        assembler.add("busy", "t", parts_of(seq % 40 + 100)[0], problems)
    assert problems["incomplete_second"] > 0
    whole = [add(assembler, "quiet", part) for part in parts_of(7, device=9)[1:]]
    assert whole[1] is not None and whole[1].frames == 300


def test_parts_that_are_too_large_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that grow when they are inflated, never completed: the oldest is given up, and counted."""
    monkeypatch.setattr("duco_rt.pipeline.assemble._OPEN_BYTES_MAX", 12_000)
    assembler, problems = Assembler(), Counter[str]()
    for seq in range(20):
        assert assembler.add("a", "t", parts_of(seq)[0], problems) is None
    assert 12 < problems["incomplete_second"] < 20
    assert [assembler.add("a", "t", part, problems) for part in parts_of(19)[1:]][-1] is not None


def test_one_second_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up by itself; the next is put together."""
    assembler, problems = Assembler(), Counter[str]()
    with monkeypatch.context() as small:
        small.setattr("duco_rt.pipeline.assemble._OPEN_BYTES_MAX", 10)
        assert assembler.add("a", "t", parts_of(1)[0], problems) is None
    assert problems == {"incomplete_second": 1}
    assert [assembler.add("a", "t", part, problems) for part in parts_of(2)][-1] is not None
