"""What the simulated wheel loader is made of: its state, and what of it moves slowly. Pure."""

from __future__ import annotations

from dataclasses import dataclass

GROUND_DEG = -38.0  # lift angle with the bucket on the ground

IDLE_RPM = 750.0
TANK_L = 300.0


@dataclass(slots=True)
class MachineState:
    """All that the model moves. A name ends in its unit; without one it is a ratio of 0..1 or a count."""

    time_s: float = 0.0
    engine_rpm: float = IDLE_RPM
    desired_rpm: float = IDLE_RPM
    torque_nm: float = 80.0
    friction_nm: float = 70.0
    load: float = 0.1
    power_kw: float = 6.0
    boost_bar: float = 0.1
    gear: int = 0
    shift_left_s: float = 0.0
    shift_count: int = 0
    turbine_rpm: float = 0.0
    slip: float = 0.0
    tractive_n: float = 0.0
    velocity_m_s: float = 0.0
    acceleration_m_s2: float = 0.0
    steering_deg: float = 0.0
    heading_deg: float = 0.0
    x_m: float = 0.0
    y_m: float = 0.0
    brake_bar: float = 0.0
    accumulator_bar: float = 160.0
    lift_deg: float = GROUND_DEG
    bucket_deg: float = 0.0
    lift_lever: float = 0.0
    tilt_lever: float = 0.0
    pump_bar: float = 25.0
    lift_bar: float = 40.0
    tilt_bar: float = 30.0
    steering_bar: float = 30.0
    pump_flow_l_min: float = 0.0
    pump_kw: float = 0.0
    relief: bool = False
    penetration_m: float = 0.0
    roughness: float = 0.0
    payload_kg: float = 0.0
    payload_total_t: float = 0.0
    fuel_rate_l_h: float = 3.5
    fuel_l: float = 0.7 * TANK_L
    fuel_used_l: float = 0.0
    trip_fuel_l: float = 0.0
    odometer_km: float = 0.0
    trip_km: float = 0.0
    hours_h: float = 0.0
    revolutions: float = 0.0
    coolant_degc: float = 70.0
    engine_oil_degc: float = 72.0
    intake_degc: float = 30.0
    exhaust_degc: float = 180.0
    transmission_degc: float = 60.0
    hydraulic_degc: float = 45.0
    axle_degc: float = 40.0
    cab_degc: float = 21.0
    ambient_degc: float = 15.0
    battery_v: float = 27.8
    battery_a: float = 5.0
    def_l: float = 30.0


def warm(s: MachineState, brake: float, dt_s: float) -> None:
    """Move every temperature, degrees C, towards its balance of heat and cooling; each has a time constant.

    With them the battery and the brake accumulator; `brake` is the pedal, 0..1.
    """
    work = s.power_kw / 200.0
    ambient = s.ambient_degc
    braking = s.brake_bar * abs(s.velocity_m_s)
    s.coolant_degc += (80.0 + 13.0 * work - s.coolant_degc) * dt_s / 110.0
    s.engine_oil_degc += (s.coolant_degc + 4.0 + 18.0 * work - s.engine_oil_degc) * dt_s / 180.0
    s.intake_degc += (ambient + 12.0 + 30.0 * work - s.intake_degc) * dt_s / 25.0
    s.exhaust_degc += (150.0 + 430.0 * s.load - s.exhaust_degc) * dt_s / 6.0
    in_gear = 60.0 * s.slip * work if s.gear else 0.0
    s.transmission_degc += (ambient + 50.0 + in_gear - s.transmission_degc) * dt_s / 300.0
    s.hydraulic_degc += (ambient + 32.0 + 0.5 * s.pump_kw - s.hydraulic_degc) * dt_s / 400.0
    s.axle_degc += (ambient + 22.0 + 0.6 * braking - s.axle_degc) * dt_s / 500.0
    s.cab_degc += (21.0 + 0.05 * (ambient - 15.0) - s.cab_degc) * dt_s / 200.0
    s.battery_v += (27.4 + 0.5 * clamp((s.engine_rpm - 700.0) / 600.0, 0.0, 1.0) - s.battery_v) * dt_s / 3.0
    s.battery_a += (12.0 - 10.0 * s.load - s.battery_a) * dt_s / 4.0
    charging = 6.0 if s.accumulator_bar < 165.0 else 0.0
    s.accumulator_bar = clamp(s.accumulator_bar + (charging - 8.0 * brake) * dt_s, 120.0, 180.0)


def count(s: MachineState, dt_s: float) -> None:
    """Add `dt_s` seconds to hours, distances, revolutions and fuel."""
    burnt_l = s.fuel_rate_l_h * dt_s / 3600.0
    s.fuel_l -= burnt_l
    s.fuel_used_l += burnt_l
    s.trip_fuel_l += burnt_l
    s.def_l -= 0.04 * burnt_l
    driven_km = abs(s.velocity_m_s) * dt_s / 1000.0
    s.odometer_km += driven_km
    s.trip_km += driven_km
    s.hours_h += dt_s / 3600.0
    s.revolutions += s.engine_rpm * dt_s / 60.0


def clamp(value: float, low: float, high: float) -> float:
    """Return `value` limited to `low`..`high`, in its own unit."""
    return low if value < low else high if value > high else value
