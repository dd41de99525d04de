"""The page's files over HTTP: short, packed, known by their ETag, and as they are on the disk."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from duco_rt.app import static_folder
from duco_rt.web.page_files import page_routes
from tests.needs import needs

LONG = "// why\ngo( `b  ${ `c  , d` }` ) ; // and more\n" * 20
FILES: dict[str, bytes] = {
    "index.html": b"<!doctype html>\n<title> x </title>\n" * 10,
    "own.js": LONG.encode(),
    "main.js": b"",
    "style.css": b"",
    "short.js": b"go( 1 ) ;",
    "sub/deep.js": LONG.encode(),
    "own.css": b"a { color : red ; } /* why */\n" * 20,
    "vendor/lib.js": LONG.encode(),
    "vendor/NOTICE": "© x\n".encode() * 20,
    "lib.min.js": LONG.encode(),
    "icon.svg": b"<svg   xmlns='http://www.w3.org/2000/svg'></svg>" * 5,
    "photo.png": b"\x89PNG\r\n\x1a\n" + bytes(400),
    ".hidden.js": b"x",
    "sub/.git/config": b"x",
}
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
async def page(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks its server; nothing is unpacked, and no header is added."""
    application = web.Application()
    application.add_routes(page_routes(folder))
    async with (
        TestServer(application) as server,
        aiohttp.ClientSession(
            server.make_url("/"), auto_decompress=False, skip_auto_headers=["Accept-Encoding"]
        ) as session,
    ):
        yield session


async def body(page: aiohttp.ClientSession, path: str, **headers: str) -> bytes:
    """What comes of a file."""
    async with page.get(path, headers=headers) as response:
        assert response.status == 200
        return await response.read()


TYPES = {
    "/": "text/html; charset=utf-8",
    "/index.html": "text/html; charset=utf-8",
    "/own.js": "text/javascript; charset=utf-8",
    "/own.css": "text/css; charset=utf-8",
    "/icon.svg": "image/svg+xml; charset=utf-8",
    "/photo.png": "image/png",
    "/vendor/NOTICE": "text/plain; charset=utf-8",
}


@pytest.mark.parametrize("path", TYPES)
async def test_types_and_policy(page: aiohttp.ClientSession, path: str) -> None:
    """The browser is told what it is, and that nothing of others may come in, packed or not, sent or not."""
    async with page.get(path) as response:
        assert response.headers["Content-Type"] == TYPES[path]
        etag = response.headers["ETag"]
    for headers, status in (({}, 200), (GZIP, 200), ({"If-None-Match": etag}, 304)):
        async with page.get(path, headers=headers) as response:
            assert response.status == status
            policy = response.headers["Content-Security-Policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'"} <= set(policy)
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "same-origin"
            assert response.headers["Cache-Control"] == "no-cache"
            assert response.headers["Vary"] == "Accept-Encoding"


async def test_what_has_an_address(page: aiohttp.ClientSession) -> None:
    """The files, but what begins with a dot, and nothing beside or above them."""
    for path in ("/.hidden.js", "/sub/.git/config", "/sub", "/sub/", "/../secret", "/%2e%2e/secret", "/nowhere.js"):
        async with page.get(path) as response:
            assert response.status == 404, path


async def test_ours_are_short_and_those_of_others_as_they_are(page: aiohttp.ClientSession) -> None:
    """Scripts and sheets lose comments and spaces; a template keeps its own."""
    short = b",".join([b"go(`b  ${`c  , d`}`)"] * 20)
    assert await body(page, "/own.js") == await body(page, "/sub/deep.js") == short
    assert await body(page, "/own.css") == b"a{color:red}" * 20
    for name in ("vendor/lib.js", "lib.min.js", "index.html", "icon.svg", "photo.png", "vendor/NOTICE"):
        assert await body(page, f"/{name}") == FILES[name]


@pytest.mark.servers
async def test_the_entry_has_all_that_it_imports(page: aiohttp.ClientSession, folder: Path) -> None:
    """A change of any part shows; parts that cannot be put together are left to the browser, until they are mended."""
    (folder / "part.js").write_text("export const n = 1;\n")
    (folder / "main.js").write_text("import { n } from './part.js';\ngo(n);\n")
    assert b"import" not in await body(page, "/main.js")
    assert b"=1" in await body(page, "/main.js")
    (folder / "part.js").write_text("export const n = 22;\n")
    assert b"=22" in await body(page, "/main.js")
    (folder / "part.js").write_text("export default 22;\n")
    assert await body(page, "/main.js") == b'import{n}from"./part.js";go(n)'
    (folder / "part.js").write_text("export const n = 333;\n")
    assert b"=333" in await body(page, "/main.js")
    (folder / "style.css").write_text('@import "own.css";\np { margin: 0; }\n')
    assert await body(page, "/style.css") == b"a{color:red}" * 20 + b"p{margin:0}"


