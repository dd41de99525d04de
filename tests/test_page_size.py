"""What of the page travels: a limit on our own code, so that it stays quick on a poor line."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

from rcssmin import cssmin
from rjsmin import jsmin

STATIC = Path(__file__).resolve().parent.parent / "static"
LIMIT_BYTES = 60_000


def own_files() -> list[Path]:
    """Ours and Preact with htm; ECharts apart."""
    every = [*STATIC.rglob("*.js"), *STATIC.rglob("*.css")]
    return sorted(file for file in every if not file.name.startswith("echarts"))


def sent(file: Path) -> bytes:
    """As the server sends it."""
    text = file.read_text("utf-8")
    if "vendor" not in file.parts:
        text = cssmin(text) if file.suffix == ".css" else jsmin(text)
    return gzip.compress(text.encode(), 9, mtime=0)


def test_our_code_is_small() -> None:
    """All JavaScript and CSS but ECharts: at most 60 kB, each file compressed by itself as it is sent."""
    sizes = {file.relative_to(STATIC).as_posix(): len(sent(file)) for file in own_files()}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:10]
    assert sum(sizes.values()) <= LIMIT_BYTES, f"{sum(sizes.values())} bytes; the largest: {largest}"


def test_vendored_files_are_what_their_list_says() -> None:
    """Each has its SHA-256 in vendor/README.md, and a licence beside it."""
    readme = (STATIC / "vendor" / "README.md").read_text("utf-8")
    named = set(re.findall(r"[0-9a-f]{64}", readme))
    files = sorted((STATIC / "vendor").glob("*.js"))
    assert {hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == named
    for licence in re.findall(r"`([\w.-]+\.(?:LICENSE|NOTICE)[\w-]*)`", readme):
        assert (STATIC / "vendor" / licence).is_file(), licence


def test_no_other_clock() -> None:
    """The viewer's clock may be wrong and may jump: only data/clock.js looks at it."""
    for file in own_files():
        if "vendor" not in file.parts and file.name != "clock.js":
            assert "Date.now" not in file.read_text("utf-8"), file.name


def test_the_page_has_its_words_from_one_file() -> None:
    """index.html has none of its own but for readers without JavaScript."""
    page = re.sub(r"<noscript>.*?</noscript>|<title>.*?</title>", "", (STATIC / "index.html").read_text("utf-8"))
    shown = re.sub(r"<[^>]*>", " ", page)
    assert re.findall(r"[A-Za-z]{2,}", shown) == []
    assert re.findall(r'(?:aria-label|title|placeholder|alt)="[^"]+"', page) == []
