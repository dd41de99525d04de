"""Log lines of a process whose output is not a terminal."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import structlog
from duco_rt import logs
logs.configure("warning")
log = structlog.get_logger()
log.info("not shown")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("shown", chassis_id="Ä1", body=b"x")
print("an answer")
"""


def test_lines_are_json_on_stderr_from_the_level_on() -> None:
    """One object a line with level, time and traceback; stdout has the answers alone."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "an answer\n"
    [line] = [json.loads(text) for text in done.stderr.splitlines()]
    assert (line["event"], line["level"], line["chassis_id"]) == ("shown", "error", "Ä1")
    assert line["timestamp"].endswith("Z") and "ZeroDivisionError" in line["exception"]
