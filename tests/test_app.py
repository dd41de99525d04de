"""What a configuration is warned of before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt import app
from duco_rt.config.load import load_config

REAL = ["hub.kind=mqtt", "hub.url=mqtt://h", "log.kind=kafka", "log.bootstrap_servers=h:1"]
REAL += ["live.kind=redis-pubsub", "live.url=redis://h", "store.kind=clickhouse", "store.url=clickhouse://h"]
ASKS = ["meta.kind=http", "meta.url=http://h"]

# roles, settings → the transports that are warned of
TABLE: list[tuple[str, list[str], list[str]]] = [
    ("device,ingest,process,distribute,studio,metaapi", [], []),
    ("ingest,process,distribute,studio,metaapi", [], []),
    ("device", [], ["hub"]),
    ("device", REAL, []),
    ("ingest", [], ["hub", "log", "live", "meta"]),
    ("ingest", REAL, ["meta"]),
    ("ingest", [*REAL, *ASKS], []),
    ("process,distribute,ingest,metaapi", REAL[:2], ["live", "store"]),
    ("distribute", REAL, []),
    ("studio", [*REAL, *ASKS], []),
    ("metaapi", REAL, []),
]


@pytest.mark.parametrize(("roles", "settings", "warned"), TABLE)
def test_what_no_other_process_can_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roles: str, settings: list[str], warned: list[str]
) -> None:
    """A warning, never a refusal, for each embedded transport whose other users are not here."""
    monkeypatch.chdir(tmp_path)
    listed = ",".join(f"'{role}'" for role in roles.split(","))
    config = load_config(overrides=[f"app.roles=[{listed}]", *settings], environ={})
    assert [text.split(".")[0] for text in app.check(config)] == warned
