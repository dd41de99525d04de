"""How a command reaches the process that holds the data directory: by the address and the key in its lock file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from ssl import SSLContext
from typing import Any, Self

import aiohttp
import msgspec

from duco_rt.adapters_meta import open_meta
from duco_rt.config import App, Config
from duco_rt.disk.data_dir import DataDir, Owner, check_there, owner_of
from duco_rt.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    DucoError,
    Forbidden,
    NotFound,
    TransportError,
    Unauthorized,
)
from duco_rt.tls import client_context, pinned
from duco_rt.transports.base_data import Meta

_CODES: dict[str, type[DucoError]] = {
    "bad_request": BadRequest,
    "not_found": NotFound,
    "conflict": Conflict,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
}
_TIMEOUT = aiohttp.ClientTimeout(total=30.0)


def holder(config: Config) -> Owner | None:
    """The process that holds the data directory; None where nobody does. TransportError while it starts."""
    owner = owner_of(Path(config.app.data_dir))
    if owner is not None and not owner.url:
        raise TransportError("the process that holds the data directory is still starting; try again")
    return owner


class Remote:
    """Another process of duco_rt as a command asks it, inside `async with`. `http`: its connections, for what `ask` is
    too small for; their paths are relative to its address and begin with no slash."""

    def __init__(
        self,
        url: str,
        token: str,
        ssl: SSLContext | aiohttp.Fingerprint | bool,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> None:
        self.url = url.rstrip("/") + "/"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ssl = ssl
        self._timeout = timeout
        self.http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Nothing is asked yet."""
        connector = aiohttp.TCPConnector(ssl=self._ssl)
        self.http = aiohttp.ClientSession(self.url, headers=self._headers, connector=connector, timeout=self._timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
        """The JSON of an answer; its error as ours."""
        try:
            async with self.http.request(method, path, json=body, allow_redirects=False) as response:
                status, text = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise TransportError(f"the process at {self.url}: {str(e) or type(e).__name__}") from e
        answer = json_of(text)
        if status >= 400:
            raise error_of(answer)
        return answer


def remote_of(owner: Owner, timeout: aiohttp.ClientTimeout = _TIMEOUT) -> Remote:
    """The process that holds the data directory, asked with its key; its own certificate alone is trusted."""
    return Remote(owner.url, owner.key, pinned(owner.certificate_sha256), timeout)


def metaapi_for_command(config: Config) -> Remote | None:
    """MetaAPI as another process serves it; None where this command has the data directory itself."""
    if config.meta.kind == "http":
        is_https = config.meta.url.startswith("https")
        ssl = client_context(config.meta.ca_file, "meta.ca_file") if is_https else True
        return Remote(config.meta.url, config.meta.token, ssl)
    owner = holder(config)
    return None if owner is None else remote_of(owner)


def check_folder(config: Config, *, adds: bool = False) -> None:
    """Raise ConfigError where no data directory is there, so that one that is mistyped is not made.

    `adds`: the command can be the first one. The folder may be empty then, or not there where it is the default one.
    """
    folder = Path(config.app.data_dir)
    if adds and config.app.data_dir == App().data_dir and not folder.exists():
        return
    try:
        check_there(folder, may_begin=adds)
    except ConfigError as e:
        if not adds or folder.exists():
            raise
        raise ConfigError(f"{e}; `run` makes it, or do so yourself, for its owner alone (mode 0700)") from e


async def meta_for_command(config: Config, stack: AsyncExitStack, *, adds: bool = False) -> Meta:
    """MetaAPI's data: of the process that has it, or else the file itself, held as long as the stack.

    `adds` as for `check_folder`.
    """
    folder = Path(config.app.data_dir)
    owner = holder(config) if config.meta.kind != "http" else None
    if owner is None and config.meta.kind != "http":
        check_folder(config, adds=adds)
        stack.enter_context(DataDir(folder))
    return await open_meta(config, folder, stack, owner=owner)


def json_of(text: bytes) -> Any:  # noqa: ANN401  # JSON
    """What an answer says. Raises TransportError where it is no JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise TransportError(f"an answer that is none of duco_rt: {text[:100]!r}") from e


def error_of(answer: object) -> DucoError:
    """The error that an answer tells of."""
    said = answer.get("error") if isinstance(answer, Mapping) else None
    if not isinstance(said, Mapping) or "code" not in said or "message" not in said:
        return TransportError(f"an answer that is none of duco_rt: {str(answer)[:100]}")
    code, words = str(said["code"]), str(said["message"])
    if code == "no_such_route":
        words += "; the process that was asked is of another version, or has not the role for it"
    return _CODES.get(code, TransportError)(words)
