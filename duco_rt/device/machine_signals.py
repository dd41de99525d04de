"""Signals of the simulated wheel loader, by their names in `loader.dbc` and `j1939.dbc`. Pure.

What moves fast is an array with a value for each 20 ms of the second, what moves slowly is a number. A signal
of `j1939.dbc` that is not here goes out as "not available"; a message of which none is here is not sent.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from duco_rt.device.machine import RATED_LOAD_KG, REFERENCE_TORQUE_NM, WHEEL_M, Machine
from duco_rt.device.machine_duty import Phase
from duco_rt.device.machine_state import TANK_L, MachineState

Array = NDArray[np.float64]
Signals = dict[str, "Array | NDArray[np.bool_] | float"]

_STATE = tuple(field.name for field in fields(MachineState))
_CONTROLS = ("direction", "throttle", "brake", "parking_brake")
COLUMNS = (*_STATE, *_CONTROLS, "phase", "lat_deg", "lon_deg")
_state_row = attrgetter(*_STATE)
_controls_row = attrgetter(*_CONTROLS)
_AXLE_RATIO = 20.0  # gearbox output to wheel
_HALF_TRACK_M = 1.05
_BASE_M = 3.4


def row(machine: Machine) -> tuple[float, ...]:
    """Return the machine's values at this moment, in the order of `COLUMNS`."""
    return (
        *_state_row(machine.state),
        *_controls_row(machine.controls),
        float(machine.phase),
        *machine.position_deg,
    )


def signals(machine: Machine, rows: Array) -> Signals:
    """Return the signals of one second from its `rows` (a `row` every 20 ms) and the state at its end."""
    columns: dict[str, Array] = dict(zip(COLUMNS, rows.T, strict=True))
    state = machine.state
    return {
        **_engine(columns),
        **_engine_fluids(columns, state),
        **_driveline(columns, state),
        **_motion(columns, machine),
        **_brakes(columns, state),
        **_hydraulics(columns, state),
        **_work(columns, machine),
        **_supplies(columns, state),
        **_electrical(state),
        **_pages(columns, state),
    }


def _engine(c: dict[str, Array]) -> Signals:
    torque_percent = c["torque_nm"] * (100.0 / REFERENCE_TORQUE_NM)
    return {
        "engine_rpm": c["engine_rpm"],
        "engine_torque": c["torque_nm"] - c["friction_nm"],
        "engine_load": c["load"] * 100.0,
        "throttle_position": c["throttle"] * 100.0,
        "boost_pressure": c["boost_bar"],
        "EngineSpeed": c["engine_rpm"],
        "EngineTorqueMode": c["throttle"] > 0.02,
        "DriversDemandEngPercentTorque": c["throttle"] * 100.0,
        "ActualEnginePercentTorque": torque_percent,
        "EngineStarterMode": 3.0,
        "AccelPedal1LowIdleSwitch": c["throttle"] < 0.02,
        "AcceleratorPedalPosition1": c["throttle"] * 100.0,
        "EnginePercentLoadAtCurrentSpeed": c["load"] * 100.0,
        "NominalFrictionPercentTorque": c["friction_nm"] * (100.0 / REFERENCE_TORQUE_NM),
        "EnginesDesiredOperatingSpeed": c["desired_rpm"],
        "EngineIntakeManifold1Pressure": c["boost_bar"] * 100.0,
    }


def _engine_fluids(c: dict[str, Array], s: MachineState) -> Signals:
    filter_kpa = 0.8 + 2.4 * c["load"] * c["engine_rpm"] / 2000.0
    return {
        "coolant_temperature": s.coolant_degc,
        "engine_oil_temperature": s.engine_oil_degc,
        "intake_air_temperature": s.intake_degc,
        "exhaust_temperature": s.exhaust_degc,
        "axle_oil_temperature": s.axle_degc,
        "cab_temperature": s.cab_degc,
        "ambient_temperature": s.ambient_degc,
        "EngineFuelDeliveryPressure": 390.0 + 60.0 * c["load"],
        "EngineOilLevel": 92.0,
        "EngineOilPressure": 60.0 + 0.2 * c["engine_rpm"],
        "EngineCrankcasePressure1": 0.2 + 0.5 * c["load"],
        "EngineCoolantPressure1": 60.0 + 0.5 * s.coolant_degc,
        "EngineCoolantLevel1": 98.0,
        "EngineIntakeManifold1Temperature": s.intake_degc,
        "EngineIntakeAirPressure": 101.0 - filter_kpa,
        "EngineAirFilter1DiffPressure": filter_kpa,
        "EngineExhaustTemperature": s.exhaust_degc,
        "EngineCoolantTemperature": s.coolant_degc,
        "EngineFuelTemperature1": s.ambient_degc + 18.0,
        "EngineOilTemperature1": s.engine_oil_degc,
        "EngineTurboOilTemperature": s.engine_oil_degc + 8.0,
        "EngineIntercoolerTemperature": s.intake_degc + 3.0,
        "AmbientAirTemperature": s.ambient_degc,
        "air_filter_restriction": filter_kpa,
        "engine_oil_pressure": 0.6 + 0.002 * c["engine_rpm"],
        "fuel_pressure": 3.9 + 0.6 * c["load"],
    }


