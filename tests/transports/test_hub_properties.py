"""The bag of properties: what goes in comes out, what is wrong is said."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage
from duco_rt.transports.hub_properties import application_properties, decode, encode, from_properties

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
MESSAGES = st.builds(
    HubMessage,
    NAMES,
    NAMES,
    st.booleans(),
    st.integers(0, 2**53),
    st.integers(0, 2**53),
    TEXTS,
    TEXTS,
    st.binary(max_size=20),
)
GOOD = "msgType=vehicle_can&seq=17&ts=1795352000000&realtime=1&%24.ct=application%2Fx&%24.ce=identity"
MESSAGE = HubMessage("D", "vehicle_can", True, 1795352000000, 17, "application/x", "identity", b"b")


@given(message=MESSAGES)
def test_any_message_comes_back(message: HubMessage) -> None:
    """Whatever the texts are, and as one level of a topic."""
    bag = encode(message)
    assert decode(message.chassis_id, bag, message.body) == message
    assert not re.search(r"[/+#\0]", bag)
    assert bag.isascii()


@given(message=MESSAGES)
def test_properties_that_a_hub_keeps_apart(message: HubMessage) -> None:
    """The same message from a table of properties, others among them."""
    table = application_properties(message) | {"iothub-connection-device-id": "x"}
    kept = message.content_type, message.content_encoding
    assert from_properties(message.chassis_id, table, *kept, message.body) == message


def test_the_bag_is_as_azure_writes_it() -> None:
    """Names, order and escapes; realtime only when true."""
    assert encode(MESSAGE) == GOOD
    assert decode("D", GOOD, b"b") == MESSAGE
    assert decode("D", GOOD.replace("realtime=1&", ""), b"b").realtime is False
    assert decode("D", GOOD.replace("realtime=1", "realtime=0") + "&other=1", b"b").realtime is False


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("msgType=vehicle_can&", "", "msgType is missing"),
        ("&seq=17", "", "seq is missing"),
        ("&ts=1795352000000", "", "ts is missing"),
        ("&%24.ct=application%2Fx", "", "ct is missing"),
        ("&%24.ce=identity", "", "ce is missing"),
        ("vehicle_can", "vehicle.can", "msgType"),
        ("vehicle_can", "", "msgType"),
        ("seq=17", "seq=-1", "seq"),
        ("seq=17", "seq=1_7", "seq"),
        ("seq=17", "seq=%D9%A1", "seq"),
        ("seq=17", "seq=" + "9" * 19, "seq"),
        ("realtime=1", "realtime=yes", "realtime"),
        ("seq=17", "seq=17&seq=18", "twice"),
        ("&seq=17", "&&seq=17", "key=value"),
        ("application", "%FF", "UTF-8"),
    ],
)
def test_a_bag_that_is_wrong(before: str, after: str, said: str) -> None:
    """BadInput names the property."""
    assert before in GOOD
    with pytest.raises(BadInput, match=said):
        decode("D", GOOD.replace(before, after, 1), b"")


@given(bag=st.text(max_size=60))
def test_no_bag_raises_anything_else(bag: str) -> None:
    """Whatever comes in a topic."""
    with pytest.raises(BadInput):
        decode("D", bag, b"")


def test_a_device_of_no_good_name() -> None:
    """It would be a path or a wildcard elsewhere."""
    with pytest.raises(BadInput, match="chassisId"):
        decode("a/b", GOOD, b"")
