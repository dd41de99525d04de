"""IoT Hub's connection strings and SAS tokens."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import ConfigError
from duco_rt.transports.hub_iothub.strings import (
    DeviceString,
    ServiceString,
    device_string,
    events_string,
    sas_token,
    service_string,
)
from tests.servers.iothub.sas import refusal

KEY = "c2VjcmV0IHNlY3JldCE="


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (f"HostName=h.net;DeviceId=D;SharedAccessKey={KEY}", DeviceString("h.net", 8883, "D", KEY)),
        (f" HostName = h:1 ; SharedAccessKey={KEY};DeviceId=D;", DeviceString("h", 1, "D", KEY)),
    ],
)
def test_a_devices_string(text: str, parsed: DeviceString) -> None:
    """Any order, a port at the host, the key with its own equals signs."""
    assert device_string(text) == parsed


def test_the_services_string() -> None:
    """Methods go over HTTPS."""
    text = f"HostName=h.net;SharedAccessKeyName=service;SharedAccessKey={KEY}"
    assert service_string(text) == ServiceString("h.net", 443, "service", KEY)


@pytest.mark.parametrize(("more", "is_tls"), [("", True), (";UseDevelopmentEmulator=true", False)])
def test_the_string_of_the_built_in_endpoint(more: str, is_tls: bool) -> None:
    """It goes to the driver as it is; an emulator has no TLS."""
    text = f"Endpoint=sb://ns.net:5/;SharedAccessKeyName=s;SharedAccessKey={KEY};EntityPath=hub{more}"
    parsed = events_string(text)
    assert (parsed.text, parsed.namespace, parsed.event_hub, parsed.is_tls) == (text, "ns.net:5", "hub", is_tls)


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (device_string, "", "hub.device_connection_string is not set"),
        (device_string, f"HostName=h;SharedAccessKey={KEY}", "hub.device_connection_string has no DeviceId"),
        (device_string, f"HostName=h:x;DeviceId=D;SharedAccessKey={KEY}", "'h:x' is no host name"),
        (device_string, f"HostName=a/b;DeviceId=D;SharedAccessKey={KEY}", "'a/b' is no host name"),
        (device_string, "HostName=h;DeviceId=D;SharedAccessKey=not%base64", "SharedAccessKey is not base64"),
        (service_string, "", "hub.service_connection_string is not set"),
        (service_string, f"HostName=h;DeviceId=D;SharedAccessKey={KEY}", "has no SharedAccessKeyName"),
        (events_string, "", "hub.events_connection_string is not set"),
        (events_string, f"Endpoint=sb://n/;SharedAccessKeyName=s;SharedAccessKey={KEY}", "has no EntityPath"),
        (events_string, f"Endpoint=x;SharedAccessKeyName=s;SharedAccessKey={KEY};EntityPath=e", "no sb://host/"),
    ],
)
def test_a_string_that_cannot_be_used(parse: Callable[[str], object], text: str, says: str) -> None:
    """The error names the configuration's key, and never shows a secret."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert KEY not in str(caught.value)
    assert "not%base64" not in str(caught.value)


@given(st.text("abcXYZ09._-/%&+ é", min_size=1), st.binary(min_size=1, max_size=64), st.sampled_from(["", "service"]))
def test_a_token_is_what_azure_checks(resource: str, key: bytes, policy: str) -> None:
    """Good for its resource, key and policy, and for no other."""
    token = sas_token(resource, base64.b64encode(key).decode(), 4_000_000_000, policy)
    assert refusal(token, resource, key, policy) == ""
    assert refusal(token, resource, key + b"!", policy) == "a wrong signature"
    assert "token for" in refusal(token, "other-" + resource, key, policy)
    assert "policy" in refusal(token, resource, key, policy + "2")


def test_a_token_ends() -> None:
    """At the time that was asked for."""
    token = sas_token("r", KEY, 1_000)
    assert "se=1000" in token
    assert refusal(token, "r", base64.b64decode(KEY)) == "an expired token"
