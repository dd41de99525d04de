"""The description of the report of parsing health, against a report."""

from __future__ import annotations

import msgspec

from duco_rt.demo import shipped_parsing
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.parsing_health import HealthReading
from duco_rt.web.openapi_parsing_health import ParsingHealthReport


def test_a_report_has_all_of_it_and_nothing_else() -> None:
    """Member for member; tests/e2e/test_schemathesis.py looks at one of a running machine."""
    for plan in (None, compile_here(shipped_parsing())):
        report = HealthReading(plan, 0, 60_000).report()
        msgspec.convert(report, ParsingHealthReport)
        members = {field.encode_name for field in msgspec.structs.fields(ParsingHealthReport)}
        assert set(report) == members
