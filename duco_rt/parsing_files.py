"""Database files as the command line and `Decoder` name them: `[BUS=]FILE`, its format by the file's ending."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from duco_rt.errors import BadParsing, ConfigError
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.limits import SOURCE_MAX, TEXT_BYTES_MAX

ENDINGS = ("dbc", "kcd", "sym", "arxml")


def read_files(names: Iterable[str], sources: tuple[int, ...] = ()) -> tuple[ParsingFile, ...]:
    """Database files named as `[BUS=]FILE`; `sources` hold for all.

    An ending .kcd, .sym or .arxml, in any case, says the format; any other is DBC. Texts are UTF-8, or else
    Windows-1252, which DBC and SYM editors write. Raises ConfigError where a file cannot be read, BadParsing where it
    is too large.
    """
    found = []
    for name in names:
        bus, equals, rest = name.partition("=")
        path = Path(rest if equals else name)
        ending = path.suffix[1:].lower()
        text = _read(path, name)
        found.append(
            ParsingFile(path.name, text, bus if equals else None, ending if ending in ENDINGS else "dbc", sources)
        )
    return tuple(found)


def read_sources(text: str) -> tuple[int, ...]:
    """J1939 source addresses written as `0,3` or `0x00,0x03`, each once. Raises ConfigError naming a wrong one."""
    found = []
    for part in text.split(","):
        written = part.strip()
        if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,4}|[0-9]{1,4}", written):
            raise ConfigError(
                f"--sources {text}: {written!r} is no number; expected addresses such as 0,3 or 0x00,0x03"
            )
        source = int(written, 16 if written[:2] in ("0x", "0X") else 10)
        if source > SOURCE_MAX:
            raise ConfigError(f"--sources {text}: {written} is no J1939 source address, 0 to {SOURCE_MAX}")
        found.append(source)
    return tuple(dict.fromkeys(found))


def _read(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(TEXT_BYTES_MAX + 1)
    except OSError as e:
        raise ConfigError(f"--dbc {name}: {e.strerror}") from e
    if len(content) > TEXT_BYTES_MAX:
        raise BadParsing(f"{path.name}: more than {TEXT_BYTES_MAX} bytes")
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
