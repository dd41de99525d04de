"""compose.yaml asks for what the program takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from duco_rt import app
from duco_rt.config import ROLES, Config
from duco_rt.config.load import load_config

FILE = Path(__file__).resolve().parent.parent / "compose.yaml"
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
OTHERS = {name: service for name, service in SERVICES.items() if "image" in service}


def config_of(service: dict[str, Any]) -> Config:
    """What the program reads in that container."""
    environ = {key: re.sub(r"\$\{(\w+)[^}]*\}", r"\1", value) for key, value in service["environment"].items()}
    roles = service["command"][service["command"].index("--roles") + 1]
    listed = ",".join(f"'{role}'" for role in roles.split(","))
    return load_config(overrides=[f"app.roles=[{listed}]"], environ=environ)


@pytest.mark.parametrize("name", OURS)
def test_each_service_of_ours_can_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Its configuration is whole, without a warning; what it must keep lies in a volume of its own."""
    monkeypatch.chdir(tmp_path)
    config = config_of(OURS[name])
    assert app.check(config) == []
    keeps = {"metaapi", "ingest", "device"} & set(config.app.roles)
    assert bool(OURS[name].get("volumes")) == bool(keeps)


def test_every_role_is_there() -> None:
    """And each volume belongs to one service."""
    assert {role for service in OURS.values() for role in config_of(service).app.roles} == set(ROLES)
    volumes = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]
    assert sorted(volumes) == sorted(set(volumes))


@pytest.mark.parametrize("name", OTHERS)
def test_servers_are_for_this_machine_alone(name: str) -> None:
    """Of a named version, and published on loopback."""
    assert re.search(r":\d", OTHERS[name]["image"])
    assert all(port.startswith("127.0.0.1:") for port in OTHERS[name]["ports"])
