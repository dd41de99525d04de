"""The sign-in page: `static/sign-in.html` with what is to be said on it."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from duco_rt.web.page_files import SIGN_IN, headers_of

_BARE = Template("<!doctype html><title>Sign in</title><p>$message</p>")
"""Where the page's files are not there."""


class SignInPage:
    """Reads the template once. `issuer`: its address, None where nobody signs in there."""

    def __init__(self, static: Path | None, issuer: str | None) -> None:
        self._template = _BARE if static is None else Template((static / SIGN_IN).read_text("utf-8"))
        self._issuer = issuer

    def answer(self, request: web.Request, status: int = 200, message: str = "", retry_s: float = 0.0) -> web.Response:
        """The page; what stands in it is text, whatever it holds."""
        text = self._template.safe_substitute(
            message=escape(message),
            message_hidden="" if message else "hidden",
            issuer=escape(urlsplit(self._issuer).hostname or "") if self._issuer else "",
            issuer_hidden="" if self._issuer else "hidden",
            token_open="" if self._issuer else "open",
        )
        headers = {**headers_of(request), hdrs.CACHE_CONTROL: "no-store"}
        if status == 401:
            headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
        if retry_s:
            headers[hdrs.RETRY_AFTER] = str(math.ceil(retry_s))
        return web.Response(status=status, text=text, content_type="text/html", headers=headers)
