"""Reading the configuration, strictly.

Layers, later wins: the defaults, the TOML file, the environment (DUCO_SECTION__KEY), `--set section.key=value`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from duco_rt.config import Config, hides
from duco_rt.config.kinds import check_kinds
from duco_rt.config.web import check_web
from duco_rt.errors import ConfigError


def load_config(
    path: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read the configuration. `overrides` are `section.key=value`.

    Without `path` the current folder's config.toml is read where there is one. Raises ConfigError naming key and
    value.
    """
    tree = _read_file(path)
    source = f"{path or 'config.toml'}: "
    _convert(tree, strict=True, source=source)
    for section, keys in tree.items():
        for name in keys:
            _refuse_secret(section, name, source)
    environ = os.environ if environ is None else environ
    layers = [(k[5:].lower().replace("__", "."), v, f"{k}: ") for k, v in environ.items() if _is_key(k)]
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override}: expected section.key=value")
        layers.append((key.strip(), value, "--set "))
    for key, value, source in sorted(layers, key=lambda layer: layer[2] == "--set "):
        section, _, name = key.partition(".")
        if not section or not name:
            raise ConfigError(f"{source}{key} = {value!r}: expected section.key")
        if source == "--set ":
            _refuse_secret(section, name, source)
        is_secret = (section, name) in _secrets()
        tree.setdefault(section, {})[name] = value if is_secret else _literal(section, name, value)
        try:
            _convert({section: {name: tree[section][name]}}, strict=False, source=source)
        except ConfigError:
            if source == "--set " or name in _keys(section):
                raise
            # perhaps the misspelt name of a secret: its value is not shown
            there = ", ".join(Config.__struct_fields__)
            what = "no such key" if _keys(section) else f"no such section; there are {there}"
            raise ConfigError(f"{source}{section}.{name}: {what}") from None
    config = _with_secrets(_convert(tree, strict=False, source=""))
    check_web(config)
    check_kinds(config)
    return config


def _keys(section: str) -> tuple[str, ...]:
    kind = get_type_hints(Config).get(section)
    return kind.__struct_fields__ if kind is not None else ()


def _is_key(name: str) -> bool:
    return name.startswith("DUCO_") and "__" in name


def _read_file(path: str | Path | None) -> dict[str, Any]:
    file = Path(path or "config.toml")
    if not file.exists():
        if path is not None:
            raise ConfigError(f"--config {path}: no such file")
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as e:
        raise ConfigError(f"{file}: {e}") from e


def _literal(section: str, name: str, value: str) -> object:
    """A list or table is read as TOML, of a key that takes several words also words with commas between them; anything
    else stays text, and its key's type reads it."""
    if value[:1] in ("[", "{"):
        try:
            return tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            return value
    if name in _keys(section) and _takes_words(get_type_hints(get_type_hints(Config)[section])[name]):
        return [word.strip() for word in value.split(",")] if value.strip() else []
    return value


def _takes_words(kind: object) -> bool:
    """Whether it is a tuple of texts."""
    if get_origin(kind) is not tuple:
        return False
    item = get_args(kind)[0]
    return item is str or get_origin(item) is Literal


def _convert(tree: dict[str, Any], *, strict: bool, source: str) -> Config:
    try:
        return msgspec.convert(tree, Config, strict=strict)
    except msgspec.ValidationError as e:
        raise ConfigError(source + _explain(tree, str(e))) from e


def _explain(tree: object, words: str) -> str:
    """Turn msgspec's `… - at `$.web.port`` into `web.port = 'x': …`."""
    what, _, at = words.partition(" - at ")
    path = at.strip("`").removeprefix("$").removeprefix(".")
    steps = re.findall(r"[^.\[\]]+", path)
    unknown = re.search(r"unknown field `(.+?)`", what)
    if unknown:
        path, what = ".".join(filter(None, (path, unknown[1]))), "no such key"
        steps.append(unknown[1])
    value, kind = _value(tree, steps), _choices(steps)
    if kind and "enum" in what:
        what = f"expected one of {', '.join(kind)}"
    if len(steps) == 1 and isinstance(value, Mapping):
        held = ", ".join(f"{path}.{key} = {text!r}" for key, text in value.items()) or path
        return f"{held}: no such section; there are {', '.join(Config.__struct_fields__)}"
    return f"{path} = {value!r}: {what[:1].lower()}{what[1:]}"


def _choices(steps: Sequence[str]) -> tuple[str, ...]:
    """The words that a key takes, where it takes words."""
    kind: object = Config
    for step in steps[:2]:
        kind = get_type_hints(kind).get(step)
    words = get_args(kind)
    if words and get_origin(kind) is tuple:
        words = get_args(words[0])
    return tuple(word for word in words if isinstance(word, str))


def _value(tree: object, steps: Sequence[str]) -> object:
    value = tree
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and step.isdigit():
            value = value[int(step)]
    return value


@cache
def _secrets() -> tuple[tuple[str, str], ...]:
    """Section and key of everything that must not stand in a file or on a command line."""
    sections = get_type_hints(Config).items()
    return tuple((section, key) for section, kind in sections for key in kind.__struct_fields__ if hides(kind, key))


def _refuse_secret(section: str, key: str, source: str) -> None:
    if (section, key) in _secrets():
        raise ConfigError(
            f"{source}{section}.{key}: a secret is given by the environment (DUCO_{section.upper()}__{key.upper()})"
            f" or by the file that {section}.{key}_file names"
        )


def _with_secrets(config: Config) -> Config:
    """The configuration with the secrets that lie in files of their own."""
    for section, key in _secrets():
        held = getattr(config, section)
        file = getattr(held, f"{key}_file")
        if not file or getattr(held, key):
            continue
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(f"{section}.{key}_file = {file!r}: {e}") from e
        changed = msgspec.structs.replace(held, **{key: text})
        config = msgspec.structs.replace(config, **{section: changed})
    return config
