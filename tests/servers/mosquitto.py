"""Mosquitto as a test's broker: what it keeps survives a kill as far as its autosave goes."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.needs import needs
from tests.servers.server import HOST, Server

SETTINGS = """\
set_tcp_nodelay true
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 0
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval {autosave_changes}
"""
"""What a broker of duco_rt needs; docs/mqtt.md says why."""


@dataclass(frozen=True)
class Tls:
    """Files in PEM: a server's certificate, its key, and the CA; with `client`, clients need a certificate too."""

    cert: Path
    key: Path
    ca: Path
    client: bool = False


class Mosquitto(Server):
    """`acl` and `users` (name → password) shut it; `autosave_changes`: written to disk after so many changes."""

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str] | None = None,
        acl: str = "",
        tls: Tls | None = None,
        persistence: bool = True,
        autosave_changes: int = 1,
    ) -> None:
        super().__init__(folder)
        self._users, self._acl, self._tls = users, acl, tls
        self._persistence, self._autosave_changes = persistence, autosave_changes

    @property
    def url(self) -> str:
        """What a client is given."""
        return f"{'mqtts' if self._tls else 'mqtt'}://{'localhost' if self._tls else HOST}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not ended."""
        return self._process is not None

    def command(self) -> list[str]:
        """The broker with its files in its folder."""
        lines = [f"listener {self.port} {HOST}", "user root"]
        settings = SETTINGS.format(folder=self.folder, autosave_changes=self._autosave_changes)
        lines += [
            line for line in settings.splitlines() if self._persistence or not line.startswith(("persist", "auto"))
        ]
        lines.append(f"allow_anonymous {'false' if self._users else 'true'}")
        if self._users:
            lines.append(f"password_file {self._password_file(self._users)}")
        if self._acl:
            (self.folder / "acl").write_text(self._acl)
            lines.append(f"acl_file {self.folder / 'acl'}")
        if self._tls:
            lines += [f"cafile {self._tls.ca}", f"certfile {self._tls.cert}", f"keyfile {self._tls.key}"]
            lines.append(f"require_certificate {str(self._tls.client).lower()}")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        return [str(program()), "-c", str(config)]

    def _password_file(self, users: dict[str, str]) -> Path:
        path = self.folder / "passwords"
        path.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
        subprocess.run([str(needs("mosquitto_passwd")), "-U", str(path)], check=True, capture_output=True)
        return path


def program() -> Path:
    """The broker's program; Debian keeps it where a user's PATH does not look."""
    beside = Path("/usr/sbin/mosquitto")
    return beside if beside.exists() else needs("mosquitto")
