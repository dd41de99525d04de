"""The fields of client_raw_data."""

from __future__ import annotations

from duco_rt.app_fields import CLIENT_FIELDS


def test_fields_are_in_order_and_described() -> None:
    """Each once, by name, with its meaning and a sensible range; the demo's among them."""
    names = [field.name for field in CLIENT_FIELDS]
    assert names == sorted(set(names))
    assert {"gps_lat", "gps_lng", "timestamp"} <= set(names)
    for field in CLIENT_FIELDS:
        assert field.description, field.name
        assert field.min is None or field.max is None or field.min < field.max, field.name
        assert field.message is None
