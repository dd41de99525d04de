"""The App's own signals: key and position, from its databases or the shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.device.local_signals import local_plan, read_signals
from duco_rt.device.second import SecondBuilder
from duco_rt.errors import ConfigError
from duco_rt.pipeline.decoding.compiling import compile_here

DBC = """VERSION ""
BU_: ECU
BO_ 256 Key: 2 ECU
 SG_ Ignition : 0|1@1+ (1,0) [0|1] "" Vector__XXX
 SG_ Other : 8|8@1+ (1,0) [0|255] "" Vector__XXX
BO_ 257 Unasked: 1 ECU
 SG_ Third : 0|8@1+ (1,0) [0|255] "" Vector__XXX
BO_ 258 Paged: 2 ECU
 SG_ Page M : 0|8@1+ (1,0) [0|255] "" Vector__XXX
 SG_ Deep m1 : 8|8@1+ (1,0) [0|255] "" Vector__XXX
"""


@pytest.fixture(autouse=True)
def read_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process, which takes no start, but for the test of what cannot be read."""
    if request.function is not test_what_cannot_be_read:
        monkeypatch.setattr("duco_rt.device.local_signals.compile_parsing", compile_here)


@pytest.fixture
def dbc(tmp_path: Path) -> str:
    """A database with a key signal."""
    file = tmp_path / "key.dbc"
    file.write_text(DBC)
    return str(file)


def read(names: list[str], wanted: list[str], frames: list[tuple[str, int, bytes]]) -> dict[str, object]:
    """The wanted signals of a second of these frames."""
    builder = SecondBuilder()
    for i, (channel, can_id, data) in enumerate(frames):
        builder.add((channel, can_id, can_id > 0x7FF, 0, len(data)), i, data)
    return dict(read_signals(local_plan(names, wanted), builder.close(0, 0)))


def test_the_last_value_of_what_is_wanted_alone(dbc: str) -> None:
    """Other signals and messages are not even decoded."""
    frames = [("can1", 256, b"\1\2"), ("can1", 257, b"\3"), ("can1", 256, b"\0\4")]
    assert read([dbc], ["Ignition"], frames) == {"Ignition": 0}
    assert read([dbc], ["Ignition", "Third"], frames) == {"Ignition": 0, "Third": 3}
    plan = local_plan([dbc], ["Ignition"])
    assert [field.name for field in plan.fields] == ["Ignition"]
    assert plan.find("can1", 257, False) == ()


def test_a_database_can_belong_to_one_bus(dbc: str) -> None:
    """Then the same id on another bus is another message."""
    frames = [("can2", 256, b"\1\2")]
    assert read([f"can2={dbc}"], ["Ignition"], frames) == {"Ignition": 1}
    assert read([f"can1={dbc}"], ["Ignition"], frames) == {}


def test_a_signal_on_a_page(dbc: str) -> None:
    """A multiplexed signal is found as any other."""
    assert read([dbc], ["Deep"], [("can1", 258, b"\1\7")]) == {"Deep": 7}
    assert read([dbc], ["Deep"], [("can1", 258, b"\2\7")]) == {}


def test_no_value_leaves_the_one_before() -> None:
    """Of J1939's position, whoever sends it; the newest counts."""
    known = round((48.0 + 210) * 1e7).to_bytes(4, "little") + b"\xff" * 4
    frames = [("can1", 0x18FEF31C, known), ("can1", 0x0CFEF303, b"\xff" * 8)]
    assert read([], ["Latitude", "Longitude"], frames) == {"Latitude": pytest.approx(48.0)}


def test_without_databases_the_shipped_ones() -> None:
    """The simulated machine's position, J1939's VP."""
    latitude = round((48.137 + 210) * 1e7).to_bytes(4, "little")
    longitude = round((11.575 + 210) * 1e7).to_bytes(4, "little")
    found = read([], ["Latitude", "Longitude"], [("can1", 0x18FEF31C, latitude + longitude)])
    assert found == {"Latitude": pytest.approx(48.137), "Longitude": pytest.approx(11.575)}


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """The error names key, file and line."""
    file = tmp_path / "bad.dbc"
    file.write_text("BO_ nonsense\n")
    with pytest.raises(ConfigError, match=r"device\.dbc: bad\.dbc: line 1"):
        local_plan([str(file)], ["x"])
    with pytest.raises(ConfigError, match=r"gone\.dbc"):
        local_plan([str(tmp_path / "gone.dbc")], ["x"])
