"""How far a reading again is, kept in a file so that it goes on after any end."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from duco_rt.errors import TransportError


class Note(msgspec.Struct, frozen=True):
    """All before `next_ms` is in the parsed store. `parsing` is name and version, None for a device without one."""

    device: str
    tenant: str
    typed: tuple[str, str]
    parsing: tuple[str, int] | None
    msg_types: tuple[str, ...]
    from_ms: int
    to_ms: int
    next_ms: int
    seconds: int = 0
    samples: int = 0
    problems: dict[str, int] = {}

    @property
    def job(self) -> tuple[object, ...]:
        """What has to be the same for a later run to go on."""
        return self.device, self.tenant, self.typed, self.parsing, self.msg_types


class NoteFile:
    """The note of one device under a folder."""

    def __init__(self, folder: Path, chassis_id: str) -> None:
        self._file = folder / f"{chassis_id}.json"

    def read(self) -> Note | None:
        """The note; None where there is none. Raises ValueError, saying why, where it is none of ours."""
        try:
            note = msgspec.json.decode(self._file.read_bytes(), type=Note)
        except FileNotFoundError:
            return None
        except OSError as e:
            raise ValueError(e.strerror) from e
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise ValueError(str(e)) from e
        if not 0 <= note.from_ms <= note.next_ms <= note.to_ms + 1:
            raise ValueError("its times do not fit each other")
        return note

    def write(self, note: Note) -> None:
        """Replace it at once: a reader finds the old one or the new one whole. Raises TransportError (a full disk)."""
        part = self._file.with_suffix(".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as out:
                out.write(msgspec.json.encode(note))
                out.flush()
                os.fsync(out.fileno())
            part.replace(self._file)
        except OSError as e:
            raise TransportError(f"how far it is cannot be kept: {self._file}: {e.strerror}") from e

    def remove(self) -> None:
        """There is nothing to go on with."""
        self._file.unlink(missing_ok=True)
