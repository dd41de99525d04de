"""What a device says to a broker of one's own."""

from __future__ import annotations

import json

from duco_rt.transports.hub_mqtt.device import Dialect
from duco_rt.transports.hub_mqtt.dialect import BrokerDialect
from tests.transports.hub_flows import message

DIALECT: Dialect = BrokerDialect("D", "broker", 1883, None, "user", "secret")


def test_its_topics_are_its_own() -> None:
    """Of telemetry, methods, answers and presence."""
    assert DIALECT.events_topic(message(1)).startswith("devices/D/messages/events/msgType=")
    assert DIALECT.method_filters == ("devices/D/methods/+/+",)
    assert DIALECT.parse_method("devices/D/methods/m%2F/7") == ("m/", "7")
    assert DIALECT.answer_topic(200, "7") == "devices/D/methods/res/200/7"


def test_presence_is_retained_json() -> None:
    """As the interface has it."""
    for online in (True, False):
        said = DIALECT.presence(online, 5)
        assert said is not None
        assert (said.topic, said.retain) == ("devices/D/status", True)
        assert json.loads(said.payload) == {"online": online, "ts": 5}


def test_a_password_that_never_expires() -> None:
    """And a broker that may lose what it has acknowledged; one connection a device."""
    assert DIALECT.password(0.0) == ("secret", None)
    assert DIALECT.may_lose
    assert "D" in DIALECT.client_id