TAKEN = {
    "gzip": True,
    "deflate, gzip;q=0.1": True,
    "br;q=1.0, *": True,
    "GZIP": True,
    "gzip;q=0": False,
    "gzip; q=0.000, *": False,
    "*;q=0": False,
    "br": False,
    "": False,
}


@pytest.mark.parametrize("accepted", TAKEN)
async def test_packed_for_who_takes_it(page: aiohttp.ClientSession, accepted: str) -> None:
    """Text that shrinks; the same bytes unpacked, and of another ETag."""
    plain = await body(page, "/own.js")
    async with page.get("/own.js", headers={"Accept-Encoding": accepted}) as response:
        content = await response.read()
        assert (response.headers.get("Content-Encoding") == "gzip") == TAKEN[accepted]
        assert (gzip.decompress(content) if TAKEN[accepted] else content) == plain
        assert int(response.headers["Content-Length"]) == len(content)
        packed_etag = response.headers["ETag"]
    async with page.get("/own.js") as response:
        assert (response.headers["ETag"] != packed_etag) == TAKEN[accepted]


async def test_what_does_not_shrink_is_not_packed(page: aiohttp.ClientSession) -> None:
    """A few bytes, and what is no text."""
    for path in ("/short.js", "/photo.png"):
        async with page.get(path, headers=GZIP) as response:
            assert "Content-Encoding" not in response.headers


async def test_who_has_it_gets_304(page: aiohttp.ClientSession) -> None:
    """By the ETag, weak or among others; another one gets the file."""
    async with page.get("/own.js", headers=GZIP) as response:
        etag = response.headers["ETag"]
        assert not etag.startswith("W/")
    for known, status in ((etag, 304), (f'"x", W/{etag}', 304), ("*", 304), ('"x"', 200), (etag[:-2] + '"', 200)):
        async with page.get("/own.js", headers={**GZIP, "If-None-Match": known}) as response:
            assert response.status == status, known
            assert response.headers["ETag"] == etag
            assert bool(await response.read()) == (status == 200)
    async with page.get("/own.js", headers={"If-None-Match": etag}) as response:
        assert response.status == 200, "it has the packed one"


async def test_head(page: aiohttp.ClientSession) -> None:
    """All but the content."""
    async with page.get("/own.js", headers=GZIP) as response:
        names = ("Content-Length", "Content-Type", "Content-Encoding", "ETag")
        wanted = {name: response.headers[name] for name in names}
    async with page.head("/own.js", headers=GZIP) as response:
        assert {name: response.headers[name] for name in names} == wanted
        assert await response.read() == b""


async def test_a_change_shows_at_the_next_request(page: aiohttp.ClientSession, folder: Path) -> None:
    """Of another length, or of the same at another time; back as before it has its first ETag again."""
    async with page.get("/own.js") as response:
        first = response.headers["ETag"]
    for ns, content in ((10**18, b"go( 1 )"), (10**18, b"go( 1 , 2 )"), (2 * 10**18, b"go( 1 , 3 )")):
        (folder / "own.js").write_bytes(content)
        os.utime(folder / "own.js", ns=(ns, ns))
        async with page.get("/own.js", headers={"If-None-Match": first}) as response:
            assert await response.read() == content.replace(b" ", b"")
    (folder / "own.js").write_bytes(FILES["own.js"])
    async with page.get("/own.js", headers={"If-None-Match": first}) as response:
        assert response.status == 304
    (folder / "own.js").unlink()
    async with page.get("/own.js") as response:
        assert response.status == 404


@pytest.mark.servers
async def test_what_is_sent_of_every_script_parses(tmp_path: Path) -> None:
    """Those of others too."""
    node, static = needs("node"), static_folder()
    if static is None:
        pytest.skip("the page's files are not there")
    application = web.Application()
    application.add_routes(page_routes(static))
    names = [file.relative_to(static).as_posix() for file in sorted(static.rglob("*.js"))]
    async with TestServer(application) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        for number, name in enumerate(names):
            async with session.get(f"/{name}") as response:
                assert response.status == 200, name
                file = tmp_path / f"{number}.mjs"
                file.write_bytes(await response.read())
            check = partial(subprocess.run, capture_output=True, text=True, check=False, timeout=60)
            done = await asyncio.to_thread(check, [node, "--check", file])
            assert done.returncode == 0, f"{name}: {done.stderr}"
    assert "main.js" in names
