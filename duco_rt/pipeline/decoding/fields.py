"""Which fields a parsing has and what they are called: from the parsing's text alone, never from traffic. Pure.

A field carries the plain name of its signal where that is the only one in the parsing, else `Message.signal`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
from cantools.database.can import Message


class Field(msgspec.Struct, frozen=True):
    """One field as `GET …/fields` describes it; `choices` names raw numbers; `period_ms` is its usual period."""

    name: str
    unit: str | None = None
    min: float | None = None
    max: float | None = None
    choices: dict[str, str] | None = None
    description: str | None = None
    message: str | None = None
    period_ms: int | None = None


def field_names(messages: Sequence[Message]) -> dict[tuple[str, str], str]:
    """The field name of each (message name, signal name)."""
    pairs = {(message.name, signal.name) for message in messages for signal in message.signals}
    uses = Counter(signal for _, signal in pairs)
    return {pair: pair[1] if uses[pair[1]] == 1 else f"{pair[0]}.{pair[1]}" for pair in pairs}


def fields_of(messages: Sequence[Message], names: dict[tuple[str, str], str]) -> tuple[Field, ...]:
    """The fields in order of name, each once (two databases may describe the same message)."""
    found: dict[str, Field] = {}
    for message in messages:
        for signal in message.signals:
            name = names[message.name, signal.name]
            choices = {str(raw): str(text) for raw, text in (signal.choices or {}).items()} or None
            found.setdefault(
                name,
                Field(
                    name,
                    signal.unit or None,
                    None if signal.minimum is None else float(signal.minimum),
                    None if signal.maximum is None else float(signal.maximum),
                    choices,
                    signal.comment or None,
                    message.name,
                    message.cycle_time or None,
                ),
            )
    return tuple(found[name] for name in sorted(found))
