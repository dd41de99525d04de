"""The operator: phases, pedals and levers."""

from __future__ import annotations

import random

import pytest

from duco_rt.device.machine_duty import Duty, Phase, wrap_deg
from duco_rt.device.machine_state import MachineState, clamp


def test_angles_and_limits() -> None:
    """Angles come out within half a turn, values within their limits."""
    assert wrap_deg(190.0) == pytest.approx(-170.0)
    assert wrap_deg(-350.0) == pytest.approx(10.0)
    assert [clamp(value, 0.0, 1.0) for value in (-1.0, 0.5, 2.0)] == [0.0, 0.5, 1.0]


def test_starts_parked_and_leaves_for_the_pile() -> None:
    """Parked for some seconds, then off with the parking brake released."""
    duty, state = Duty(random.Random(1)), MachineState(x_m=20.0, y_m=20.0, heading_deg=225.0)
    controls = duty.update(state, 0.02)
    assert controls.parking_brake and controls.throttle == 0.0 and controls.direction == 0
    phases = {duty.phase}
    for _ in range(400):
        controls = duty.update(state, 0.02)
        phases.add(duty.phase)
    assert phases == {Phase.IDLE, Phase.DRIVE_TO_PILE}
    assert not controls.parking_brake and controls.throttle > 0.5 and controls.direction == 1


def test_brakes_before_changing_direction() -> None:
    """Rolling backwards, the operator brakes first and keeps the direction until then."""
    duty, state = Duty(random.Random(1)), MachineState(x_m=20.0, y_m=20.0, heading_deg=225.0)
    duty.phase_length_s = 0.0
    duty.update(state, 0.02)
    state.velocity_m_s = -2.0
    controls = duty.update(state, 0.02)
    assert controls.brake > 0.4 and controls.throttle == 0.0


def test_steers_towards_the_pile() -> None:
    """A target to the right is steered to the right, which is negative."""
    for heading_deg, sign in ((180.0, -1.0), (270.0, 1.0)):
        duty, state = Duty(random.Random(1)), MachineState(x_m=20.0, y_m=20.0, heading_deg=heading_deg)
        duty.phase_length_s = 0.0
        duty.update(state, 0.02)
        assert duty.update(state, 0.02).steering_deg * sign > 20.0
