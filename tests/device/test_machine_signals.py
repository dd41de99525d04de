"""The machine's state as signals of its two buses."""

from __future__ import annotations

import numpy as np
import pytest

from duco_rt.device.machine import Machine
from duco_rt.device.machine_frames import load_dbc
from duco_rt.device.machine_signals import COLUMNS, Signals, row, signals


def a_second(machine: Machine) -> Signals:
    """Signals of the machine's next second."""
    rows = []
    for _ in range(50):
        machine.step()
        rows.append(row(machine))
    return signals(machine, np.array(rows, np.float64))


def test_names_are_those_of_the_dbc_files() -> None:
    """Every signal exists, and all of the machine's own bus are there but the page number."""
    names = set(a_second(Machine(1)))
    own = {signal.name for message in load_dbc("loader").messages for signal in message.signals}
    standard = {signal.name for message in load_dbc("j1939").messages for signal in message.signals}
    assert names <= own | standard
    assert own - names == {"diagnostics_page"}
    assert len(names & standard) >= 60


def test_shapes_and_units() -> None:
    """An array of 50 samples or a number each; units are those of the DBC, whatever the model's."""
    machine = Machine(1)
    for _ in range(8):
        values = a_second(machine)
    assert len(row(machine)) == len(COLUMNS)
    assert all(np.shape(value) in ((), (50,)) for value in values.values())
    speed = np.asarray(values["speed"])
    assert speed[-1] == abs(machine.state.velocity_m_s) * 3.6
    assert np.array_equal(speed, np.asarray(values["WheelBasedVehicleSpeed"]))
    assert values["fuel_level"] == values["FuelLevel1"] == pytest.approx(machine.state.fuel_l / 3.0)


def test_states_follow_the_machine() -> None:
    """Parked: parking brake on, neutral, nothing moves."""
    values = a_second(Machine(1))
    assert np.all(np.asarray(values["parking_brake"]) == 1.0)
    assert np.all(values["TransmissionNeutralSwitch"]) and not np.any(values["TransmissionForwardSwitch"])
    assert not np.any(values["reverse_alarm"]) and np.all(np.asarray(values["travel_direction"]) == 0.0)
