"""The page's files at their addresses: bundled, minified, packed, from memory, made anew where one has changed."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

import structlog
from aiohttp import web

from duco_rt.web import bundle, minify
from duco_rt.web.access.address import frame_ancestors

log = structlog.get_logger()

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'"
)

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""Its own table: what the machine knows of endings differs from one to the next."""


_BUNDLES = {"main.js": bundle.script, "style.css": bundle.sheet}
"""What index.html names, with all that it imports in it: one request in place of eighty."""

SIGN_IN = "sign-in.html"

_Stamp = tuple[int, int]


class _Made(NamedTuple):
    """A file as it is sent, and of each file in it what changes when that does."""

    stamps: dict[Path, _Stamp]
    content_type: str
    etag: str
    plain: bytes
    packed: bytes | None


class PageFile:
    """One file of the page. Nothing of it is read before it is asked for the first time."""

    def __init__(self, folder: Path, name: str) -> None:
        """`name` is its path below the page's folder."""
        self._folder = folder
        self._name = name
        self._made: _Made | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The file, or 304 where the asker has it."""
        try:
            made = await self._current()
        except OSError as e:
            raise web.HTTPNotFound from e  # it is gone since the start
        packed = made.packed if _takes_gzip(request) else None
        etag = f'"{made.etag}"' if packed is None else f'"{made.etag}-gzip"'
        headers = {**headers_of(request), "ETag": etag, "Vary": "Accept-Encoding"}
        known = request.if_none_match or ()
        if any(tag.value in ("*", etag.strip('"')) for tag in known):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = made.content_type
        if packed is None:
            return web.Response(body=made.plain, headers=headers)
        return web.Response(body=packed, headers={**headers, "Content-Encoding": "gzip"})

    async def _current(self) -> _Made:
        """As the file is now; made in a thread, as the largest takes a tenth of a second."""
        if self._made is None or any(_stamp(file) != stamp for file, stamp in self._made.stamps.items()):
            self._made = await asyncio.to_thread(_make, self._folder, self._name)
        return self._made


def headers_of(request: web.BaseRequest) -> dict[str, str]:
    """What goes with every file of the page: nothing of others comes in, and no other host's page shows it."""
    return {
        "Content-Security-Policy": f"{_POLICY}; {frame_ancestors(request)}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }


def page_routes(folder: Path | None) -> list[web.RouteDef]:
    """A route for each file below `folder` and for its index: nothing else of the disk has an address."""
    if folder is None:
        return []
    table = []
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if name == SIGN_IN:
            continue  # a template: `access/sign_in_page` has it at /sign-in
        if file.is_file() and not any(part.startswith(".") for part in name.split("/")):
            served = PageFile(folder, name)
            table += [web.get(f"/{name}", served.serve)] + [web.get("/", served.serve)] * (name == "index.html")
    return table


def _stamp(file: Path) -> _Stamp:
    """What changes with a file."""
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def _make(folder: Path, name: str) -> _Made:
    file = folder / name
    stamps = {file: _stamp(file)}
    plain = file.read_bytes()
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        content_type = _TYPES.get(file.suffix, "application/octet-stream")
        return _Made(stamps, content_type, _etag(plain), plain, None)
    if name in _BUNDLES:
        text, paths = _bundled(folder, name)
        stamps |= {folder / path: _stamp(folder / path) for path in paths}
    plain = _short(name, text).encode()
    packed = gzip.compress(plain, 9, mtime=0)
    content_type = f"{_TYPES.get(file.suffix, 'text/plain')}; charset=utf-8"
    return _Made(stamps, content_type, _etag(plain), plain, packed if len(packed) < len(plain) else None)


def _bundled(folder: Path, name: str) -> tuple[str, list[str]]:
    """With what it imports, and which files that are; where these cannot be put together, a browser can load them."""
    read: list[str] = []

    def text_of(path: str) -> str:
        read.append(path)
        return (folder / path).read_text("utf-8")

    try:
        return _BUNDLES[name](name, text_of)
    except (bundle.CannotBundleError, OSError, UnicodeDecodeError) as e:
        log.warning("a file of the page is not bundled", file=name, error=str(e))
        return (folder / name).read_text("utf-8"), [path for path in read if (folder / path).is_file()]


def _short(name: str, text: str) -> str:
    if name.startswith("vendor/") or name.endswith((".min.js", ".min.css")):
        return text
    kinds = {".js": minify.script, ".css": minify.sheet}
    try:
        return kinds.get(Path(name).suffix, str)(text)
    except ValueError as e:
        log.warning("a file of the page is not minified", file=name, error=str(e))
        return text


def _etag(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _takes_gzip(request: web.Request) -> bool:
    """Whether the asker takes it: named, or any, with a weight that is not 0."""
    weights: dict[str, bool] = {}
    for part in ",".join(request.headers.getall("Accept-Encoding", [])).lower().split(","):
        name, _, weight = part.replace(" ", "").partition(";q=")
        weights[name] = weight.strip("0.") != "" if weight else True
    return weights.get("gzip", weights.get("*", False))
