"""The Grafana dashboard and the alerts of docs/metrics.md, against what a running process says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from itertools import combinations
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from duco_rt.cli.top_scrape import Scrape, read_scrape
from duco_rt.seeing.metrics_known import KNOWN, shown
from tests.programs import program
from tests.test_tidy import REPO

pytestmark = pytest.mark.servers

DASHBOARD: dict[str, Any] = json.loads((REPO / "docs" / "grafana.json").read_text(encoding="utf-8"))
ALERTS = re.findall(r"^\| [^|]+ \| `(.+)` \| \d+m \|", (REPO / "docs" / "metrics.md").read_text("utf-8"), re.MULTILINE)

NAME = r"(?:duco|process)_[a-z_]+"
SELECTOR = re.compile(rf"\b({NAME})\b(?:\{{([^{{}}]*)\}})?")
MATCHER = re.compile(r'(\w+)\s*(=~|=|!=|!~)\s*"([^"]*)"')
BY = re.compile(rf"\bby \(([^)]*)\)[^{{]*?\b({NAME})\b")
OF_PROMETHEUS = {"instance", "job"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def said(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scrape]:
    """What a fresh process of all roles says: nothing has happened yet."""
    async with (
        program(tmp_path_factory.mktemp("dashboard") / "data", "device.upload_interval_s=600") as started,
        aiohttp.ClientSession() as http,
        http.get(f"{started.url}metrics") as response,
    ):
        assert response.status == 200
        yield read_scrape(await response.text(), 0.0)


def panels() -> list[dict[str, Any]]:
    """All that show something."""
    found: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Where and what is asked of Prometheus."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for note in DASHBOARD["annotations"]["list"]:
        yield note["name"], note["expr"]
    for alert in ALERTS:
        yield "docs/metrics.md", alert


def wrong_with(expression: str, said: Scrape) -> Iterator[str]:
    """What of an expression would find nothing."""
    for name, matchers in SELECTOR.findall(expression):
        series = [labels for labels, _ in said.series(name)]
        if not series:
            yield f"there is no {name}"
            continue
        for label, operator, value in MATCHER.findall(matchers):
            if label in OF_PROMETHEUS:
                continue
            have = {labels.get(label) for labels in series}
            wanted = value.split("|") if "~" in operator else [value]
            yield from (f"{name} has no {label}={each!r}, but {have}" for each in wanted if each not in have)
    for labels, name in BY.findall(expression):
        known = {label for held, _ in said.series(name) for label in held} | OF_PROMETHEUS
        yield from (f"{name} has no label {each}" for each in re.split(r",\s*", labels) if each not in known)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_expression_finds_something(said: Scrape) -> None:
    """Its metrics are there before their first event, with the labels that are asked for."""
    wrong = [f"{where}: {why}" for where, text in expressions() for why in wrong_with(text, said)]
    assert wrong == []


@pytest.mark.asyncio(loop_scope="module")
async def test_the_check_finds_what_is_wrong(said: Scrape) -> None:
    """A name, a label's value, and a label that there is not."""
    for text, why in (
        ("sum(rate(duco_no_such_total{}[5m]))", "there is no duco_no_such_total"),
        ('duco_arrival_delay_seconds_bucket{at="moon"}', "has no at='moon'"),
        ("sum by (tenant) (rate(duco_commands_total{}[5m]))", "duco_commands_total has no label tenant"),
    ):
        assert any(why in each for each in wrong_with(text, said))


def test_every_metric_is_on_the_dashboard() -> None:
    """None is left out: who looks for what goes wrong must not have to know where else to look."""
    text = " ".join(expression for _, expression in expressions()) + json.dumps(DASHBOARD["templating"])
    used = {re.sub(r"_(?:bucket|sum|count)\Z", "", name) for name, _ in SELECTOR.findall(text)}
    assert sorted({shown(name) for name in KNOWN} - used) == []


def test_every_query_is_of_the_chosen_processes_and_source() -> None:
    """Nothing is tied to the Prometheus or the process of who made it."""
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        for target in panel["targets"]:
            found = SELECTOR.findall(target["expr"])
            assert found and all('instance=~"$instance"' in matchers for _, matchers in found), target["expr"]
    kinds = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert kinds == {"datasource": "datasource", "instance": "query"}


def test_panels_lie_beside_each_other() -> None:
    """Each with a title and an id of its own, none over another, none past the edge."""
    places = [(panel["id"], panel["gridPos"]) for panel in DASHBOARD["panels"]]
    assert len({number for number, _ in places}) == len(places)
    assert all(panel["title"] for panel in DASHBOARD["panels"])
    for _, at in places:
        assert at["x"] + at["w"] <= 24
    for (_, one), (_, other) in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_there_are_alerts() -> None:
    """The table is read as it is written."""
    assert len(ALERTS) >= 10
