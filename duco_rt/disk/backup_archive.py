"""The file of a backup: a tar with a manifest first, then its members in the manifest's order, at last the manifest's
SHA-256. Nothing in it is trusted that the manifest does not say: one changed or missing byte, and it is refused.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from duco_rt.disk.data_version import VERSION
from duco_rt.errors import BadInput, TransportError

FORMAT = 1
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
CHUNK_BYTES = 256 * 1024

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_MANIFEST_BYTES_MAX = 64 * 1024 * 1024
_ID, _PLAIN = r"[A-Za-z0-9_-]{1,64}", r"[A-Za-z0-9_%-][A-Za-z0-9_.%-]{0,80}"
_NAMES = re.compile(
    r"meta\.sqlite|iothub-checkpoints\.sqlite|instance"
    rf"|device/{_ID}\.(?:seq|command)|device/{_ID}\.(?:spool|open)/\d{{12}}\.spool"
    rf"|reparse/{_ID}\.json|parse-later\.json"
    rf"|chdb/(?:raw_data_cache_store|ce_technology|newest)/{_ID}/{_PLAIN}"
)
"""All that a member can be called: no path leads out, no file is none of ours."""


class Source(NamedTuple):
    """What becomes a member: its name there, and the file that does not change while it is read."""

    name: str
    file: Path


class Member(msgspec.Struct, frozen=True):
    """A file of the backup; size in bytes."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself.

    `version` is that of the data directory, `made` Unix ms of the moment that all of it was true, `left_out` says in
    words what of the directory is not in it.
    """

    format: int
    version: int
    program: str
    made: int
    left_out: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(member.size for member in self.members)


def measure(sources: Iterable[Source]) -> tuple[Member, ...]:
    """Read each file once. Raises TransportError."""
    return tuple(_member(source) for source in sources)


def _member(source: Source) -> Member:
    if not is_name(source.name):
        raise TransportError(f"backup: {source.name!r}: a backup has no such file")
    digest, size = hashlib.sha256(), 0
    for chunk in _read(source.file):
        digest.update(chunk)
        size += len(chunk)
    return Member(source.name, size, digest.hexdigest())


def is_name(name: str) -> bool:
    """Whether a member may be called so."""
    return _NAMES.fullmatch(name) is not None


def _read(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK_BYTES):
                yield chunk
    except OSError as e:
        raise TransportError(f"backup: {file}: {e.strerror}") from e


def chunks(manifest: Manifest, sources: Sequence[Source]) -> Iterator[bytes]:
    """The archive, a piece at a time. Raises TransportError where a file is not what it was when it was measured."""
    text = msgspec.json.encode(manifest)
    yield from _whole(MANIFEST, text)
    for member, source in zip(manifest.members, sources, strict=True):
        yield _header(member.name, member.size)
        digest, left = hashlib.sha256(), member.size
        for chunk in _read(source.file):
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
        if left or digest.hexdigest() != member.sha256:
            raise TransportError(f"backup: {source.file} changed while it was read")
        yield _padding(member.size)
    yield from _whole(SEAL, _seal(text))
    yield _END


def _whole(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data))
    yield data
    yield _padding(len(data))


def _seal(manifest: bytes) -> bytes:
    return hashlib.sha256(manifest).hexdigest().encode() + b"\n"


def _header(name: str, size: int) -> bytes:
    """The same bytes for the same name and size, so that what is read can be compared."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


class Archive:
    """An archive that is read once, from its start to its end. Raises BadInput where it is not whole."""

    def __init__(self, opened: BinaryIO) -> None:
        """Reads the manifest."""
        self._opened = opened
        self._text = self._manifest_text()
        try:
            self.manifest = msgspec.json.decode(self._text, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise BadInput(f"its manifest cannot be read: {e}") from e
        _check(self.manifest)

    def _manifest_text(self) -> bytes:
        head = self._opened.read(_BLOCK)
        try:
            size = tarfile.TarInfo.frombuf(head, "ascii", "replace").size
        except tarfile.HeaderError as e:
            raise BadInput("it is no backup of duco_rt") from e
        if head != _header(MANIFEST, size) or not 0 < size <= _MANIFEST_BYTES_MAX:
            raise BadInput("it is no backup of duco_rt")
        return self._exactly(MANIFEST, size)

    def _exactly(self, name: str, size: int) -> bytes:
        data = self._opened.read(size)
        if len(data) != size:
            raise BadInput(f"it is cut short, in {name}")
        self._same(_padding(size), name)
        return data

    def _same(self, expected: bytes, name: str) -> None:
        if self._opened.read(len(expected)) != expected:
            raise BadInput(f"it was changed or is cut short, at {name}")

    def members(self) -> Iterator[tuple[Member, Iterator[bytes]]]:
        """Each member with its bytes, which are taken before the next one; what was taken is only then known to be
        right. After the last one the archive is whole."""
        for member in self.manifest.members:
            self._same(_header(member.name, member.size), member.name)
            data = self._data(member)
            yield member, data
            for _ in data:
                pass
        seal = _seal(self._text)
        self._same(_header(SEAL, len(seal)) + seal + _padding(len(seal)), SEAL)
        self._same(_END, "its end")
        if self._opened.read(1):
            raise BadInput("something comes after its end")

    def _data(self, member: Member) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), member.size
        while left:
            chunk = self._opened.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise BadInput(f"it is cut short, in {member.name}")
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
        self._same(_padding(member.size), member.name)
        if digest.hexdigest() != member.sha256:
            raise BadInput(f"it was changed, in {member.name}")


def _check(manifest: Manifest) -> None:
    if manifest.format != FORMAT or manifest.version > VERSION:
        raise BadInput(f"made by another duco_rt ({manifest.program[:40]}), which this one cannot read: use that one")
    names = [member.name for member in manifest.members]
    bad = next((name for name in names if not is_name(name)), None)
    if bad is not None or len(set(names)) != len(names):
        raise BadInput(f"its manifest names {bad[:80]!r}" if bad is not None else "its manifest names a file twice")
    if manifest.version < 1 or any(member.size < 0 for member in manifest.members):
        raise BadInput("its manifest has numbers that cannot be")


def verify(file: Path) -> Manifest:
    """Read all of a file; its manifest. Raises BadInput, naming the file, where it is not whole."""
    try:
        with file.open("rb") as opened:
            archive = Archive(opened)
            for _ in archive.members():
                pass
            return archive.manifest
    except OSError as e:
        raise BadInput(f"{file}: {e.strerror}") from e
    except BadInput as e:
        raise BadInput(f"{file}: {e}; nothing was done with it") from e


def extract(file: Path, folder: Path) -> Manifest:
    """Write the members under an empty folder, for their owner alone. Raises BadInput, and TransportError where the
    disk does not take them; what is in the folder then is of no use."""
    try:
        with file.open("rb") as opened:
            archive = Archive(opened)
            for member, data in archive.members():
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _write(target, data)
            return archive.manifest
    except OSError as e:
        raise TransportError(f"restore: {e.filename or folder}: {e.strerror}") from e
    except BadInput as e:
        raise BadInput(f"{file}: {e}") from e


def _write(target: Path, data: Iterator[bytes]) -> None:
    with target.open("xb") as out:
        target.chmod(0o600)
        for chunk in data:
            out.write(chunk)
