"""The configuration: layers, and errors that name key and value."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.errors import ConfigError

REPO = Path(__file__).resolve().parents[2]


def load(folder: Path, toml: str = "", *overrides: str, **environ: str) -> Config:
    """Load with a file of that text."""
    file = folder / "config.toml"
    file.write_text(toml, encoding="utf-8")
    return load_config(file, overrides=overrides, environ=environ)


LAYERS = {"file": 1, "environment": 2, "--set": 3}


@pytest.mark.parametrize("given_by", [c for n in range(4) for c in itertools.combinations(LAYERS, n)])
def test_the_later_layer_wins(tmp_path: Path, given_by: tuple[str, ...]) -> None:
    """--set over the environment over the file over the defaults, in every combination."""
    config = load(
        tmp_path,
        "[web]\nport = 1\n" if "file" in given_by else "",
        *(["web.port=3"] if "--set" in given_by else []),
        **({"DUCO_WEB__PORT": "2"} if "environment" in given_by else {}),
    )
    assert config.web.port == max((LAYERS[layer] for layer in given_by), default=8080)
    assert config.web.host == "127.0.0.1"


def test_the_last_set_wins(tmp_path: Path) -> None:
    """A key given twice is a correction."""
    assert load(tmp_path, "", "web.port=1", "web.port=2").web.port == 2


VALUES: dict[str, tuple[str, Any]] = {
    "web.port": ("0", 0),
    "app.data_dir": ("/tmp/a=b", "/tmp/a=b"),
    "app.roles": ('["device", "ingest"]', ("device", "ingest")),
    "device.replay": ("[1].log", "[1].log"),
    "device.chassis_id": ("007", "007"),
    "device.key": ("signal:engine_rpm", "signal:engine_rpm"),
    "device.upload_interval_s": ("30", 30),
    "log.batch_age_max_s": ("1", 1.0),
    "store.raw_limit_gb": ("0.5", 0.5),
    "device.dbc": ("['can1=a.dbc']", ("can1=a.dbc",)),
}


@pytest.mark.parametrize("key", VALUES)
@pytest.mark.parametrize("way", ["--set", "environment"])
def test_text_is_read_by_the_type_of_its_key(tmp_path: Path, key: str, way: str) -> None:
    """Numbers, text that looks like one, lists; the same by --set and by the environment."""
    text, wanted = VALUES[key]
    section, name = key.split(".")
    if way == "--set":
        config = load(tmp_path, "", f"{key}={text}")
    else:
        config = load(tmp_path, **{f"DUCO_{section}__{name}".upper(): text})
    assert getattr(getattr(config, section), name) == wanted


WORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "app.roles": ("studio, metaapi", ("studio", "metaapi")),
    "app.msg_types": ("vehicle_can", ("vehicle_can",)),
    "device.dbc": ("can1=a.dbc,b.dbc", ("can1=a.dbc", "b.dbc")),
    "web.proxies": ("", ()),
}


@pytest.mark.parametrize("key", WORDS)
def test_several_words_need_no_brackets(tmp_path: Path, key: str) -> None:
    """Commas between them; the same by --set and by the environment."""
    text, wanted = WORDS[key]
    section, name = key.split(".")
    by_set = load(tmp_path, "", f"{key}={text}")
    by_environment = load(tmp_path, **{f"DUCO_{section}__{name}".upper(): text})
    assert getattr(getattr(by_set, section), name) == getattr(getattr(by_environment, section), name) == wanted


def test_buses_come_from_every_layer(tmp_path: Path) -> None:
    """A list of tables, in the file and on the command line."""
    toml = '[[device.buses]]\nname = "can1"\ninterface = "socketcan"\nchannel = "can0"\n'
    [bus] = load(tmp_path, toml).device.buses
    assert (bus.name, bus.interface, bus.channel, bus.bitrate, bus.fd) == ("can1", "socketcan", "can0", 500_000, False)
    [bus] = load(tmp_path, toml, 'device.buses=[{name="b", interface="pcan", channel=1, fd=true}]').device.buses
    assert (bus.name, bus.channel, bus.fd) == ("b", 1, True)


BAD_FILES = {
    'x = "y"': "config.toml: x = 'y': no such key",
    '[web]\nhots = "a"': "config.toml: web.hots = 'a': no such key",
    '[web]\nport = "80"': "config.toml: web.port = '80': expected `int`, got `str`",
    "[web]\nport = 99999": "config.toml: web.port = 99999: expected `int` <= 65535",
    "web = 5": "config.toml: web = 5: expected `object`",
    "[log]\nbatch_age_max_s = nan": "config.toml: log.batch_age_max_s = nan",
    '[app]\nroles = ["device", "foo"]': "config.toml: app.roles[1] = 'foo'",
    '[app]\nlog_level = "loud"': "config.toml: app.log_level = 'loud'",
    '[hub]\nkind = "pigeon"': "config.toml: hub.kind = 'pigeon'",
    '[device]\nchassis_id = "a b"': "config.toml: device.chassis_id = 'a b'",
    '[device]\nchassis_id = "a\\n"': "config.toml: device.chassis_id = 'a\\n'",
    '[device]\nkey = "never"': "config.toml: device.key = 'never'",
    '[[device.buses]]\nname = "a"\ninterface = "x"\nchannel = 1\nzz = 1': "device.buses[0].zz = 1: no such key",
    '[[device.buses]]\nname = "a"': "device.buses[0] = {'name': 'a'}: object missing required field `interface`",
    "[web": "config.toml: Expected ']'",
}


@pytest.mark.parametrize("toml", BAD_FILES)
def test_a_wrong_file_is_refused(tmp_path: Path, toml: str) -> None:
    """Unknown keys and wrong values, each with file, path and value on one line."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml)
    assert BAD_FILES[toml] in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_KEYS = {
    "web.port=x": "web.port = 'x': expected `int`",
    "web.hots=a": "web.hots = 'a': no such key",
    "nope.x=1": "nope.x = '1': no such section; there are app, hub",
    "web.port.x=1": "web.port.x = '1': no such key",
    "WEB.PORT=1": "WEB.PORT = '1': no such section; there are app, hub",
    "web=5": "web = '5': expected section.key",
    "=5": " = '5': expected section.key",
    "app.roles=device,nobody": "app.roles[1] = 'nobody': expected one of device, ingest",
    "device.buses=can0": "device.buses = 'can0': expected `array`",
    "app.roles=[device": "app.roles = '[device': expected `array`",
    "app.roles=['x']": "app.roles[0] = 'x'",
    "log.batch_age_max_s=nan": "log.batch_age_max_s = 'nan'",
    "web.port": "expected section.key=value",
}


