"""What a test needs from the machine. Without it the test skips and says what to install.

With `DUCO_NO_SKIPS=1`, as in continuous integration, it fails instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

PROGRAMS: dict[str, tuple[str, ...]] = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
}
"""Programs that go by several names; any other goes by its own."""

PACKAGES = {
    "node": "nodejs", "redis-cli": "redis-tools", "mosquitto_pub": "mosquitto-clients", "java": "default-jre-headless",
    "mvn": "maven",
}  # fmt: skip
"""Debian packages that are not called as their program."""


def needs(program: str) -> Path:
    """The program's path, or the test skips (fails with DUCO_NO_SKIPS=1)."""
    for name in PROGRAMS.get(program, (program,)):
        found = shutil.which(name)
        if found:
            return Path(found)
    lacks(program, f"apt-get install {PACKAGES.get(program, program)}")


def lacks(what: str, remedy: str) -> NoReturn:
    """Skip the test for want of something, or fail it with DUCO_NO_SKIPS=1."""
    message = f"needs {what}: {remedy}"
    if os.environ.get("DUCO_NO_SKIPS") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
