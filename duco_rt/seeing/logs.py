"""Log lines: text on a terminal, JSON elsewhere; always on stderr, stdout is for what a command answers.

A line about a message or a second of a machine says which in `sample`: "chassisId/msgType/seq", the same at every stage
of its way; of a message of several seconds it is the first. At level debug there is a line a stage.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from duco_rt.seeing.log_stream import LogStream

log = structlog.get_logger()

HIDDEN = "***"

_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:password|passwd|secret|token|authorization|cookie|connection_string"
    r"|(?:local|api|private|access|account)_key)$",
    re.IGNORECASE,
)
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"://[^\s/?#'\"]*@"), f"://{HIDDEN}@"),  # user and password of an address
    (re.compile(r"\b(duco_[0-9a-f]{16}_)[A-Za-z0-9_-]{43}"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(Bearer)\s+[^\s'\",]+|\b(Basic)\s+[\w+/=]{12,}", re.IGNORECASE), rf"\1\2 {HIDDEN}"),
    (re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),  # a JWT; it may begin once in a run of letters
    (re.compile(r"\b(SharedAccessKey|AccountKey|SharedAccessSignature)=[^;\s'\"]+", re.IGNORECASE), rf"\1={HIDDEN}"),
    (re.compile(r"([?&](?:[a-z]+_)?(?:token|code|sig|state)=)[^&;\s'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b((?:client_)?(?:secret|password)=)[^&;\s'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
)
_DEPTH_MAX = 4

_BLOCKS = ("exception", "stack")
"""What has lines of its own: they are set in, so that none can be taken for another one's."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""C0, C1, ends of lines, directions of writing."""


def configure(level: str, kind: Literal["auto", "text", "json"] = "auto") -> None:
    """Set up the log of this process, that of libraries (from warnings on) as well."""
    is_terminal = sys.stderr.isatty()
    renderer: Processor
    if kind == "text" or (kind == "auto" and is_terminal):
        renderer = _text(colors=is_terminal)
    else:
        renderer = structlog.processors.JSONRenderer()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, hide_secrets, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, LogStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(shared, renderer)
    steps.on = level == "debug"


def configure_where_nobody_did() -> None:
    """In a notebook, or another program that left structlog as it comes: its lines, without secrets, and without the
    variables that its own tracebacks show."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            hide_secrets,
            structlog.dev.ConsoleRenderer(),
        ],
        cache_logger_on_first_use=False,
    )


def _configure_libraries(shared: list[Processor], renderer: Processor) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, hide_secrets, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.WARNING


def _text(colors: bool) -> Processor:
    """Lines for people. A name out of a request or a message begins none of its own, and steers no terminal."""
    console = structlog.dev.ConsoleRenderer(pad_event_to=36, colors=colors)

    def render(logger: WrappedLogger, name: str, line: EventDict) -> str:
        return console(logger, name, {key: _visible(key, value) for key, value in line.items()})

    return render


def _visible(key: str, value: object) -> object:
    """Control characters as Python writes them; what is no text is shown by its repr anyway."""
    if not isinstance(value, str):
        return value
    if key in _BLOCKS:
        return "\n".join(f"    {escaped(part)}" for part in value.split("\n"))
    return escaped(value)


def escaped(text: str) -> str:
    """A text that begins no line and steers no terminal: control characters as Python writes them."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def hide_secrets(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """The last line of defence: whatever is named like a secret, or looks like one, is not written."""
    for key, value in line.items():
        line[key] = _hidden(key, value, 0)
    return line


def _hidden(key: str, value: object, depth: int) -> object:
    if _SECRET_KEY.search(key) and not isinstance(value, bool | int | float | None):
        return HIDDEN
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, bytes | bytearray):
        return scrubbed(repr(bytes(value)))
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEPTH_MAX:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): _hidden(str(name), inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden("", inner, depth + 1) for inner in value]
    return scrubbed(str(value))


def scrubbed(text: str) -> str:
    """A text without what looks like a secret: users and passwords of addresses, tokens, keys."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def sample_key(chassis_id: str, msg_type: str, seq: int | None) -> str:
    """What `sample` says."""
    return f"{chassis_id}/{msg_type}/{'?' if seq is None else seq}"


class Steps:
    """A debug line for each step of a sample's way. Look at `on` before: where it is off nothing is made for it."""

    on = False

    def log(self, event: str, chassis_id: str, msg_type: str, seq: int | None, **more: object) -> None:
        """It came so far."""
        log.debug(event, sample=sample_key(chassis_id, msg_type, seq), **more)


steps = Steps()
