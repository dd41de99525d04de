"""The simulated wheel loader behaves like one."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import NDArray

from duco_rt.device.machine import RATED_LOAD_KG, STEP_S, Machine
from duco_rt.device.machine_duty import Phase
from duco_rt.device.machine_signals import COLUMNS, row
from duco_rt.device.machine_state import TANK_L

MINUTES = 10
Columns = dict[str, NDArray[np.float64]]


def run(seed: int, seconds: float) -> Machine:
    """A machine after some time."""
    machine = Machine(seed)
    for _ in range(round(seconds / STEP_S)):
        machine.step(STEP_S)
    return machine


@pytest.fixture(scope="module")
def columns() -> Columns:
    """Ten minutes of one machine, each 20 ms."""
    machine = Machine(1)
    rows = []
    for _ in range(round(MINUTES * 60 / STEP_S)):
        machine.step(STEP_S)
        rows.append(row(machine))
    return dict(zip(COLUMNS, np.array(rows, np.float64).T, strict=True))


def test_same_seed_same_machine() -> None:
    """Twice the same, and another one from another seed."""
    first, again, other = (asdict(run(seed, 60.0).state) for seed in (5, 5, 6))
    assert first == again
    assert first["x_m"] != other["x_m"] and first["hours_h"] != other["hours_h"]


def test_steps_of_any_length_are_whole_20_ms_steps() -> None:
    """What a call leaves over comes with the next."""
    whole, parts, late = Machine(1), Machine(1), Machine(1)
    for _ in range(9):
        whole.step(1.0)
    for _ in range(900):
        parts.step(0.01)
    late.step(9.0)
    assert asdict(whole.state) == asdict(parts.state) == asdict(late.state)
    assert whole.state.time_s == pytest.approx(9.0)


def test_values_stay_plausible(columns: Columns) -> None:
    """No value leaves what such a machine can do."""
    for name, (low, high) in {
        "engine_rpm": (650.0, 2200.0),
        "velocity_m_s": (-4.0, 7.0),
        "acceleration_m_s2": (-7.0, 5.0),
        "payload_kg": (0.0, 1.1 * RATED_LOAD_KG),
        "pump_bar": (20.0, 325.0),
        "brake_bar": (0.0, 80.0),
        "fuel_rate_l_h": (1.0, 60.0),
        "coolant_degc": (55.0, 100.0),
        "hydraulic_degc": (20.0, 90.0),
        "transmission_degc": (40.0, 110.0),
        "x_m": (-60.0, 120.0),
        "y_m": (-60.0, 120.0),
    }.items():
        assert low <= columns[name].min() <= columns[name].max() <= high, name
    assert np.all(np.isfinite(list(columns.values())))


def test_duty_cycle_goes_round(columns: Columns) -> None:
    """All phases in their order, several loads, and trips of varying length."""
    phase = columns["phase"]
    changes = np.flatnonzero(np.diff(phase))
    follows = {(int(phase[i]), int(phase[i + 1])) for i in changes}
    work = [Phase.DRIVE_TO_PILE, Phase.DIG, Phase.REVERSE, Phase.HAUL, Phase.DUMP, Phase.RETURN]
    allowed = {*zip(work, [*work[1:], Phase.DRIVE_TO_PILE], strict=True)}
    allowed |= {(Phase.IDLE, Phase.DRIVE_TO_PILE), (Phase.RETURN, Phase.IDLE)}
    assert follows == allowed
    digs = changes[phase[changes + 1] == Phase.DIG]
    assert len(digs) >= 5
    assert np.diff(digs).std() > 1.0 / STEP_S
    full = columns["payload_kg"][changes[phase[changes] == Phase.DIG]]
    assert full.min() > 0.7 * RATED_LOAD_KG


def test_digging_pulls_the_engine_down(columns: Columns) -> None:
    """At full pedal the pile costs engine speed, and takes power and pressure."""
    pedal_down = columns["desired_rpm"] > 2080.0
    digging = pedal_down & (columns["phase"] == Phase.DIG)
    assert digging.any()
    assert columns["engine_rpm"][digging].mean() < 1950.0
    assert columns["load"][digging].mean() > 0.9
    hauling = columns["phase"] == Phase.HAUL
    assert columns["pump_bar"][digging].mean() > 2.0 * columns["pump_bar"][hauling].mean()
    assert columns["power_kw"][digging].mean() > 2.0 * columns["power_kw"][hauling].mean()


def test_brakes_slow_the_machine(columns: Columns) -> None:
    """Strong deceleration outside the pile comes with brake pressure; accelerating never does."""
    driving = (columns["phase"] != Phase.DIG) & (np.abs(columns["velocity_m_s"]) > 0.5)
    slowing = driving & (columns["acceleration_m_s2"] < -2.0)
    assert slowing.any()
    assert np.median(columns["brake_bar"][slowing]) > 15.0
    assert columns["brake_bar"][driving & (columns["acceleration_m_s2"] > 0.8)].max() < 15.0


def test_fuel_follows_power(columns: Columns) -> None:
    """The rate goes with the power, and the tank loses what was burnt."""
    rate, power = columns["fuel_rate_l_h"], columns["power_kw"]
    assert np.corrcoef(rate, power)[0, 1] > 0.9
    fuel = columns["fuel_l"]
    assert np.all(np.diff(fuel) <= 0.0)
    burnt_l = rate.sum() * STEP_S / 3600.0
    assert fuel[0] - fuel[-1] == pytest.approx(burnt_l, rel=0.1)
    assert columns["hours_h"][-1] - columns["hours_h"][0] == pytest.approx(MINUTES / 60.0, rel=0.01)


def test_track_follows_speed_and_heading(columns: Columns) -> None:
    """The position moves as far as the speed says, along the heading, and the odometer agrees."""
    north_m = np.diff(columns["lat_deg"]) * 111_320.0
    east_m = np.diff(columns["lon_deg"]) * 111_320.0 * math.cos(math.radians(columns["lat_deg"][0]))
    velocity, heading = columns["velocity_m_s"][1:], np.radians(columns["heading_deg"][1:])
    assert np.allclose(north_m, velocity * STEP_S * np.cos(heading), atol=1e-4)
    assert np.allclose(east_m, velocity * STEP_S * np.sin(heading), atol=1e-4)
    driven_km = np.abs(velocity).sum() * STEP_S / 1000.0
    assert columns["trip_km"][-1] == pytest.approx(driven_km, rel=0.03)


def test_gear_fits_direction_and_speed(columns: Columns) -> None:
    """Reverse gears for reverse, higher gears for higher speed."""
    gear, velocity = columns["gear"], columns["velocity_m_s"]
    assert velocity[gear < 0].max() < 0.8 and velocity[gear > 0].min() > -0.8
    assert velocity[gear == 3].mean() > velocity[gear == 2].mean() > velocity[gear == 1].mean()


def test_tank_is_filled_while_idle() -> None:
    """A machine can run for days."""
    machine = Machine(3)
    machine.state.fuel_l = 0.05 * TANK_L
    machine.step(2.0)
    assert machine.phase == Phase.IDLE
    assert machine.state.fuel_l > 0.9 * TANK_L
