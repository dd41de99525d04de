"""A wheel loader of about 19 t and 200 kW that works in a yard: the same for the same seed. Pure.

Nothing here knows the time of day or a bus; time comes in through `Machine.step`.
"""

from __future__ import annotations

import math
import random

from duco_rt.device.machine_duty import ARTICULATION_DEG, Controls, Duty, Phase
from duco_rt.device.machine_state import GROUND_DEG, IDLE_RPM, TANK_L, MachineState, clamp, count, warm

STEP_S = 0.02
SLOW_STEPS = 25  # temperatures, counters and supplies move every half second
RATED_LOAD_KG = 6000.0
REFERENCE_TORQUE_NM = 1200.0

WHEEL_M = 0.75

_MASS_KG = 19_000.0
_SPAN_RPM = 1350.0
_INERTIA = 4.5  # kg m2, flywheel and converter
_RPM_TO_RAD = math.pi / 30.0
_RATIOS = {1: 80.0, 2: 43.0, 3: 23.5, 4: 15.0, -1: 80.0, -2: 43.0}  # turbine to wheel
_UPSHIFT_M_S = (0.0, 1.5, 3.1, 6.0)
_DOWNSHIFT_M_S = (0.0, 0.0, 0.9, 2.4, 4.8)
_M_PER_DEG_LAT = 111_320.0


