"""The loopback IoT Hub as a program: prints, as environment variables, what the roles need to use it.

    python -m tests.servers.iothub --folder /tmp/iothub --port 8883 --device DUCO_001 --device TRUCK_1

MQTT is on `port`, the service API on the next one, the built-in endpoint on the one after. With `--keep` the events
survive a kill. The variables set one device's string; `strings.json` in the folder has those of all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from tests.servers.iothub.cloud import Cloud


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.iothub", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8883)
    parser.add_argument("--device", action="append", default=[])
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


async def _main(given: argparse.Namespace) -> None:
    devices = tuple(given.device) or ("DUCO_001",)
    ports = given.port, given.port + 1, given.port + 2
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with Cloud(given.folder, devices=devices, partitions=given.partitions, keep=given.keep, ports=ports) as cloud:
        strings = {
            "DUCO_HUB__KIND": "iothub",
            "DUCO_HUB__CA_FILE": cloud.ca_file,
            "DUCO_HUB__DEVICE_CONNECTION_STRING": cloud.device_string(devices[0]),
            "DUCO_HUB__SERVICE_CONNECTION_STRING": cloud.service_string,
            "DUCO_HUB__EVENTS_CONNECTION_STRING": cloud.events_string,
        }
        by_device = {device: cloud.device_string(device) for device in devices}
        # whole at once: that it is there is how others see that this serves
        part = given.folder / "strings.part"
        part.write_text(json.dumps({"environment": strings, "devices": by_device}))
        part.replace(given.folder / "strings.json")
        print("\n".join(f"export {name}='{value}'" for name, value in strings.items()), flush=True)
        await over.wait()


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