def _driveline(c: dict[str, Array], s: MachineState) -> Signals:
    gear, shifting = c["gear"], c["shift_left_s"] > 0.0
    engaged = gear != 0.0
    output_rpm = np.abs(c["velocity_m_s"]) / WHEEL_M * _AXLE_RATIO * (30.0 / np.pi)
    oil_bar = 15.0 + 0.0015 * c["engine_rpm"]
    clutch_bar = np.where(shifting, 0.4, 0.97) * oil_bar * engaged
    return {
        "gear": gear,
        "shift_state": shifting,
        "converter_slip": c["slip"] * 100.0,
        "turbine_rpm": c["turbine_rpm"],
        "gearbox_output_rpm": output_rpm,
        "tractive_force": c["tractive_n"] / 1000.0,
        "transmission_oil_temperature": s.transmission_degc,
        "transmission_oil_pressure": oil_bar,
        "clutch_pressure": clutch_bar,
        "transmission_shift_count": float(s.shift_count % 65536),
        "TransmissionDrivelineEngaged": engaged,
        "TorqueConverterLockupEngaged": 0.0,
        "TransmissionShiftInProcess": shifting,
        "TransmissionOutputShaftSpeed": output_rpm,
        "PercentClutchSlip": c["slip"] * 100.0,
        "TransmissionInputShaftSpeed": c["turbine_rpm"],
        "TransmissionSelectedGear": gear,
        "TransmissionCurrentGear": gear,
        "TransmissionReverseSwitch": gear < 0.0,
        "TransmissionNeutralSwitch": ~engaged,
        "TransmissionForwardSwitch": gear > 0.0,
        "ClutchPressure": clutch_bar * 100.0,
        "TransmissionOilLevel1": 88.0,
        "TransmissionOilPressure1": oil_bar * 100.0,
        "TransmissionOilTemperature1": s.transmission_degc,
    }


def _motion(c: dict[str, Array], machine: Machine) -> Signals:
    velocity = c["velocity_m_s"]
    speed_kmh = np.abs(velocity) * 3.6
    # an articulated machine's left wheels are slower in a left turn, by half the track
    outer_kmh = speed_kmh * np.radians(c["steering_deg"]) * (_HALF_TRACK_M / _BASE_M)
    return {
        "speed": speed_kmh,
        "acceleration": c["acceleration_m_s2"],
        "travel_direction": np.where(c["direction"] < 0.0, 2.0, c["direction"]),
        "steering_angle": c["steering_deg"],
        "reverse_alarm": c["gear"] < 0.0,
        "WheelBasedVehicleSpeed": speed_kmh,
        "FrontAxleSpeed": speed_kmh,
        "RelativeSpeedFrontAxleLeft": -outer_kmh,
        "RelativeSpeedFrontAxleRight": outer_kmh,
        "RelativeSpeedRearAxle1Left": -outer_kmh,
        "RelativeSpeedRearAxle1Right": outer_kmh,
        "Latitude": c["lat_deg"],
        "Longitude": c["lon_deg"],
        "CompassBearing": (c["heading_deg"] + np.where(velocity < 0.0, 180.0, 0.0)) % 360.0,
        "NavigationBasedVehicleSpeed": speed_kmh,
        "Altitude": machine.altitude_m,
    }


def _brakes(c: dict[str, Array], s: MachineState) -> Signals:
    braking = (c["brake"] > 0.02) | (c["brake_bar"] > 1.0)
    return {
        "brake_status": braking,
        "brake_pressure_front": c["brake_bar"],
        "brake_pressure_rear": c["brake_bar"] * 0.92,
        "brake_accumulator_pressure": s.accumulator_bar,
        "brake_pedal_position": c["brake"] * 100.0,
        "parking_brake": c["parking_brake"],
        "EBSBrakeSwitch": braking,
        "BrakePedalPosition": c["brake"] * 100.0,
        "BrakeSwitch": braking,
        "ParkingBrakeSwitch": c["parking_brake"],
        "ParkingBrakeActuator": c["parking_brake"],
    }


