"""The few signals that the App itself needs off the bus: the key, and where the machine is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import can

from duco_rt.body import CanSecond
from duco_rt.config import Device
from duco_rt.decoder import read_files
from duco_rt.demo import shipped_parsing
from duco_rt.errors import BadParsing, ConfigError
from duco_rt.model import Parsing, Value
from duco_rt.pipeline.decoding.plan import MessagePlan, Multiplexer, Plan, compile_parsing


def local_plan(files: Iterable[str], wanted: Iterable[str]) -> Plan:
    """A plan of only those messages that hold a wanted signal, from `[BUS=]FILE` or the shipped databases."""
    names = tuple(files)
    try:
        plan = compile_parsing(Parsing("local", 1, read_files(names))) if names else _shipped_plan()
    except BadParsing as e:
        raise ConfigError(f"device.dbc: {e}") from e
    signals = set(wanted)

    def keep(messages: tuple[MessagePlan, ...]) -> tuple[MessagePlan, ...]:
        kept = (
            replace(
                m,
                signals=tuple(s for s in m.signals if s.field in signals),
                multiplexers=tuple(x for x in m.multiplexers if _selects(x, signals)),
            )
            for m in messages
        )
        return tuple(m for m in kept if m.signals or m.multiplexers)

    exact = {key: kept for key, messages in plan.exact.items() if (kept := keep(messages))}
    groups = {key: kept for key, messages in plan.groups.items() if (kept := keep(messages))}
    return replace(plan, exact=exact, groups=groups, fields=tuple(f for f in plan.fields if f.name in signals))


def _selects(multiplexer: Multiplexer, wanted: set[str]) -> bool:
    """Whether a wanted signal is on one of its pages."""
    pages, nested = multiplexer.selects.values(), multiplexer.nested.values()
    return any(s.field in wanted for page in pages for s in page) or any(_selects(x, wanted) for n in nested for x in n)


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
    """Compiled once for all devices of the process."""
    return compile_parsing(shipped_parsing())


def read_signals(plan: Plan, second: CanSecond) -> dict[str, Value]:
    """The last values of the wanted signals in a second."""
    wanted = {field.name for field in plan.fields}
    return {name: value for name, value in plan.last_values(second, Counter()).items() if name in wanted}
