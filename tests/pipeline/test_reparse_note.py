"""How far a reading again is, in a file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.errors import TransportError
from duco_rt.pipeline.reparse_note import Note, NoteFile

NOTE = Note("D1", "duco", ("-2h", "now"), ("p", 3), ("a", "b"), 100, 200, 150, 5, 6, {"no_parsing": 2})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The latest one, each device its own; none where there is none, nor after it is removed."""
    file, other = NoteFile(tmp_path / "new" / "folder", "D1"), NoteFile(tmp_path / "new" / "folder", "D2")
    assert file.read() is None
    later = msgspec.structs.replace(NOTE, next_ms=201, parsing=None)
    for note in (NOTE, later):
        file.write(note)
        assert file.read() == note
    assert other.read() is None
    file.remove()
    file.remove()
    assert file.read() is None
    assert list((tmp_path / "new" / "folder").iterdir()) == []


TEXT = msgspec.json.encode(NOTE)
WRONG = {
    "empty": b"",
    "torn": TEXT[: len(TEXT) // 2],
    "zeros": bytes(len(TEXT)),
    "another": b'{"device": "D1"}',
    "list": b"[1]",
    "text": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "before its begin": TEXT.replace(b'"next_ms":150', b'"next_ms":99'),
    "after its end": TEXT.replace(b'"next_ms":150', b'"next_ms":202'),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_says_why(tmp_path: Path, case: str) -> None:
    """A ValueError with a reason, never anything else; a new note replaces it."""
    (tmp_path / "D1.json").write_bytes(WRONG[case])
    with pytest.raises(ValueError, match=r"\w"):
        NoteFile(tmp_path, "D1").read()
    NoteFile(tmp_path, "D1").write(NOTE)
    assert NoteFile(tmp_path, "D1").read() == NOTE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.integers(0, len(TEXT)).map(lambda n: TEXT[:n] + b"}" * 3))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    """A note or a ValueError."""
    (tmp_path / "D1.json").write_bytes(content)
    with suppress(ValueError):
        assert isinstance(NoteFile(tmp_path, "D1").read(), Note)


def test_a_torn_write_leaves_the_old_note(tmp_path: Path) -> None:
    """The new one is put in place whole: what a kill leaves beside it does not count."""
    file = NoteFile(tmp_path, "D1")
    file.write(NOTE)
    (tmp_path / "D1.part").write_bytes(TEXT[:20])
    assert file.read() == NOTE


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Is told as such."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TransportError, match="file"):
        NoteFile(tmp_path / "file", "D1").write(NOTE)
