"""The few signals that the App itself needs off the bus: the key, and where the machine is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

import can

from duco_rt.body import CanSecond
from duco_rt.config import Device
from duco_rt.demo import shipped_parsing
from duco_rt.errors import BadParsing, ConfigError
from duco_rt.model import Parsing, Value
from duco_rt.parsing_files import read_files
from duco_rt.pipeline.decoding.compiling import compile_here, compile_parsing
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.plan import Plan


def local_plan(files: Iterable[str], wanted: Iterable[str]) -> Plan:
    """A plan of the wanted signals alone, from `[BUS=]FILE` or the shipped databases."""
    names = tuple(files)
    try:
        plan = compile_parsing(Parsing("local", 1, read_files(names))) if names else _shipped_plan()
    except BadParsing as e:
        raise ConfigError(f"device.dbc: {e}") from e
    return plan.only(set(wanted))


def key_signal(config: Device) -> str | None:
    """The signal of `key = "signal:NAME"`."""
    return config.key.removeprefix("signal:") if config.key.startswith("signal:") else None


def app_plan(config: Device) -> Plan:
    """What the App itself reads: position and key. Raises ConfigError for databases and a key that cannot be used."""
    key = key_signal(config)
    plan = local_plan(config.dbc, (config.gps_lat_signal, config.gps_lng_signal, *((key,) if key else ())))
    if key is not None and key not in (field.name for field in plan.fields):
        raise ConfigError(f"device.key = {config.key!r}: no such signal in device.dbc (or the shipped databases)")
    return plan


def check_local(config: Device) -> None:
    """Whether the App could start with this. Raises ConfigError."""
    for bus in config.buses:
        if bus.interface not in can.VALID_INTERFACES:
            known = ", ".join(sorted(can.VALID_INTERFACES))
            raise ConfigError(f"device.buses {bus.name}: interface {bus.interface!r} is not one of {known}")
    app_plan(config)


@cache
def _shipped_plan() -> Plan:
    """Compiled once for all devices of the process; the shipped texts need no process of their own to be read in."""
    return compile_here(shipped_parsing())


def read_signals(plan: Plan, second: CanSecond) -> dict[str, Value]:
    """The last values of the wanted signals in a second."""
    return last_values(plan, second.slices(), Counter())
