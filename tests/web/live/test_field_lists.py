"""Field lists and their patterns."""

from __future__ import annotations

import fnmatch
import re
import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.web.live import field_lists
from duco_rt.web.live.field_lists import FieldList, Matcher, Refused, field_list, matches


def test_a_list_of_entries() -> None:
    """Each once, in order, patterns apart; stats in one order, so that equal wishes are one key."""
    fields = field_list(["b", "h_*", "a", "b", "h_*"], ["count", "last", "min", "min"], 0.5, True)
    assert fields == FieldList(("b", "a"), ("h_*",), ("min", "count"), 0.5, True)
    assert fields.entries == ("b", "a", "h_*")
    assert hash(fields) == hash(field_list(["b", "a", "h_*"], ["min", "count"], 0.5, True))
    assert field_list([]) == FieldList(())


def test_adding_and_removing() -> None:
    """An entry goes as it was written: a name does not go out of a pattern; all else of the list stays."""
    fields = field_list(["speed", "s*"], ["max"], 2.0, True)
    assert fields.adding(["fuel", "speed", "t*"]) == field_list(["speed", "fuel", "s*", "t*"], ["max"], 2.0, True)
    assert fields.removing(["speed", "never"]) == field_list(["s*"], ["max"], 2.0, True)
    assert fields.removing(["s*"]) == field_list(["speed"], ["max"], 2.0, True)
    assert fields.adding(["x"]).removing(["x"]) == fields


TOO_LONG: dict[str, tuple[int, list[str], str]] = {
    "entries": (1999, ["x", "y"], "2001 entries: a list has at most 2000"),
    "patterns": (1, [f"p{i}*" for i in range(65)], "65 patterns (entries with *): a list has at most 64"),
    "characters": (1, ["x" * 300_000], "300002 characters: a list has at most 262144"),
}


@pytest.mark.parametrize("case", TOO_LONG)
def test_a_list_that_grows_too_long(case: str) -> None:
    """Is refused with what is too much of it, and stays what it was; one less is taken."""
    count, more, message = TOO_LONG[case]
    fields = field_list(f"f{i}" for i in range(count))
    with pytest.raises(Refused, match=re.escape(message)) as refused:
        fields.adding(more)
    assert refused.value.code == "bad_fields"
    assert len(fields.adding(more[1:]).entries) == count + len(more) - 1


def test_matching_and_unknown() -> None:
    """Names first, known or not, then what patterns match in the order of what is known, each once."""
    fields = field_list(["x", "h_b", "*_c", "h_*", "z*"])
    known = ["h_c", "speed", "h_b", "h_a", "x"]
    assert fields.matching(known) == ["x", "h_b", "h_c", "h_a"]
    assert fields.matching([]) == ["x", "h_b"]
    assert fields.unknown(known) == ["z*"]
    assert fields.unknown(["h_a"]) == ["x", "h_b", "*_c", "z*"]
    assert field_list(["a", "b"]).matching(known) == ["a", "b"]


MATCHES = {
    ("*", ""): True, ("*", "a"): True, ("**", "a"): True, ("a*", "a"): True, ("a*", "ba"): False,
    ("*a", "ba"): True, ("a*a", "a"): False, ("a*a", "aa"): True, ("a*b*c", "aXbYc"): True, ("ab*ba", "aba"): False,
    ("*b*b", "b"): False, ("*ab*b*", "ab"): False,
    ("*ab*", "xaxab"): True, ("a*ab", "aab"): True, ("*.x", "axx"): False, ("[a]*", "a"): False,
    ("?*", "a"): False, ("ü*\n", "ü\n"): True, ("a", "a"): True, ("a", "ab"): False, ("", ""): True,
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "name"), MATCHES)
def test_matches(pattern: str, name: str) -> None:
    """A star is any run of characters, and nothing else is special."""
    assert matches(pattern, name) is MATCHES[pattern, name]


_LETTERS = "ab_?[]!.\n"


@given(st.text(_LETTERS + "*", max_size=8), st.text(_LETTERS, max_size=12))
def test_patterns_match_as_those_of_a_shell(pattern: str, name: str) -> None:
    """Equal to fnmatch where everything but the star is escaped."""
    escaped = re.sub(r"[?\[]", r"[\g<0>]", pattern)
    assert matches(pattern, name) == fnmatch.fnmatchcase(name, escaped)


@pytest.mark.parametrize("pattern", ["a*" * 30_000 + "b", "*a*" + "ab*" * 10_000 + "c*", "*" * 60_000 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """A pattern at which others go back and back is done in one go through the name."""
    began_s = time.process_time()
    assert not matches(pattern, "a" * 60_000)
    assert time.process_time() - began_s < 0.5


_ENTRIES = st.lists(st.text("ab*", max_size=6), max_size=8)


@given(patterns=_ENTRIES, names=st.lists(st.text("ab", max_size=8)), together=st.sampled_from([0, 7, 4096]))
def test_patterns_together_match_what_each_matches_alone(patterns: list[str], names: list[str], together: int) -> None:
    """Whether they are short enough to be one number, or some of them, or none; asked once or again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field_lists, "_TOGETHER_CHARACTERS_MAX", together)
        patch.setattr(field_lists, "_NAME_CHARACTERS_MAX", 6)
        patch.setattr(field_lists, "_MEMO_NAMES_MAX", 3)
        matcher = Matcher(patterns)
        for name in [*names, *names]:
            alone = [matches(pattern, name) for pattern in patterns]
            assert [bool(matcher.matched(name) >> at & 1) for at in range(len(patterns))] == alone
            assert len(matcher._memo) <= 3


def test_patterns_together_are_exact() -> None:
    """Every pattern of up to four characters on every name of up to six."""
    patterns = ["".join(each) for length in range(5) for each in product("ab*", repeat=length)]
    matcher = Matcher(patterns)
    for name in ("".join(each) for length in range(7) for each in product("ab", repeat=length)):
        assert matcher.matched(name) == sum(matches(each, name) << at for at, each in enumerate(patterns)), name


def test_many_patterns_over_many_names_take_no_time() -> None:
    """The worst that a client and a publisher can choose, 64 by 20,000; every one of them is looked at."""
    names = [f"hydraulics_pump_{at}_pressure_at_valve" for at in range(20_000)]
    fields = field_list(f"*p*r*e*s*u*r*e*a*t*v*a*l*v*e{at}x*" for at in range(64))
    began_s = time.process_time()
    assert fields.unknown(names) == list(fields.patterns)
    assert time.process_time() - began_s < 1.5, "3.5 s with each by itself"
