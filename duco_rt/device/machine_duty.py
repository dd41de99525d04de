"""The operator of the simulated wheel loader: part of the duty cycle, and what hands and feet do. Pure.

Ground coordinates are metres, x east and y north of the yard's origin; headings are degrees clockwise from
north.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import IntEnum

from duco_rt.device.machine_state import GROUND_DEG, MachineState, clamp

CARRY_DEG = -25.0
RAISED_DEG = 36.0
ARTICULATION_DEG = 37.0
FACING_DEG = 20.0  # a reversing operator turns until the next target is this far ahead or nearer


class Phase(IntEnum):
    """Part of the duty cycle; the number is the one on the bus."""

    IDLE = 0
    DRIVE_TO_PILE = 1
    DIG = 2
    REVERSE = 3
    HAUL = 4
    DUMP = 5
    RETURN = 6


@dataclass(slots=True)
class Controls:
    """What the operator asks for: pedals 0..1, levers and direction -1..1, steering in degrees (left +)."""

    direction: int = 0
    throttle: float = 0.0
    brake: float = 0.0
    steering_deg: float = 0.0
    lift: float = 0.0
    tilt: float = 0.0
    parking_brake: bool = True


def wrap_deg(angle_deg: float) -> float:
    """Return the angle in degrees, within -180..180."""
    return (angle_deg + 180.0) % 360.0 - 180.0


class Duty:
    """Walks through the duty cycle and sets the controls; `update` every 20 ms. All times in seconds."""

    def __init__(self, rng: random.Random) -> None:
        """Lay out a yard: a pile near the origin and a hopper 40 to 60 m away."""
        self._rng = rng
        angle = rng.uniform(0.3, 1.2)
        distance_m = rng.uniform(40.0, 60.0)
        self._hopper = (distance_m * math.cos(angle), distance_m * math.sin(angle))
        self._pile = (0.0, 0.0)
        self._target = self._pile
        self._driven_m = 0.0
        self._cycles_left = rng.randint(3, 7)
        self._goal_m = 0.0
        self._unsteady = 0.0
        self.loads_dumped = 0
        self.phase = Phase.IDLE
        self.phase_s = 0.0
        self.phase_length_s = rng.uniform(3.0, 6.0)
        self.cruise_m_s = 4.0
        self.controls = Controls()

    def update(self, state: MachineState, dt_s: float) -> Controls:
        """Set the controls for the next `dt_s` seconds and return them."""
        self.phase_s += dt_s
        self._driven_m += abs(state.velocity_m_s) * dt_s
        controls = self.controls
        phase = self.phase
        if phase in (Phase.DRIVE_TO_PILE, Phase.HAUL):
            self._approach(state, controls)
        elif phase in (Phase.REVERSE, Phase.RETURN):
            self._back_off(state, controls)
        elif phase == Phase.DIG:
            self._dig(state, controls)
        else:
            self._stand(state, controls)
        return controls

    def _enter(self, phase: Phase) -> None:
        rng = self._rng
        self.phase = phase
        self.phase_s = 0.0
        self._driven_m = 0.0
        self.controls.parking_brake = phase == Phase.IDLE
        if phase == Phase.IDLE:
            self.phase_length_s = rng.uniform(12.0, 40.0)
            self._cycles_left = rng.randint(3, 7)
        elif phase == Phase.DRIVE_TO_PILE:
            self._pile = (rng.uniform(-3.0, 3.0), rng.uniform(-3.0, 3.0))
            self._target, self.cruise_m_s = self._pile, rng.uniform(3.6, 5.4)
        elif phase == Phase.DIG:
            self.phase_length_s = rng.uniform(8.0, 13.0)
        elif phase == Phase.REVERSE:
            self._target, self._goal_m, self.cruise_m_s = (
                self._hopper,
                rng.uniform(9.0, 15.0),
                rng.uniform(2.0, 3.0),
            )
        elif phase == Phase.HAUL:
            self.cruise_m_s = rng.uniform(3.0, 4.8)
        elif phase == Phase.DUMP:
            self.phase_length_s = rng.uniform(3.0, 6.0)
        else:
            self._target, self._goal_m, self.cruise_m_s = (
                self._pile,
                rng.uniform(9.0, 14.0),
                rng.uniform(2.2, 3.2),
            )

    def _drive(self, state: MachineState, direction: int, wanted_m_s: float) -> None:
        """Pedals: towards `wanted_m_s` in `direction`, braking first where it still rolls the other way."""
        controls = self.controls
        velocity = state.velocity_m_s
        if velocity * direction < -0.3:
            controls.throttle, controls.brake = 0.0, 0.55
            return
        controls.direction = direction
        # nobody holds a pedal still
        self._unsteady += self._rng.uniform(-0.02, 0.02) - 0.008 * self._unsteady
        error = wanted_m_s * (1.0 + self._unsteady) - abs(velocity)
        # lifting wants engine speed, also while rolling out
        controls.throttle = clamp(0.22 + 0.45 * error, 0.5 * max(controls.lift, 0.0), 1.0)
        controls.brake = clamp(-0.35 * (error + 0.35), 0.0, 0.8)

    def _linkage(self, state: MachineState, lift_deg: float, bucket_deg: float) -> None:
        """Levers: lift arm and bucket towards these angles in degrees."""
        self.controls.lift = clamp((lift_deg - state.lift_deg) / 7.0, -1.0, 1.0)
        self.controls.tilt = clamp((bucket_deg - state.bucket_deg) / 12.0, -1.0, 1.0)

    def _bearing(self, state: MachineState) -> tuple[float, float]:
        """Distance in metres to the target, and how far right of the nose it lies, in degrees."""
        dx, dy = self._target[0] - state.x_m, self._target[1] - state.y_m
        return math.hypot(dx, dy), wrap_deg(math.degrees(math.atan2(dx, dy)) - state.heading_deg)

    def _approach(self, state: MachineState, controls: Controls) -> None:
        distance_m, off_deg = self._bearing(state)
        hauling = self.phase == Phase.HAUL
        controls.steering_deg = clamp(-1.1 * off_deg, -ARTICULATION_DEG, ARTICULATION_DEG)
        # the pile is driven into, the hopper is stopped at
        slowest_m_s = 0.5 if hauling else 1.6
        slowed_m_s = math.sqrt(slowest_m_s**2 + 1.8 * max(distance_m - 1.0, 0.0))
        self._drive(state, 1, min(self.cruise_m_s, slowed_m_s))
        if hauling:
            self._linkage(state, RAISED_DEG if distance_m < 14.0 else CARRY_DEG, 45.0)
        else:
            self._linkage(state, GROUND_DEG, 0.0)
        passed = distance_m < 5.0 and abs(off_deg) > 80.0
        if distance_m < 1.2 or passed or self.phase_s > 60.0:
            self._enter(Phase.DUMP if hauling else Phase.DIG)

    def _back_off(self, state: MachineState, controls: Controls) -> None:
        _, off_deg = self._bearing(state)
        controls.steering_deg = clamp(1.1 * off_deg, -ARTICULATION_DEG, ARTICULATION_DEG)
        loaded = self.phase == Phase.REVERSE
        left_m = self._goal_m - self._driven_m
        facing = abs(off_deg) < FACING_DEG
        self._drive(state, -1, min(self.cruise_m_s, 0.9 + max(left_m, 0.0)) if facing else self.cruise_m_s)
        # a raised bucket is lowered only away from the hopper
        self._linkage(
            state,
            CARRY_DEG if loaded else RAISED_DEG if self._driven_m < 4.0 else GROUND_DEG,
            45.0 if loaded else 0.0,
        )
        if (left_m <= 0.0 and facing) or self._driven_m > 40.0:
            if loaded:
                self._enter(Phase.HAUL)
            elif self._cycles_left <= 0:
                self._enter(Phase.IDLE)
            else:
                self._enter(Phase.DRIVE_TO_PILE)

    def _dig(self, state: MachineState, controls: Controls) -> None:
        """Push in, then lift and tilt back in turns, as operators do to break the material loose."""
        controls.steering_deg = 0.0
        controls.direction = 1
        controls.brake = 0.0
        done = self.phase_s / self.phase_length_s
        controls.throttle = 0.8 if done < 0.3 else 1.0 if done < 0.85 else 0.45
        if done < 0.25:
            self._linkage(state, GROUND_DEG, 0.0)
        else:
            pumping = 1.0 if self.phase_s % 1.6 < 0.9 else 0.25
            self._linkage(state, GROUND_DEG + 22.0 * done, 46.0 * done)
            controls.tilt *= pumping
        if done >= 1.0:
            self._enter(Phase.REVERSE)

    def _stand(self, state: MachineState, controls: Controls) -> None:
        """Idle, or dump: stopped, and for dumping with the bucket emptied once it is up."""
        controls.brake = 0.45 if abs(state.velocity_m_s) > 0.02 else 0.0 if controls.parking_brake else 0.25
        controls.steering_deg *= 0.98
        if abs(state.velocity_m_s) < 0.1:
            controls.direction = 0
        if self.phase == Phase.IDLE:
            controls.throttle = 0.0
            self._linkage(state, GROUND_DEG, 0.0)
            if self.phase_s >= self.phase_length_s:
                self._enter(Phase.DRIVE_TO_PILE)
            return
        controls.throttle = 0.5 if abs(state.velocity_m_s) < 0.3 else 0.5 * max(controls.lift, 0.0)
        self._linkage(state, RAISED_DEG, -45.0 if state.lift_deg > RAISED_DEG - 6.0 else 45.0)
        if state.payload_kg < 60.0 and self.phase_s >= self.phase_length_s:
            self._cycles_left -= 1
            self.loads_dumped += 1
            self._enter(Phase.RETURN)
