"""Log lines: JSON or text, one key for a sample, and no secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.rights import token_text
from duco_rt.seeing import logs

PROGRAM = """
import logging, sys
import structlog
from duco_rt.seeing import logs
logs.configure(*sys.argv[1:])
log = structlog.get_logger()
log.info("not shown")
logs.steps.log("a step", "D1", "vehicle_can", 7, viewers=2) if logs.steps.on else None
logging.getLogger("some.library").warning("cannot reach %s", "mqtt://anna:geheim@broker:1883")
logging.getLogger("some.library").info("not shown")
try:
    raise ConnectionError("redis://:geheim@x/0: refused")
except ConnectionError:
    log.exception("shown", chassis_id="Ä1", body=b"x", password="geheim")
print("an answer")
"""


def run(*arguments: str) -> list[str]:
    """What a process with that configuration writes to stderr, which is no terminal."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "an answer\n"
    assert "geheim" not in done.stderr
    return done.stderr.splitlines()


def test_lines_are_json_on_stderr_from_the_level_on() -> None:
    """One object a line with level, time and traceback; stdout has the answers alone. Libraries' lines, too."""
    library, line = (json.loads(text) for text in run("warning"))
    assert (line["event"], line["level"], line["chassis_id"]) == ("shown", "error", "Ä1")
    assert line["timestamp"].endswith("Z") and "ConnectionError" in line["exception"]
    assert (library["event"], library["level"], library["logger"]) == (
        "cannot reach mqtt://***@broker:1883",
        "warning",
        "some.library",
    )


def test_text_where_it_is_asked_for() -> None:
    """Without colours where it is no terminal."""
    lines = run("warning", "text")
    assert "cannot reach mqtt://***@broker:1883" in lines[0] and lines[0].endswith("[some.library]")
    assert "[error    ] shown" in lines[1] and "chassis_id=Ä1" in lines[1]
    assert "\x1b" not in "".join(lines)


NOTEBOOK = """
import structlog
from duco_rt.seeing import logs
logs.configure_where_nobody_did()
inner = "geheim"
try:
    raise ConnectionError("redis://:geheim@x/0: refused")
except ConnectionError:
    structlog.get_logger().exception("shown", password="geheim")
structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
logs.configure_where_nobody_did()
structlog.get_logger().info("as the other program has it", password=1)
"""


def test_in_a_notebook_no_variables_are_shown() -> None:
    """Where nobody has set structlog up, tracebacks come without what variables hold; another's choice stays."""
    done = subprocess.run([sys.executable, "-c", NOTEBOOK], capture_output=True, text=True, check=True)
    assert "geheim" not in done.stdout + done.stderr and "ConnectionError" in done.stdout
    assert done.stdout.splitlines()[-1] == "password=1 event='as the other program has it'"


def test_debug_has_a_line_a_step() -> None:
    """With the key of the sample."""
    lines = [json.loads(text) for text in run("debug", "json")]
    [step] = [line for line in lines if line["event"] == "a step"]
    assert (step["sample"], step["viewers"], step["level"]) == ("D1/vehicle_can/7", 2, "debug")
    assert not any("a step" in text for text in run("info", "json"))


def test_a_sample_has_one_key() -> None:
    """Also one of another publisher, which has no position."""
    assert logs.sample_key("DUCO_001", "vehicle_can", 5) == "DUCO_001/vehicle_can/5"
    assert logs.sample_key("DUCO_001", "vehicle_can", None) == "DUCO_001/vehicle_can/?"


def hidden(**line: object) -> dict[str, Any]:
    """A line as it is written."""
    return dict(logs.hide_secrets(None, "info", dict(line)))


NAMED: tuple[str, ...] = (
    "password",
    "hub_password",
    "PASSWORD",
    "token",
    "monitor_token",
    "id_token",
    "client_secret",
    "Authorization",
)
NAMED += ("Cookie", "set-cookie", "device_connection_string", "local_key", "api_key", "private_key")


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_like_a_secret_is_hidden(name: str) -> None:
    """Also within other values."""
    assert hidden(**{name: "s3cret"}) == {name: "***"}
    assert hidden(headers=[{name: ["s3cret"]}]) == {"headers": [{name: "***"}]}


def test_what_only_sounds_like_one_is_not() -> None:
    """Keys of records, ids of tokens, and counts."""
    line = {"key": "DUCO_001", "credential": "0123456789abcdef", "tokens": 3, "token_count": 4, "token": None}
    assert hidden(**line) == line


SECRET = "Q" * 42 + "_"
LEAKS = (
    "redis://anna:{}@host:6379/0",
    "mqtts://:{}@host",
    "cannot connect to amqps://x:{}@y/z: refused",
    "Authorization: Bearer {}",
    "HTTP GET /x?token={}&a=1",
    "https://id.example/back?state={}&code={}",
    "Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey={}",
    "password={} user=anna",
    token_text("0123456789abcdef", SECRET),
    "header eyJhbGciOiJub25lIn0.{}.{}",
)


@pytest.mark.parametrize("text", LEAKS)
def test_what_looks_like_a_secret_is_not_written(text: str) -> None:
    """In any value, however it got there; the rest of the text stays."""
    text = text.format(SECRET, SECRET)
    for line in (
        hidden(event=text),
        hidden(error=ValueError(text)),
        hidden(body=text.encode()),
        hidden(all=({"x": text},)),
    ):
        shown = json.dumps(line, ensure_ascii=False)
        assert SECRET not in shown and "***" in shown


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_can_be_written(value: object) -> None:
    """As JSON, without an error."""
    json.dumps(hidden(value=value), default=repr)


def test_plain_texts_stay_as_they_are() -> None:
    """Addresses without a user, times, paths."""
    for text in ("http://127.0.0.1:8080/", "a@b.c wrote", "10:00 // 5@7", "basic things", "code=7 token of anna"):
        assert logs.scrubbed(text) == text


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whether there are steps is the process's: a test leaves it."""
    before = logs.steps.on
    yield
    logs.steps.on = before
