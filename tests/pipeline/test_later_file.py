"""Which seconds wait to be parsed, over the end of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.pipeline.later_file import LaterFile, Span, Waiting
from tests.pipeline.line import PEER


def spans(waiting: Waiting) -> list[tuple[int, int]]:
    """First and last of each."""
    return [(span.from_ms, span.to_ms) for span in waiting.spans]


def test_seconds_become_spans() -> None:
    """What is near is one, in whatever order it comes; a clock that jumps makes at most 16."""
    waiting = Waiting(PEER, [])
    assert all(waiting.note(ts_ms) for ts_ms in (100_000, 101_000, 99_000, 150_000, 900_000))
    assert spans(waiting) == [(99_000, 150_000), (900_000, 900_000)]
    assert all(waiting.note(n * 1_000_000) for n in range(2, 16))
    assert not waiting.note(50_000_000)
    assert waiting.note(899_000) and waiting.seconds == 20 and len(waiting.spans) == 16
    assert waiting.take(10_000) == Span(99_000, 108_999)
    assert spans(waiting)[0] == (109_000, 150_000) and waiting.doing in waiting.all
    assert waiting.note(105_000)  # perhaps too late for who reads now
    assert spans(waiting)[0] == (105_000, 150_000)
    assert waiting.take(60_000) == Span(105_000, 150_000)
    assert spans(waiting)[0] == (899_000, 900_000)


async def test_it_is_there_after_the_end(tmp_path: Path) -> None:
    """A little more than was noted; written only where the file does not have it; gone when all is done."""
    path = tmp_path / "later.json"
    file, waiting = LaterFile(path), Waiting(PEER, [Span(1_000, 2_000)], 2)
    await file.keep([waiting])
    assert await LaterFile(path).load() == [Waiting(PEER, [Span(1_000, 32_000)], 2)]
    path.unlink()
    waiting.note(32_000)
    await file.keep([waiting])
    assert not path.exists()
    waiting.note(32_001)
    await file.keep([waiting])
    assert [spans(each) for each in await LaterFile(path).load()] == [[(1_000, 62_001)]]
    waiting.spans.clear()
    file.changed = True
    await file.keep([])
    assert not path.exists() and await LaterFile(path).load() == []


@pytest.mark.parametrize("text", [b"nonsense", b"[1]", b"[" * 10_000, b"\xff"])
async def test_a_file_that_is_none_of_ours(tmp_path: Path, text: bytes) -> None:
    """Left out; the seconds are in the raw store."""
    (tmp_path / "later.json").write_bytes(text)
    assert await LaterFile(tmp_path / "later.json").load() == []


async def test_what_the_disk_does_not_take_is_tried_again(tmp_path: Path) -> None:
    """With the next."""
    file, waiting = LaterFile(tmp_path / "folder" / "later.json"), Waiting(PEER, [Span(1_000, 2_000)])
    with pytest.raises(OSError, match="No such file"):
        await file.keep([waiting])
    (tmp_path / "folder").mkdir()
    await file.keep([waiting])
    assert len(await file.load()) == 1
    await LaterFile(None).keep([waiting])
    assert await LaterFile(None).load() == []
