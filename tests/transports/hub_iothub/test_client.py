"""What the driver does not tell, or tells in its own way; where a live reading starts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.eventhub._pyamqp.error import AMQPLinkError, ErrorCondition

from duco_rt.errors import TransportError
from duco_rt.transports.hub_iothub.client import EventsClient, FromNow
from duco_rt.transports.hub_iothub.strings import events_string
from tests.servers.iothub.cloud import NAME, Cloud, key_of
from tests.servers.iothub.testing import hub_of

TEXT = "Endpoint=sb://ns.net/;SharedAccessKeyName=s;SharedAccessKey=c2VjcmV0;EntityPath=hub"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (AMQPLinkError(ErrorCondition.NotFound), r"az iot hub consumer-group create --hub-name NAME --name live"),
        (ExceptionGroup("", [ValueError("first\n line"), OSError("second")]), r"ValueError: first line$"),
        (TimeoutError(), "no answer in time"),
        (TransportError("as it is"), r"^as it is$"),
    ],
)
def test_an_error_of_the_driver(error: Exception, says: str) -> None:
    """One line that names the event hub."""
    client = EventsClient(events_string(TEXT), "live")
    assert not client.is_balanced
    assert client.down() == {}
    with pytest.raises(TransportError, match=says) as caught:
        raise client.error(error)
    assert isinstance(error, TransportError) or "event hub hub at ns.net" in str(caught.value)


class SetClock:
    """A clock that a test sets."""

    now_ms = 0

    def wall_ms(self) -> int:
        """What it was set to."""
        return self.now_ms

    def steady_s(self) -> float:
        """The same."""
        return self.now_ms / 1000


def test_a_live_reading_starts_at_its_call() -> None:
    """A partition that comes to it much later starts where it comes."""
    clock = SetClock()
    clock.now_ms = 1_000_000
    start = FromNow(clock, grace_s=20.0)
    for now_ms, start_s in ((1_000_500, 1_000), (1_019_999, 1_000), (1_020_000, 1_020), (9_000_000, 9_000)):
        clock.now_ms = now_ms
        assert start.get("0") == datetime.fromtimestamp(start_s, UTC)


@pytest.mark.servers
async def test_a_consumer_group_that_is_missing(tmp_path: Path) -> None:
    """The error is the command that makes it; `check` says so too."""
    async with Cloud(tmp_path / "cloud", groups=("$Default",)) as cloud:
        hub = hub_of(cloud, tmp_path)
        says = r"az iot hub consumer-group create --hub-name NAME --name duco-live"
        with pytest.raises(TransportError, match=says):
            await anext(hub.live())
        with pytest.raises(TransportError, match=says):
            await hub.check()
        await hub.close()


@pytest.mark.servers
@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        (key_of("service"), key_of("other"), "a wrong signature"),
        (f"EntityPath={NAME}", "EntityPath=other", "event hub other .*404"),
        ("PORT", "1", "Connect call failed"),
    ],
)
async def test_an_endpoint_that_cannot_be_read(tmp_path: Path, right: str, wrong: str, says: str) -> None:
    """A wrong key, a wrong name, a wrong port: `check` says so within its 2 s."""
    async with Cloud(tmp_path / "cloud") as cloud:
        right = right.replace("PORT", str(cloud.events.port))
        hub = hub_of(cloud, tmp_path, events_connection_string=cloud.events_string.replace(right, wrong))
        with pytest.raises(TransportError, match=says):
            async with asyncio.timeout(5):
                await hub.check()
        await hub.close()


@pytest.mark.servers
async def test_a_reading_of_an_event_hub_that_is_away(tmp_path: Path) -> None:
    """It ends, and says what does not answer."""
    async with Cloud(tmp_path / "cloud") as cloud:
        hub = hub_of(cloud, tmp_path)
        await cloud.events.stop()
        with pytest.raises(TransportError, match=rf"localhost:{cloud.events.port}.*Connect call failed"):
            await anext(hub.stored())
        await hub.close()
