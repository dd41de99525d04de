"""What the App says of its computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.app_fields import CLIENT_FIELDS
from duco_rt.device.app_metrics import ComputerMetrics


def test_readings_are_documented_numbers_in_their_range(tmp_path: Path) -> None:
    """Each is a field of client_raw_data."""
    values = ComputerMetrics(str(tmp_path)).values(0.0)
    fields = {field.name: field for field in CLIENT_FIELDS}
    assert {"cpu_percent", "memory_percent", "disk_percent", "app_cpu_percent", "app_memory_mb", "uptime_s"} <= set(
        values
    )
    for name, value in values.items():
        field = fields[name]
        assert isinstance(value, int | float)
        assert field.min is None or value >= field.min
        assert field.max is None or value <= field.max


def test_the_computer_is_read_once_a_second_for_all_devices(tmp_path: Path) -> None:
    """Several devices close their seconds spread over the second."""
    computer = ComputerMetrics(str(tmp_path))
    first = computer.values(100.0)
    assert computer.values(100.5) is first
    assert computer.values(101.0) is not first


def test_what_cannot_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine's own data does not wait for it; the next time it may be there again."""
    metrics = ComputerMetrics(str(tmp_path))
    assert metrics.values(0.0)
    with monkeypatch.context() as broken:
        broken.setattr("psutil.disk_usage", _no_disk)
        assert metrics.values(10.0) == {}
    assert metrics.values(20.0)


def _no_disk(_: str) -> None:
    raise PermissionError("no disk")
