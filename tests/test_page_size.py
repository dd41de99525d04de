"""What of the page travels: a limit on our own code, so that it stays quick on a poor line."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

from duco_rt.web import bundle, minify

STATIC = Path(__file__).resolve().parent.parent / "static"
LIMIT_BYTES = 60_000


def text_of(name: str) -> str:
    """A file of the page."""
    return (STATIC / name).read_text("utf-8")


def packed(text: str) -> int:
    """Bytes as they are sent."""
    return len(gzip.compress(text.encode(), 9, mtime=0))


def test_our_code_is_small() -> None:
    """All JavaScript and CSS of the page but ECharts, as the server sends it: at most 60 kB."""
    sizes = {
        "main.js with all its modules": packed(minify.script(bundle.script("main.js", text_of)[0])),
        "style.css with all its sheets": packed(minify.sheet(bundle.sheet("style.css", text_of)[0])),
        "early.js": packed(minify.script(text_of("early.js"))),
        "Preact with htm": packed(text_of("vendor/preact-htm.module.js")),
    }
    assert sum(sizes.values()) <= LIMIT_BYTES, sizes


def test_the_sign_in_page_is_smaller() -> None:
    """What it has beside the page's own sheet; the page itself does not load it."""
    assert packed(minify.script(text_of("sign-in.js"))) + packed(minify.sheet(text_of("sign-in.css"))) <= 1_000


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
    for file in STATIC.rglob("*.js"):
        if "vendor" not in file.parts and file.name != "clock.js":
            assert "Date.now" not in file.read_text("utf-8"), file.name


def test_the_page_has_its_words_from_one_file() -> None:
    """index.html has none of its own but for readers without JavaScript."""
    page = re.sub(r"<noscript>.*?</noscript>|<title>.*?</title>", "", (STATIC / "index.html").read_text("utf-8"))
    shown = re.sub(r"<[^>]*>", " ", page)
    assert re.findall(r"[A-Za-z]{2,}", shown) == []
    assert re.findall(r'(?<!-)(?:aria-label|title|placeholder|alt)="[^"]+"', page) == []
