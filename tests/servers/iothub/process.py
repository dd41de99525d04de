"""The loopback IoT Hub in a process of its own, for tests that kill it: it comes back with the events it had."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from tests.servers.server import HOST, Server, free_port

REPO = Path(__file__).resolve().parents[3]


class IotHubServer(Server):
    """`environment` and `devices` are there as soon as it is started."""

    def __init__(self, folder: Path, devices: tuple[str, ...] = ("DUCO_001",)) -> None:
        super().__init__(folder)
        self._devices = devices
        self.port = free_port(3)

    @property
    def environment(self) -> dict[str, str]:
        """What the roles need, as environment variables."""
        return dict(json.loads((self.folder / "strings.json").read_text())["environment"])

    def device_string(self, device: str) -> str:
        """One device's connection string."""
        return str(json.loads((self.folder / "strings.json").read_text())["devices"][device])

    def command(self) -> list[str]:
        """The module, from the repository's folder."""
        run = f"import sys, runpy; sys.path.insert(0, {str(REPO)!r}); runpy.run_module('tests.servers.iothub', "
        program = [sys.executable, "-c", run + "run_name='__main__')"]
        devices = [word for device in self._devices for word in ("--device", device)]
        return [*program, "--folder", str(self.folder), "--port", str(self.port), "--keep", *devices]

    def answers(self) -> bool:
        """Whether all three serve."""
        try:
            for port in range(self.port, self.port + 3):
                socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            return False
        return (self.folder / "strings.json").exists()
