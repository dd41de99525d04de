"""What the kinds of transport need, and secrets that stay out of files and command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.errors import ConfigError


def load(*overrides: str, **environ: str) -> Config:
    """Load without a file."""
    return load_config(overrides=[f"app.data_dir={Path('x')}", *overrides], environ=environ)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


LACKS: dict[str, tuple[list[str], str]] = {
    "mqtt": (["hub.kind=mqtt"], r"hub\.url = '': .*mqtt://localhost:1883"),
    "kafka": (["log.kind=kafka"], r"log\.bootstrap_servers = ''"),
    "live": (["live.kind=redis-streams"], r"live\.url = ''"),
    "leases": (["leases.kind=redis"], r"leases\.url = ''"),
    "store": (["store.kind=clickhouse"], r"store\.url = ''"),
    "meta": (["meta.kind=http", "app.roles=['ingest']"], r"meta\.url = ''"),
    "another scheme": (["hub.kind=mqtt", "hub.url=http://x"], r"hub\.url = 'http://x': expected mqtt://"),
    "no host": (["leases.kind=redis", "leases.url=redis://"], r"leases\.url = 'redis://'"),
    "a port that is none": (["leases.kind=redis", "leases.url=redis://h:x"], r"leases\.url: Port"),
    "a password after it": (
        ["live.kind=redis-pubsub", "live.url=redis://h?password=:p@"],
        r"live\.url: .*live\.password",
    ),
    "a password and another scheme": (["live.kind=redis-pubsub", "live.url=http://u:p@h"], r"live\.url: .*live\.user"),
    "a password in the address": (["live.kind=redis-pubsub", "live.url=redis://:p@h"], r"live\.url: .*live\.password"),
    "two MetaAPIs": (["meta.kind=http", "meta.url=http://h:1"], r"meta\.kind = 'http': the role metaapi"),
    "events": (["hub.kind=iothub", "app.roles=['ingest']"], r"DUCO_HUB__EVENTS_CONNECTION_STRING"),
    "service": (["hub.kind=iothub", "app.roles=['metaapi']"], r"DUCO_HUB__SERVICE_CONNECTION_STRING"),
    "device": (["hub.kind=iothub", "app.roles=['device']", "hub.host=h"], r"hub\.cert_file and hub\.key_file"),
    "checkpoints": (["hub.checkpoints_url=file:x"], r"hub\.checkpoints_url = 'file:x'"),
}


@pytest.mark.parametrize("case", LACKS)
def test_what_a_kind_lacks_is_named(case: str) -> None:
    """With the key, and what would do."""
    overrides, words = LACKS[case]
    with pytest.raises(ConfigError, match=words) as caught:
        load(*overrides)
    assert ":p@" not in str(caught.value)


ENOUGH = [
    ["hub.kind=mqtt", "hub.url=mqtts://h:8883"],
    ["hub.kind=iothub", "app.roles=['device']", "hub.host=h", "hub.cert_file=c", "hub.key_file=k"],
    ["hub.kind=iothub", "app.roles=['studio']", "meta.kind=http", "meta.url=http://h:8080"],
    ["log.kind=kafka", "log.bootstrap_servers=a:9092,b:9092"],
]


@pytest.mark.parametrize("overrides", ENOUGH, ids=lambda o: " ".join(o))
def test_what_is_enough(overrides: list[str]) -> None:
    """Each role needs its own part alone."""
    load(*overrides)


SECRETS = ["hub.password", "hub.device_connection_string", "log.password", "live.password", "leases.password"]
SECRETS += ["store.password", "hub.service_connection_string", "hub.events_connection_string"]


@pytest.mark.parametrize("key", SECRETS)
def test_secrets_come_from_the_environment_or_a_file_of_their_own(tmp_path: Path, key: str) -> None:
    """Never from the TOML or the command line, whose text others see; the environment wins over the file."""
    section, name = key.split(".")
    file = tmp_path / "other.toml"
    file.write_text(f'[{section}]\n{name} = "hidden"\n')
    variable = f"DUCO_{section}__{name}".upper()
    with pytest.raises(ConfigError, match=variable) as in_file:
        load_config(file, environ={})
    with pytest.raises(ConfigError, match=variable) as in_command:
        load(f"{key}=hidden")
    assert "hidden" not in f"{in_file.value} {in_command.value}"
    (tmp_path / "secret").write_text("of the file\n")
    by_file = load(f"{key}_file=secret")
    assert getattr(getattr(by_file, section), name) == "of the file"
    both = load(f"{key}_file=secret", **{variable: "of the environment"})
    assert getattr(getattr(both, section), name) == "of the environment"


def test_a_secret_s_file_that_is_not_there() -> None:
    """Named by its key."""
    with pytest.raises(ConfigError, match=r"hub\.password_file = 'gone'"):
        load("hub.password_file=gone")


def test_a_secret_is_never_shown() -> None:
    """Not by the configuration's repr, nor where its name is misspelt or it looks like a list."""
    config = load(DUCO_HUB__PASSWORD="[1, 2]", DUCO_STORE__PASSWORD="{a = 1}")
    assert (config.hub.password, config.store.password) == ("[1, 2]", "{a = 1}")
    assert "[1, 2]" not in repr(config) and "a = 1" not in repr(config)
    assert "password='***'" in repr(config.hub) and "password=''" in repr(config.log)
    for variable in ("DUCO_HUB__PASSWROD", "DUCO_HUBB__PASSWORD"):
        with pytest.raises(ConfigError, match=variable) as caught:
            load(**{variable: "hidden"})
        assert "hidden" not in str(caught.value)