def _hydraulics(c: dict[str, Array], s: MachineState) -> Signals:
    working = (c["pump_flow_l_min"] > 3.0) | (c["pump_bar"] > 40.0)
    return {
        "hydraulics_pump_pressure": c["pump_bar"],
        "hydraulics_lift_pressure": c["lift_bar"],
        "hydraulics_tilt_pressure": c["tilt_bar"],
        "hydraulics_steering_pressure": c["steering_bar"],
        "hydraulics_lift_angle": c["lift_deg"],
        "hydraulics_bucket_angle": c["bucket_deg"],
        "bucket_height": 1.95 + 3.0 * np.sin(np.radians(c["lift_deg"])),
        "hydraulics_joystick_lift": c["lift_lever"] * 100.0,
        "hydraulics_joystick_tilt": c["tilt_lever"] * 100.0,
        "hydraulics_float_active": (c["phase"] == Phase.DRIVE_TO_PILE) & (c["lift_deg"] < -37.0),
        "hydraulics_oil_temperature": s.hydraulic_degc,
        "hydraulics_oil_level": 84.0 - 0.1 * (c["lift_deg"] + 38.0),
        "hydraulics_pump_flow": c["pump_flow_l_min"],
        "hydraulics_pump_state": np.where(c["relief"] > 0.0, 2.0, working),
        "hydraulics_pump_power": c["pump_kw"],
    }


def _work(c: dict[str, Array], machine: Machine) -> Signals:
    return {
        "duty_phase": c["phase"],
        "bucket_fill": c["payload_kg"] * (100.0 / RATED_LOAD_KG),
        "payload": c["payload_kg"],
        "cycle_count": float(machine.duty.loads_dumped % 4096),
        "payload_total": machine.state.payload_total_t,
    }


def _supplies(c: dict[str, Array], s: MachineState) -> Signals:
    level = 100.0 * s.fuel_l / TANK_L
    return {
        "fuel_level": level,
        "fuel_rate": c["fuel_rate_l_h"],
        "fuel_used": s.fuel_used_l,
        "operating_hours": s.hours_h,
        "odometer": s.odometer_km,
        "def_level": 100.0 * s.def_l / 33.0,
        "EngineFuelRate": c["fuel_rate_l_h"],
        "EngineInstantaneousFuelEconomy": np.abs(c["velocity_m_s"]) * 3.6 / c["fuel_rate_l_h"],
        "EngineAverageFuelEconomy": s.trip_km / max(s.trip_fuel_l, 0.01),
        "EngineTripFuel": s.trip_fuel_l,
        "EngineTotalFuelUsed": s.fuel_used_l,
        "EngineTotalHoursOfOperation": s.hours_h,
        "EngineTotalRevolutions": s.revolutions,
        "WasherFluidLevel": 70.0,
        "FuelLevel1": level,
        "EngineFuelFilterDiffPressure": 20.0,
        "EngineOilFilterDiffPressure": 30.0,
        "HighResTotalVehicleDistance": s.odometer_km,
        "HighResTripDistance": s.trip_km,
    }


def _electrical(s: MachineState) -> Signals:
    alternator_a = 38.0 + s.battery_a
    return {
        "battery_voltage": s.battery_v,
        "battery_current": s.battery_a,
        "working_lights": float(s.ambient_degc < 12.0),
        "central_lubrication": float(s.time_s % 300.0 < 30.0),
        "alternator_current": alternator_a,
        "NetBatteryCurrent": s.battery_a,
        "AlternatorCurrent": alternator_a,
        "ChargingSystemPotential": s.battery_v + 0.2,
        "BatteryPotential": s.battery_v,
        "KeyswitchBatteryPotential": s.battery_v - 0.1,
    }


def _pages(c: dict[str, Array], s: MachineState) -> Signals:
    """Return the rest of the diagnostics pages: fan, tyres, filters."""
    fan = min(max((s.coolant_degc - 72.0) / 22.0, 0.15), 1.0)
    front_bar = 4.2 + 0.00006 * c["payload_kg"]
    return {
        "fan_rpm": fan * 0.9 * c["engine_rpm"],
        "fan_command": fan * 100.0,
        "coolant_pump_rpm": 1.6 * c["engine_rpm"],
        "coolant_pressure": 0.6 + 0.005 * s.coolant_degc,
        "tire_pressure_front_left": front_bar,
        "tire_pressure_front_right": front_bar + 0.05,
        "tire_pressure_rear_left": 3.6,
        "tire_pressure_rear_right": 3.55,
        "particle_filter_soot": 10.0 + s.hours_h * 4.0 % 60.0,
        "lubricant_level": 90.0 - s.hours_h * 0.5 % 70.0,
    }