@pytest.mark.parametrize("override", BAD_KEYS)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str) -> None:
    """--set names itself, path and value."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "", override)
    assert str(caught.value).startswith("--set ")
    assert str(caught.value).partition("--set ")[2].find(BAD_KEYS[override]) >= 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DUCO_WEB__PORT", "DUCO_WEB__PORT: web.port = 'x': expected `int`"),
        ("DUCO_WEB__HOTS", "DUCO_WEB__HOTS: web.hots: no such key"),
        ("DUCO_A__B__C", "DUCO_A__B__C: a.b.c: no such section"),
        ("DUCO_WEB__", "DUCO_WEB__: web. = 'x': expected section.key"),
    ],
)
def test_a_wrong_variable_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """The variable is named, and the path that it means."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, **{name: "x"})
    assert str(caught.value).startswith(words)


def test_other_variables_are_not_ours(tmp_path: Path) -> None:
    """Only DUCO_SECTION__KEY is a key."""
    assert load(tmp_path, DUCO_NO_SKIPS="1", PATH="/bin", XDUCO_WEB__PORT="1") == Config()


@pytest.mark.parametrize(
    ("host", "good"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("", False), ("10.0.0.1", False)],
)
def test_only_this_machine_is_served(tmp_path: Path, host: str, good: bool) -> None:
    """Without authentication any other address is refused, from every layer."""
    for toml, override in ((f'[web]\nhost = "{host}"', ()), ("", (f"web.host={host}",))):
        if good:
            assert load(tmp_path, toml, *override).web.host == host
        else:
            with pytest.raises(ConfigError, match=re.escape(f"web.host = {host!r}")):
                load(tmp_path, toml, *override)


def test_which_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config.toml of the current folder where there is one; a named one must be there."""
    monkeypatch.chdir(tmp_path)
    assert load_config(environ={}) == Config()
    (tmp_path / "config.toml").write_text("[web]\nport = 7\n", encoding="utf-8")
    assert load_config(environ={}).web.port == 7
    with pytest.raises(ConfigError, match=r"other\.toml: no such file"):
        load_config("other.toml", environ={})
    with pytest.raises(ConfigError, match=re.escape(tmp_path.name)):
        load_config(tmp_path, environ={})


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=30), st.text(max_size=30))
def test_whatever_is_set_is_read_or_refused(key: str, value: str) -> None:
    """ConfigError and nothing else, on one line."""
    for override in (f"{key}={value}", f"web.{key}={value}", f"device.replay={value}", f"device.buses=[{value}]"):
        try:
            load_config(REPO / "config.toml", overrides=[override], environ={})
        except ConfigError as e:
            assert len(str(e).splitlines()) == 1


def test_the_shipped_file_is_the_defaults() -> None:
    """config.toml at the root: every key that it sets has its default's value, and none is left out."""
    file = REPO / "config.toml"
    if not file.exists():
        pytest.skip("no config.toml at the root")
    assert load_config(file, environ={}) == Config()
    shown = tomllib.loads(file.read_text(encoding="utf-8"))
    text = file.read_text(encoding="utf-8")
    for section, keys in msgspec.to_builtins(Config()).items():
        part = re.search(rf"^\[{section}\]$|^\[{section}\]\s", text, re.MULTILINE)
        assert part, section
        body = text[part.end() :].split("\n[")[0]
        for key in keys:
            assert key in shown.get(section, {}) or re.search(rf"^#?\s*\[*(\w+\.)?{key}\b", body, re.MULTILINE), key


def test_every_key_is_explained() -> None:
    """Each key of the shipped file, commented out or not, has its comment beside it or above."""
    above, lacking = "", []
    for number, line in enumerate((REPO / "config.toml").read_text(encoding="utf-8").splitlines(), 1):
        key = re.match(r"(?:#\s?)?(\w+)\s*=\s*(?P<value>.*)", line)
        if key and "#" not in key["value"] and not above.startswith("#"):
            lacking.append(f"config.toml:{number}: {key[1]}")
        above = line
    assert lacking == []
