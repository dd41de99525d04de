"""An archive is whole, or refused: whatever was done to it, and whatever it claims."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.disk.backup_archive import (
    FORMAT,
    MANIFEST,
    Archive,
    Manifest,
    Source,
    chunks,
    extract,
    is_name,
    measure,
    verify,
)
from duco_rt.disk.data_version import VERSION
from duco_rt.errors import BadInput, TransportError

FILES = {
    "instance": b"0123456789abcdef",
    "device/D_1.seq": b"",
    "device/D_1.spool/000000000001.spool": b"DSP1" * 300,
    "chdb/ce_technology/20785_1_6_2/value%2Ename.bin": bytes(range(256)) * 2,
    "meta.sqlite": b"x" * 300_000,
}


def sources(folder: Path) -> list[Source]:
    """The files, on disk."""
    found = []
    for name, data in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        found.append(Source(name, file))
    return found


def archive(folder: Path) -> bytes:
    """A whole one."""
    listed = sources(folder)
    manifest = Manifest(FORMAT, VERSION, "0.1.0", 1_795_897_438_923, ("nothing",), measure(listed))
    return b"".join(chunks(manifest, listed))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole one."""
    return archive(tmp_path_factory.mktemp("files"))


def read(data: bytes) -> Manifest:
    """Read all of it."""
    found = Archive(io.BytesIO(data))
    for _ in found.members():
        pass
    return found.manifest


def test_what_was_put_in_comes_out(whole: bytes, tmp_path: Path) -> None:
    """For its owner alone; any tar program reads it too."""
    file = tmp_path / "backup.tar"
    file.write_bytes(whole)
    manifest = verify(file)
    assert [member.name for member in manifest.members] == list(FILES)
    assert (manifest.made, manifest.left_out, manifest.size) == (1_795_897_438_923, ("nothing",), 301_728)
    assert extract(file, tmp_path / "out") == manifest
    out = {str(p.relative_to(tmp_path / "out")): p for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {name: p.read_bytes() for name, p in out.items()} == FILES
    assert {stat.S_IMODE(p.stat().st_mode) for p in out.values()} == {0o600}
    with tarfile.open(file) as tar:
        assert tar.getnames() == [MANIFEST, *FILES, "manifest.sha256"]


def test_another_kind_of_file_is_no_backup(tmp_path: Path) -> None:
    """Nor is an empty one, or one that is not there; the file is named."""
    for data in (b"", b"PK\3\4" * 500, bytes(2000)):
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(BadInput, match=r"file: it is no backup of duco_rt; nothing was done"):
            verify(tmp_path / "file")
    with pytest.raises(BadInput, match=r"absent: No such file"):
        verify(tmp_path / "absent")


@given(st.data())
def test_one_changed_byte_is_seen(whole: bytes, data: st.DataObject) -> None:
    """Wherever it is: manifest, headers, members, padding, end."""
    at = data.draw(st.integers(0, len(whole) - 1) | st.sampled_from(range(0, len(whole), 512)))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(whole)
    changed[at] ^= 1 << bit
    with pytest.raises(BadInput):
        read(bytes(changed))


def test_a_changed_manifest_is_seen(whole: bytes) -> None:
    """Where it still can be read and all else fits: by its seal, and that by itself."""
    for mark, step in ((b'"made":', 8), (b'"0.1.0"', 1), (b"manifest.sha256", 512)):
        changed = bytearray(whole)
        changed[whole.rindex(mark) + step] ^= 1
        with pytest.raises(BadInput, match=r"at manifest\.sha256"):
            read(bytes(changed))


@given(st.data())
def test_one_that_is_cut_short_is_seen(whole: bytes, data: st.DataObject) -> None:
    """Wherever; also one with more after its end."""
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(BadInput):
        read(whole[:cut])
    with pytest.raises(BadInput, match="after its end"):
        read(whole + whole[: cut + 1])


def forged(folder: Path, names: Sequence[str] = ("instance",), **more: Any) -> bytes:
    """An archive whose manifest says that, made so that all the rest fits."""
    listed = sources(folder)[:1] * len(names)
    members = tuple(msgspec.structs.replace(measure(listed[:1])[0], name=name) for name in names)
    manifest = Manifest(FORMAT, VERSION, "0.1.0", 1, (), members)
    return b"".join(chunks(msgspec.structs.replace(manifest, **more), listed))


BAD_NAMES = [
    "../instance", "/etc/passwd", "device/../../x.seq", "device/.seq", "chdb/ce_technology/../data.bin", "version",
    "lock", "chdb/ce_technology/20785_1_6_2/../../x", "chdb/ce_technology/20785_1_6_2/..", "chdb/x/2_1_6_2/data.bin",
    "chdb/metadata/duco.sql", "device/D.spool/1.spool", "reparse/a/b.json", "instance\n", "chdb/newest/all_1_1_1/.x",
    "manifest.json", "restoring/meta.sqlite", "",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    """Nor to a file that no backup has."""
    assert not is_name(name)
    with pytest.raises(BadInput, match="its manifest names"):
        read(forged(tmp_path, [name]))


def test_a_manifest_that_cannot_be(tmp_path: Path) -> None:
    """A newer format or directory, a file twice."""
    with pytest.raises(BadInput, match=r"made by another duco_rt \(9\.9\)"):
        read(forged(tmp_path, version=VERSION + 1, program="9.9"))
    with pytest.raises(BadInput, match="another duco_rt"):
        read(forged(tmp_path, format=FORMAT + 1))
    with pytest.raises(BadInput, match="a file twice"):
        read(forged(tmp_path, ["instance", "instance"]))
    with pytest.raises(BadInput, match="numbers that cannot be"):
        read(forged(tmp_path, version=0))


def test_links_and_folders_are_refused(whole: bytes, tmp_path: Path) -> None:
    """A tar that another program made of the same files, with one of them a link."""
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(whole)) as old,
        tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as new,
    ):
        for info in old.getmembers():
            if info.name == "instance":
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                new.addfile(info)
            else:
                new.addfile(info, old.extractfile(info))
    with pytest.raises(BadInput, match="at instance"):
        read(made.getvalue())


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """The archive ends there, and so is none."""
    listed = sources(tmp_path)
    manifest = Manifest(FORMAT, VERSION, "0.1.0", 1, (), measure(listed))
    listed[0].file.write_bytes(b"fedcba9876543210")
    with pytest.raises(TransportError, match=r"instance changed while it was read"):
        list(chunks(manifest, listed))
    listed[0].file.unlink()
    with pytest.raises(TransportError, match=r"instance: No such file"):
        list(chunks(manifest, listed))


def test_nothing_else_gets_in(tmp_path: Path) -> None:
    """A file of ours that no backup has."""
    (tmp_path / "lock").write_text("key")
    with pytest.raises(TransportError, match="'lock': a backup has no such file"):
        measure([Source("lock", tmp_path / "lock")])
