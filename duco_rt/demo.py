"""The demo identity that a fresh data directory starts with: tenant, devices, parsing, chart groups."""

from __future__ import annotations

from importlib.resources import files

from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, Device, Parsing, ParsingFile
from duco_rt.transports.base_data import Meta

TENANT = "duco"
FIRST = "DUCO_001"
PARSING = "demo"

_FILES: tuple[tuple[str, str | None], ...] = (
    ("loader.dbc", "can2"),
    ("j1939.dbc", None),
    ("gnss.dbc", "can9"),
)


def shipped_parsing() -> Parsing:
    """The databases inside the package: the simulated loader, standard J1939 groups, a GPS module."""
    folder = files("duco_rt") / "dbc"
    return Parsing(
        PARSING, 1, tuple(ParsingFile(name, (folder / name).read_text("utf-8"), bus) for name, bus in _FILES)
    )


_Line = tuple[str, str | None]
_GROUPS: tuple[tuple[str, str, str, tuple[_Line, ...]], ...] = (
    ("drive", "Drive", VEHICLE_CAN, (("speed", "Speed"), ("engine_rpm", "Engine speed"))),
    ("work", "Work cycle", VEHICLE_CAN, (("bucket_height", "Bucket height"), ("payload", "Payload"))),
    (
        "hydraulics",
        "Hydraulics",
        VEHICLE_CAN,
        (
            ("hydraulics_pump_pressure", "Pump"),
            ("hydraulics_lift_pressure", "Lift cylinder"),
            ("hydraulics_tilt_pressure", "Tilt cylinder"),
        ),
    ),
    (
        "brakes",
        "Brakes",
        VEHICLE_CAN,
        (("brake_pressure_front", "Front"), ("brake_pressure_rear", "Rear"), ("brake_status", "Brake")),
    ),
    (
        "temperatures",
        "Temperatures",
        VEHICLE_CAN,
        (
            ("coolant_temperature", "Coolant"),
            ("engine_oil_temperature", "Engine oil"),
            ("transmission_oil_temperature", "Transmission oil"),
            ("hydraulics_oil_temperature", "Hydraulic oil"),
        ),
    ),
    ("fuel", "Fuel", VEHICLE_CAN, (("fuel_rate", "Rate"), ("fuel_level", "Level"))),
    (
        "engine-j1939",
        "Engine (J1939)",
        VEHICLE_CAN,
        (
            ("EngineSpeed", "Speed"),
            ("EnginePercentLoadAtCurrentSpeed", "Load"),
            ("ActualEnginePercentTorque", "Torque"),
        ),
    ),
    (
        "vehicle-j1939",
        "Vehicle (J1939)",
        VEHICLE_CAN,
        (("WheelBasedVehicleSpeed", "Wheel speed"), ("AcceleratorPedalPosition1", "Accelerator")),
    ),
    (
        "air-j1939",
        "Air supply (J1939)",
        VEHICLE_CAN,
        (("ServiceBrakeCircuit1AirPressure", "Brake circuit 1"), ("AuxiliaryEquipmentSupplyPressure", "Auxiliary")),
    ),
    (
        "motion-gnss",
        "Motion (GPS module)",
        VEHICLE_CAN,
        (("GnssAccelerationX", "X"), ("GnssAccelerationY", "Y"), ("GnssAccelerationZ", "Z")),
    ),
    (
        "computer",
        "Computer on the machine",
        CLIENT_RAW_DATA,
        (("cpu_percent", "Processor"), ("memory_percent", "Memory"), ("bus_load_percent", "Bus load")),
    ),
    ("link", "Link to the hub", CLIENT_RAW_DATA, (("upload_latency_ms", "Latency"), ("queue_messages", "Queue"))),
)

_AXES: dict[str, tuple[tuple[str, str, float, float], ...]] = {
    "fuel": (("%", "right", 0, 100),),
    "engine-j1939": (("%", "right", 0, 100),),
    "vehicle-j1939": (("%", "right", 0, 100),),
    "computer": (("%", "left", 0, 100),),
}
"""By group: unit, side, lowest and highest value."""

_LIMITS: dict[str, tuple[tuple[str, float | None, float | None, str, str], ...]] = {
    "work": (("kg", 6000, 6000, "Rated load", "warn"),),
    "hydraulics": (("bar", 320, 320, "Relief valve", "info"),),
    "temperatures": (
        ("degC", 80, 95, "Coolant, working range", "info"),
        ("degC", 100, 110, "Hot", "warn"),
        ("degC", 110, None, "Too hot", "bad"),
    ),
    "fuel": (("%", None, 5, "Reserve", "bad"), ("%", 5, 15, "Low", "warn")),
    "computer": (("%", 90, None, "Nearly full", "warn"),),
    "link": (("ms", 1000, None, "Slow", "warn"),),
}
"""By group: unit, from, to, label, level; the simulated loader stays within most of them."""


def demo_groups() -> list[dict[str, object]]:
    """The chart groups of the demo."""
    return [
        {
            "groupId": group_id,
            "title": title,
            "msgType": msg_type,
            "order": order,
            "lines": [
                {"field": field, "label": label, "color": None, "style": None, "dash": False} for field, label in lines
            ],
            "axes": [
                {"unit": unit, "side": side, "min": low, "max": high}
                for unit, side, low, high in _AXES.get(group_id, ())
            ],
            "limits": [
                {"unit": unit, "from": low, "to": high, "label": label, "level": level}
                for unit, low, high, label, level in _LIMITS.get(group_id, ())
            ],
        }
        for order, (group_id, title, msg_type, lines) in enumerate(_GROUPS)
    ]


async def seed(meta: Meta, *, fresh: bool, device_ids: list[str]) -> None:
    """Put the demo identity into a fresh MetaAPI, and simulated machines that it does not know yet."""
    if fresh:
        await meta.put_parsing(PARSING, shipped_parsing().files, TENANT)
        for group in demo_groups():
            await meta.put_group(TENANT, group)
    known = {device.chassis_id for device in await meta.devices()}
    wanted = [FIRST, *device_ids] if fresh else device_ids
    for chassis_id in dict.fromkeys(wanted):
        if chassis_id not in known:
            await meta.put_device(Device(chassis_id, TENANT, f"Wheel loader {chassis_id[-3:]}", PARSING))
