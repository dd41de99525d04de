"""What the App says of its real-time upload and its queues."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.device.test_app import Rig, running
from tests.device.virtual import until_async

pytestmark = pytest.mark.servers


async def test_real_time_upload_is_counted_from_start_to_end(tmp_path: Path) -> None:
    """By what ended it: a stop, the watchdog, or the key. A start while it is on is no change."""
    rig = Rig(tmp_path, realtime_timeout_s=4.1)

    def changes() -> dict[str, int]:
        events = ("start", "stop", "watchdog", "key_off")
        return {event: int(rig.metrics.value("device_realtime_total", event=event)) for event in events}

    async with running(rig):
        await until_async(lambda: rig.seconds() == 1)
        await rig.command("start")
        await rig.command("start", "c2")
        assert rig.metrics.value("device_realtime_on") == 1
        await rig.command("stop", "c3")
        await rig.command("stop", "c4")
        assert changes() == {"start": 1, "stop": 1, "watchdog": 0, "key_off": 0}
        assert rig.metrics.value("device_realtime_on") == 0
        await rig.command("start", "c5")
        await until_async(lambda: changes()["watchdog"] == 1)
        await rig.command("start", "c6")
    assert changes() == {"start": 3, "stop": 1, "watchdog": 1, "key_off": 1}
    assert rig.metrics.value("device_sent_total") == len(rig.messages) == rig.metrics.value("device_send_seconds")
    assert rig.metrics.value("device_outbox_depth") == 0
    assert rig.metrics.value("device_buses_failed") == 0
