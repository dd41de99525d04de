"""Topics that are made can be read; others are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage
from duco_rt.transports.hub_mqtt import topics

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def test_topics_are_those_of_the_interface() -> None:
    """Letter for letter."""
    message = HubMessage("D", "vehicle_can", False, 2, 1, "x/y", "identity", b"")
    assert topics.events(message) == (
        "devices/D/messages/events/msgType=vehicle_can&seq=1&ts=2&%24.ct=x%2Fy&%24.ce=identity"
    )
    assert topics.method("D", "m", "r") == "devices/D/methods/m/r"
    assert topics.answer("D", 200, "r") == "devices/D/methods/res/200/r"
    assert topics.status("D") == "devices/D/status"
    assert topics.shared("g", topics.EVENTS) == "$share/g/devices/+/messages/events/#"


@given(name=TEXTS, status=st.integers(0, 999))
def test_what_is_made_can_be_read(name: str, status: int) -> None:
    """A method may have any name."""
    assert topics.read_method(topics.method("D", name, "r")) == (name, "r")
    assert topics.read_answer(topics.answer("D", status, "r")) == ("D", "r", status)
    assert topics.read_status(topics.status("D")) == "D"


READERS: list[Callable[[str], object]] = [
    lambda topic: topics.read_events(topic, b""),
    topics.read_method,
    topics.read_answer,
    topics.read_status,
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("topic", ["", "x", "devices/D", "devices/D/messages/events", "devices/D/messages/events/a/b"])
def test_other_topics_are_refused(read: Callable[[str], object], topic: str) -> None:
    """BadInput, whatever it is."""
    with pytest.raises(BadInput):
        read(topic)


@pytest.mark.parametrize("status", ["", "x", "-1", "²"])
def test_an_answer_without_a_status(status: str) -> None:
    """It is none."""
    with pytest.raises(BadInput):
        topics.read_answer(f"devices/D/methods/res/{status}/r")
