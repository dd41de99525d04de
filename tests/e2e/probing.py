"""Ask a running server everything that its own description allows, and much that it forbids."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import schemathesis
from hypothesis import strategies as st
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import CheckNode

from duco_rt.web.openapi_operations import OPERATIONS

Json = dict[str, Any]

SHARED = {"Group", "Line", "Axis", "Limit", "Command", "Credential"}
"""Parts of bodies, whose unknown members are passed over, that answers have as well."""

schemathesis.openapi.media_type("application/x-tar", st.binary(max_size=2_000))


class Found(NamedTuple):
    """How many requests were sent, and what was wrong: a text each, with a request that shows it."""

    requests: int
    problems: list[str]


def operations(whole: Json) -> Iterator[tuple[tuple[str, str], Json]]:
    """Method and path of each operation, and what is said of it."""
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            yield (method.upper(), path), operation


def closed(whole: Json) -> Json:
    """The description with answers that may have no member but those that it names."""
    strict = copy.deepcopy(whole)
    bodies = {getattr(each.body, "__name__", "") for each in OPERATIONS.values()} | SHARED | {"FileBody"}
    for name, schema in strict["components"]["schemas"].items():
        if "properties" in schema and name not in bodies:
            schema.setdefault("additionalProperties", False)
    return strict


def probe(
    url: str,
    whole: Json,
    header: Mapping[str, str] | None = None,
    *,
    examples: int = 0,
    stateful: bool = False,
    without: frozenset[tuple[str, str]] = frozenset(),
) -> Found:
    """Send what schemathesis makes of the description; with `examples` also so many random requests of each operation.

    `without`: operations that are left alone.
    """
    strict = closed(whole)
    for method, path in without:
        strict["paths"][path].pop(method.lower())
    schema = schemathesis.openapi.from_dict(strict)
    config = schema.config
    config.update(base_url=url, headers=dict(header or {}), continue_on_failure=True, request_timeout=30)
    config.generation.update(
        max_examples=max(1, examples), deterministic=True, database="none", no_shrink=examples == 0
    )
    config.phases.fuzzing.enabled = examples > 0
    config.phases.stateful.enabled = stateful
    config.checks.positive_data_acceptance.enabled = False  # what belongs together no schema says, such as from and to
    found, requests = dict[str, str](), 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            found[f"{event.label}: {event.value}"] = ""
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.checks)
            for problem, request in _problems(event):
                found.setdefault(problem, request)
    return Found(requests, [f"{problem}\n    {request}" for problem, request in found.items()])


def _problems(event: events.ScenarioFinished) -> Iterator[tuple[str, str]]:
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info is not None and not _stays(check):
                words = " ".join(check.failure_info.failure.message.split())[:500]
                yield f"{event.label}: {check.name}: {words}", check.failure_info.code_sample[:500]


def _stays(check: CheckNode) -> bool:
    """What a machine was told is there after it: only its own row goes at once."""
    return check.name == "use_after_free" and "/commands?" in str(check.failure_info and check.failure_info.code_sample)
