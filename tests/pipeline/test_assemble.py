"""Parts become seconds again, each device for itself."""

from __future__ import annotations

import random
from functools import cache

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


def test_a_whole_second_goes_straight_through() -> None:
    """The second itself, at once."""
    second = busy_second(frames_count=10, ids=2)
    assert Assembler().add("a", "t", second) == [second]


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
        out = assembler.add(device, "t", part)
        assert len(out) == (open_parts[key] == 3)
        for second in out:
            found[device, second.seq] = second
    for (device, seq), second in found.items():
        assert sorted(frames_in(second)) == sorted(
            frames_in(busy_second(frames_count=300, ids=3, seed=1000 * int(device[1:]) + seq, seq=seq))
        )
    assert len(found) == 9


def test_a_part_that_came_twice_counts_once() -> None:
    """At least once: a copy completes nothing."""
    assembler, (one, two, three) = Assembler(), parts_of(1)
    assert [assembler.add("a", "t", part) for part in (one, one, two, one)] == [[], [], [], []]
    [second] = assembler.add("a", "t", three)
    assert second.frames == 300


def test_types_are_apart() -> None:
    """The same position of another message type is another second."""
    assembler, (one, two, three) = Assembler(), parts_of(1)
    assembler.add("a", "t", one)
    assembler.add("a", "t", two)
    assert assembler.add("a", "u", three) == []


def test_the_oldest_goes_out_with_what_it_has() -> None:
    """A part that never comes holds nothing up for ever, and memory is bounded."""
    assembler = Assembler()
    for seq in range(_OPEN_MAX):
        assert assembler.add("a", "t", parts_of(seq)[0]) == []
    [oldest] = assembler.add("a", "t", parts_of(_OPEN_MAX)[0])
    assert (oldest.seq, oldest.frames) == (0, parts_of(0)[0].frames)


def test_one_device_never_pushes_out_another_s() -> None:
    """What comes back always belongs to the device that was asked for: tenants stay apart."""
    assembler = Assembler()
    assembler.add("quiet", "t", parts_of(7, device=9)[0])
    for seq in range(20 * _OPEN_MAX):
        for second in assembler.add("busy", "t", parts_of(seq % 40 + 100)[seq % 2]):
            assert second.seq >= 100
    for part in parts_of(7, device=9)[1:]:
        out = assembler.add("quiet", "t", part)
    assert [second.frames for second in out] == [300]
