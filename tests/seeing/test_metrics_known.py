"""Every metric that is counted is declared and documented, and the reverse."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from duco_rt.seeing.metrics_known import KNOWN, shown
from tests.test_tidy import REPO, modules

CALLS = {
    "count": "counter",
    "gauge": "gauge",
    "set": "gauge",
    "high": "gauge",
    "depth": "gauge",
    "histogram": "histogram",
}
NO_LABELS = {"by", "each"}
DOC = REPO / "docs" / "metrics.md"


class Call(NamedTuple):
    """A place that counts: a pattern of the metric's name, its labels, and whether all of these are known."""

    place: str
    kind: str
    pattern: str
    labels: frozenset[str]


def calls() -> Iterator[Call]:
    """Every use of a registry of metrics in the package."""
    for module in modules("duco_rt"):
        if module.name == "duco_rt.seeing.metrics":
            continue
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr not in CALLS or "metrics" not in ast.unparse(node.func.value):
                continue
            pattern = pattern_of(node.args[0])
            if pattern is not None:
                labels = frozenset(word.arg or "**" for word in node.keywords) - NO_LABELS
                place = f"{module.shown}:{node.lineno}"
                yield Call(place, CALLS[node.func.attr], pattern, labels)
                if node.func.attr == "depth":
                    yield Call(place, "gauge", f"{pattern}_high", labels)


def pattern_of(node: ast.expr) -> str | None:
    """The names that an expression may be, as a regular expression; None for a name that comes from elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = (re.escape(str(each.value)) if isinstance(each, ast.Constant) else r"\w+" for each in node.values)
        return "".join(parts)
    return None


def test_every_metric_is_declared() -> None:
    """With its kind and its labels, in `metrics_known`."""
    problems = []
    for call in calls():
        found = [known for name, known in KNOWN.items() if re.fullmatch(call.pattern, name)]
        if not found:
            problems.append(f"{call.place}: {call.pattern} is not in metrics_known")
        if "\\w+" in call.pattern:  # of several names: those with its labels
            found = [known for known in found if call.labels == frozenset(known.labels)]
        for known in found:
            is_read = known.kind == "counter" and call.kind == "gauge"  # of somebody else, read here
            if known.kind != call.kind and not is_read:
                problems.append(f"{call.place}: {known.name} is a {known.kind} in metrics_known")
            if call.labels != frozenset(known.labels):
                problems.append(f"{call.place}: {known.name} has other labels in metrics_known: {set(known.labels)}")
    assert problems == []


def test_every_declared_metric_is_counted_somewhere() -> None:
    """One that went away goes away from there, too."""
    patterns = {call.pattern for call in calls()} | {
        "transport_failing",
        "gauges_failed_total",
    }  # by the registry itself
    assert [name for name in KNOWN if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []


def test_names_say_what_they_count() -> None:
    """Counters end in _total, what has a unit ends in it, and no label can have a value for each machine or user."""
    for name, known in KNOWN.items():
        assert known.name == name
        assert name.endswith("_total") == (known.kind == "counter"), name
        assert known.kind != "histogram" or name.endswith("_seconds"), name
        assert not {"device", "chassis_id", "tenant", "user", "who", "path", "address"} & set(known.labels), name
        assert re.fullmatch(r"[A-Z0-9][^\n]*[^.\s]", known.help), name
        assert len(list(known.series)) <= 60, f"{name}: too many series"
        assert re.fullmatch(r"(duco|process)_[a-z_]+", shown(name)), name


def table() -> dict[str, str]:
    """The rows of the tables of docs/metrics.md by name."""
    rows = re.findall(r"^\| `(\w+)` \|.*$", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    lines = re.findall(r"^\| `\w+` \|.*$", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows)), "a metric has two rows"
    return dict(zip(rows, lines, strict=True))


def row(name: str) -> str:
    """A metric's row there."""
    known = KNOWN[name]
    labels = [f"`{label}` {', '.join(values)}".strip() for label, values in known.labels.items()]
    return f"| `{shown(name)}` | {known.kind} | {'; '.join(labels)} | {known.help} |"


def test_every_metric_is_documented() -> None:
    """A row each, as declared, but for the high-water marks of queues; no row for what there is not."""
    expected = {shown(name): row(name) for name in KNOWN if not name.endswith("_depth_high")}
    found = table()
    assert sorted(found) == sorted(expected)
    wrong = [expected[name] for name in expected if found[name] != expected[name]]
    assert wrong == [], "docs/metrics.md should say:\n" + "\n".join(wrong)


def test_no_metric_is_declared_twice() -> None:
    """The later one would hide the earlier."""
    text = (REPO / "duco_rt" / "seeing" / "metrics_known.py").read_text(encoding="utf-8")
    names = re.findall(r'_(?:counter|gauge|delay|depth)\(\s*"(\w+)"', text)
    assert sorted(names) == sorted(set(names))
    assert {name for name in KNOWN if not name.endswith("_depth_high")} == set(names)
