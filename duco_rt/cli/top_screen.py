"""The live view drawn: as much as a terminal has room for, what is wrong first."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duco_rt.cli.top_rows import View
from duco_rt.seeing.logs import escaped

_HEAD = ("STAGE", "RATE /s", "OF", "P50", "P99", "QUEUE", "HIGH", "DROPPED")
_RIGHT = {"RATE /s", "P50", "P99", "QUEUE", "HIGH", "DROPPED"}
_STATES_MAX = 8


def screen(title: str, shown: View | str, height: int = 1000) -> RenderableType:
    """All of it; `shown` as a text is what went wrong instead. The least needed lines go where `height` is short."""
    if isinstance(shown, str):
        return Group(Text(escaped(title), style="bold"), Text(), Text(escaped(shown), style="bold red"))
    heads = [_title(title, shown), *_states(shown)]
    table = _stages(shown)
    rest = [*_growing(shown), *_facts(shown), *_details(shown)]
    room = height - len(heads) - len(shown.rows) - 3
    return Group(*heads, Text(), table, *rest[: max(0, room)])


def _title(title: str, shown: View) -> Text:
    text = Text(overflow="ellipsis", no_wrap=True)
    text.append(
        " READY " if shown.is_ready else " NOT READY ", "bold white on green" if shown.is_ready else "bold white on red"
    )
    text.append(f"  {escaped(title)}", "bold")
    return text


def _states(shown: View) -> Iterable[Text]:
    failing = list(shown.states.items())
    for name, state in failing[:_STATES_MAX]:
        yield _line(name, state, "bold red", "red")
    if len(failing) > _STATES_MAX:
        yield Text(f"  and {len(failing) - _STATES_MAX} more", "red")


def _stages(shown: View) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in _HEAD:
        table.add_column(head, justify="right" if head in _RIGHT else "left", no_wrap=True)
    for row in shown.rows:
        *cells, drops, is_bad = row
        table.add_row(*cells, Text(drops, "bold red" if is_bad else ""))
    return table


def _growing(shown: View) -> Iterable[Text]:
    if shown.growing:
        yield Text()
    for words in shown.growing:
        yield _line("lately", words, "yellow", "yellow")


def _facts(shown: View) -> Iterable[Text]:
    yield Text()
    for name, text in shown.facts:
        yield _line(name, text, "dim", "")


def _details(shown: View) -> Iterable[Text]:
    if shown.details:
        yield Text()
        yield Text("since it began", "dim")
    for name, text in shown.details:
        yield _line(name, text, "dim", "")


def _line(name: str, text: str, name_style: str, style: str) -> Text:
    line = Text(overflow="ellipsis", no_wrap=True)
    line.append(f"{escaped(name):<12}", name_style)
    line.append(escaped(text.replace("\n", " ")), style)
    return line