class Machine:
    """The loader: `step` it, read `state`, `controls` and `phase`. A 20 ms step costs about 20 us of CPU."""

    def __init__(self, seed: int) -> None:
        """Put the machine somewhere in its yard, half warm; everything random follows from `seed`."""
        self._rng = rng = random.Random(seed)  # nosec B311  # a machine of the demo
        self.duty = Duty(rng)
        self.controls: Controls = self.duty.controls
        self._rest_s = 0.0
        self._steps = 0
        # open fields, moved a little for each machine so that tracks of several do not lie on each other
        self._origin_lat, self._origin_lon = 56.0 + rng.uniform(-0.01, 0.01), 10.0 + rng.uniform(-0.02, 0.02)
        self._m_per_deg_lon = _M_PER_DEG_LAT * math.cos(math.radians(self._origin_lat))
        hours = rng.uniform(800.0, 6000.0)
        self.state = MachineState(
            heading_deg=rng.uniform(190.0, 250.0),
            x_m=rng.uniform(18.0, 26.0),
            y_m=rng.uniform(18.0, 26.0),
            fuel_l=TANK_L * rng.uniform(0.55, 0.95),
            hours_h=hours,
            revolutions=hours * 60.0 * 1250.0,
            odometer_km=hours * 6.5,
            fuel_used_l=hours * 14.0,
            coolant_degc=rng.uniform(60.0, 80.0),
            ambient_degc=rng.uniform(5.0, 25.0),
        )

    @property
    def phase(self) -> Phase:
        """Part of the duty cycle that the machine is in."""
        return self.duty.phase

    @property
    def position_deg(self) -> tuple[float, float]:
        """Latitude and longitude, degrees."""
        s = self.state
        return self._origin_lat + s.y_m / _M_PER_DEG_LAT, self._origin_lon + s.x_m / self._m_per_deg_lon

    @property
    def altitude_m(self) -> float:
        """Height above sea level, metres: the yard slopes gently."""
        return 62.0 + 0.02 * self.state.x_m + 0.01 * self.state.y_m

    def step(self, dt_s: float = STEP_S) -> None:
        """Advance by `dt_s` seconds, in whole steps of 20 ms; a rest is carried to the next call."""
        self._rest_s += dt_s
        while self._rest_s > STEP_S - 1e-9:
            self._rest_s -= STEP_S
            self._step()

    def _step(self) -> None:
        s = self.state
        controls = self.duty.update(s, STEP_S)
        self._hydraulics(s, controls)
        self._shift(s, controls)
        self._engine(s, controls, self._driveline(s, controls))
        self._bucket(s)
        s.time_s += STEP_S
        self._steps += 1
        if self._steps % SLOW_STEPS == 0:
            self._slow(s, controls)

    def _slow(self, s: MachineState, controls: Controls) -> None:
        warm(s, controls.brake, SLOW_STEPS * STEP_S)
        count(s, SLOW_STEPS * STEP_S)
        if s.fuel_l < 0.08 * TANK_L and self.duty.phase == Phase.IDLE:  # the bowser came
            s.fuel_l, s.def_l = 0.95 * TANK_L, 30.0

    def _engine(self, s: MachineState, controls: Controls, converter_nm: float) -> None:
        rpm = s.engine_rpm
        omega = rpm * _RPM_TO_RAD
        # the governor ramps to where the pedal is
        s.desired_rpm += (IDLE_RPM + _SPAN_RPM * controls.throttle - s.desired_rpm) * 0.08
        full_nm = 1150.0 - 0.00042 * (rpm - 1400.0) ** 2
        available_nm = full_nm * (0.55 + 0.45 * min(s.boost_bar / 1.3, 1.0))
        wanted_nm = clamp((s.desired_rpm + 60.0 - rpm) / 250.0, 0.0, 1.0) * full_nm
        s.torque_nm += (min(wanted_nm, available_nm) - s.torque_nm) * 0.3
        s.friction_nm = 45.0 + 0.035 * rpm
        pump_nm = s.pump_kw * 1000.0 / omega / 0.88
        accessories_nm = 4500.0 / omega
        net_nm = s.torque_nm - s.friction_nm - accessories_nm - pump_nm - converter_nm
        gained_rpm = net_nm / _INERTIA * STEP_S / _RPM_TO_RAD + self._rng.uniform(-1.5, 1.5)
        s.engine_rpm = clamp(rpm + gained_rpm, 550.0, 2400.0)
        s.load = clamp(s.torque_nm / full_nm, 0.0, 1.0)
        s.power_kw = s.torque_nm * omega / 1000.0
        s.boost_bar += (1.7 * s.load * clamp((rpm - 700.0) / 900.0, 0.05, 1.0) - s.boost_bar) * 0.03
        s.fuel_rate_l_h += (1.6 + 0.235 * s.power_kw - s.fuel_rate_l_h) * 0.1

    def _shift(self, s: MachineState, controls: Controls) -> None:
        s.shift_left_s = max(s.shift_left_s - STEP_S, 0.0)
        direction = controls.direction
        gear = abs(s.gear)
        speed = abs(s.velocity_m_s)
        if direction == 0:
            wanted = 0
        elif s.gear * direction <= 0 or self.duty.phase == Phase.DIG:
            wanted = direction
        elif s.shift_left_s > 0.0:
            wanted = s.gear
        else:
            if gear < (4 if direction > 0 else 2) and speed > _UPSHIFT_M_S[gear]:
                gear += 1
            elif gear > 1 and speed < _DOWNSHIFT_M_S[gear]:
                gear -= 1
            wanted = gear * direction
        if wanted != s.gear:
            s.gear, s.shift_left_s = wanted, 0.4
            s.shift_count += 1

    def _driveline(self, s: MachineState, controls: Controls) -> float:
        """Converter, wheels, brakes and the pile; returns the converter's torque on the engine, Nm."""
        rpm, v, gear = s.engine_rpm, s.velocity_m_s, s.gear
        if gear == 0:
            s.turbine_rpm += (0.97 * rpm - s.turbine_rpm) * 0.2
            converter_nm, force = 0.04 * rpm, 0.0
        else:
            ratio = _RATIOS[gear]
            sign = 1.0 if gear > 0 else -1.0
            s.turbine_rpm = max(v * sign, 0.0) / WHEEL_M * ratio / _RPM_TO_RAD
            nu = s.turbine_rpm / rpm
            converter_nm = 2.2e-4 * rpm * rpm * clamp(1.0 - nu * nu, -0.25, 1.0)
            if s.shift_left_s > 0.0 or controls.brake > 0.15:  # the brake pedal declutches
                converter_nm *= 0.3
            turbine_nm = converter_nm * max(2.4 - 1.5 * nu, 0.95)
            force = clamp(turbine_nm * ratio * 0.85 / WHEEL_M, -60_000.0, 140_000.0) * sign
        s.slip = clamp(1.0 - s.turbine_rpm / rpm, 0.0, 1.0)
        s.brake_bar += (80.0 * controls.brake - s.brake_bar) * 0.18
        held = 1350.0 * s.brake_bar + (60_000.0 if controls.parking_brake else 0.0)
        mass = _MASS_KG + s.payload_kg
        s.roughness += self._rng.uniform(-0.0012, 0.0012) - 0.01 * s.roughness
        held += (0.025 + s.roughness) * 9.81 * mass
        if self.duty.phase == Phase.DIG:
            s.penetration_m = max(s.penetration_m + v * STEP_S, 0.0)
            held += 28_000.0 + 52_000.0 * s.penetration_m  # the pile pushes back
        else:
            s.penetration_m = 0.0
        s.tractive_n = force - math.copysign(1350.0 * s.brake_bar, v) if abs(v) > 0.01 else force
        self._move(s, controls, force, held, mass)
        return converter_nm

    def _move(self, s: MachineState, controls: Controls, force: float, held: float, mass: float) -> None:
        """Integrate speed, heading and place; `held` is what resists motion either way, N."""
        v = s.velocity_m_s
        if v == 0.0:
            new = 0.0 if abs(force) <= held else (force - math.copysign(held, force)) / mass * STEP_S
        else:
            new = v + (force - math.copysign(held, v)) / mass * STEP_S
            if new * v < 0.0:  # resistance stops, it does not push back
                new = 0.0
        s.acceleration_m_s2 += ((abs(new) - abs(v)) / STEP_S - s.acceleration_m_s2) * 0.3
        s.velocity_m_s = new
        turn = clamp(controls.steering_deg - s.steering_deg, -22.0 * STEP_S, 22.0 * STEP_S)
        s.steering_deg = clamp(s.steering_deg + turn, -ARTICULATION_DEG, ARTICULATION_DEG)
        s.steering_bar += (30.0 + 5.0 * abs(turn) / STEP_S - s.steering_bar) * 0.2
        s.heading_deg = (s.heading_deg - new * STEP_S * s.steering_deg / 3.4) % 360.0
        heading = math.radians(s.heading_deg)
        s.x_m += new * STEP_S * math.sin(heading)
        s.y_m += new * STEP_S * math.cos(heading)

    def _hydraulics(self, s: MachineState, controls: Controls) -> None:
        s.lift_lever += (controls.lift - s.lift_lever) * 0.15
        s.tilt_lever += (controls.tilt - s.tilt_lever) * 0.15
        lift, tilt = s.lift_lever, s.tilt_lever
        demand = 230.0 * max(lift, -0.5 * lift) + 160.0 * abs(tilt)  # lowering needs little oil
        # near its idle speed the pump spares the engine
        flow = min(demand, 0.17 * s.engine_rpm * clamp((s.engine_rpm - 620.0) / 250.0, 0.05, 1.0))
        share = flow / demand if demand > 1.0 else 1.0
        digging = min(s.penetration_m, 1.4) if self.duty.phase == Phase.DIG else 0.0
        stiff = 1.0 - 0.45 * digging
        s.lift_deg = clamp(s.lift_deg + 15.0 * lift * share * stiff * STEP_S, GROUND_DEG, 45.0)
        s.bucket_deg = clamp(s.bucket_deg + 32.0 * tilt * share * stiff * STEP_S, -50.0, 50.0)
        noise = self._rng.uniform(-2.0, 2.0)
        pried_bar = digging * (95.0 if lift > 0.05 else 57.0)
        lift_load = 42.0 + 0.019 * s.payload_kg + pried_bar + 25.0 * abs(lift) + noise
        tilt_load = 30.0 + 0.008 * s.payload_kg + (45.0 + 120.0 * digging) * abs(tilt) - noise
        s.lift_bar += (lift_load - s.lift_bar) * 0.12
        s.tilt_bar += (tilt_load - s.tilt_bar) * 0.12
        busy = 25.0
        if lift > 0.05:
            busy = s.lift_bar + 22.0
        if abs(tilt) > 0.05:
            busy = max(busy, s.tilt_bar + 22.0)
        s.relief = busy > 235.0
        s.pump_bar += (min(busy * (1.15 if s.relief else 1.0), 320.0) - s.pump_bar) * 0.25
        s.pump_flow_l_min += (flow * stiff - s.pump_flow_l_min) * 0.25
        s.pump_kw = s.pump_bar * s.pump_flow_l_min / 600.0

    def _bucket(self, s: MachineState) -> None:
        phase = self.duty.phase
        if phase == Phase.DIG:
            room = 1.0 - s.payload_kg / (1.05 * RATED_LOAD_KG)
            s.payload_kg += max(room, 0.0) * (400.0 + 900.0 * s.penetration_m) * STEP_S
        elif phase == Phase.DUMP and s.bucket_deg < 0.0 and s.payload_kg > 0.0:
            fallen = min(s.payload_kg, (s.payload_kg * 1.8 + 300.0) * STEP_S * min(-s.bucket_deg / 30.0, 1.0))
            s.payload_kg -= fallen
            s.payload_total_t += fallen / 1000.0
