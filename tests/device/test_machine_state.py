"""What moves slowly: temperatures, supplies and counters."""

from __future__ import annotations

import pytest

from duco_rt.device.machine_state import MachineState, count, warm


def test_temperatures_approach_a_balance_slowly() -> None:
    """Work warms the engine, with ever smaller steps; without work it cools again."""
    state = MachineState(coolant_degc=60.0, power_kw=150.0)
    course = []
    for _ in range(2400):
        warm(state, 0.0, 0.5)
        course.append(state.coolant_degc)
    assert course == sorted(course)
    assert course[0] - 60.0 < 0.2 and 85.0 < course[-1] < 95.0
    assert state.hydraulic_degc == pytest.approx(state.ambient_degc + 32.0, abs=2.0)
    state.power_kw = 5.0
    warm(state, 0.0, 0.5)
    assert state.coolant_degc < course[-1]


def test_braking_drains_the_accumulator_and_the_pump_fills_it() -> None:
    """Down while the pedal is pressed, back up afterwards, never out of its limits."""
    state = MachineState()
    for _ in range(40):
        warm(state, 1.0, 0.5)
    assert 120.0 <= state.accumulator_bar < 160.0
    for _ in range(40):
        warm(state, 0.0, 0.5)
    assert 165.0 <= state.accumulator_bar <= 180.0


def test_counters_add_up() -> None:
    """An hour at 18 km/h and 20 L/h."""
    state = MachineState(velocity_m_s=-5.0, fuel_rate_l_h=20.0, engine_rpm=1500.0, fuel_l=100.0)
    for _ in range(7200):
        count(state, 0.5)
    assert state.odometer_km == pytest.approx(18.0) and state.trip_km == pytest.approx(18.0)
    assert state.fuel_l == pytest.approx(80.0) and state.fuel_used_l == pytest.approx(20.0)
    assert state.hours_h == pytest.approx(1.0) and state.revolutions == pytest.approx(90_000.0)
