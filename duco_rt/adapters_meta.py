"""Which keeper of MetaAPI's data a configuration asks for; wiring, as `adapters`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from duco_rt import demo
from duco_rt.config import Config
from duco_rt.disk.data_dir import Owner
from duco_rt.errors import ConfigError
from duco_rt.rights import Credential
from duco_rt.seeing.metrics import Metrics
from duco_rt.tls import client_context, pinned
from duco_rt.transports.base_data import Meta

if TYPE_CHECKING:
    from duco_rt.transports.meta_http import HttpMeta

_STALE_ROUNDS, _STALE_S_MIN = 6, 30.0
"""After how many rounds of asking in vain, and seconds, what MetaAPI said last is too old."""


async def open_meta(
    config: Config, data_dir: Path, stack: AsyncExitStack, simulated: Sequence[str] = (), owner: Owner | None = None
) -> Meta:
    """MetaAPI's data; a fresh one gets the demo identity, and the machines that run simulated here are known.

    `owner`: the process that holds `data_dir`, which is asked in place of the file.
    """
    if config.meta.kind == "http" or owner is not None:
        remote = http_meta(config, Metrics(), owner)
        stack.push_async_callback(remote.close)
        return remote
    from duco_rt.transports.meta_sqlite import SqliteMeta
    from duco_rt.transports.meta_sqlite_devices import Bounds

    bounds = Bounds(config.meta.devices_tenant_max, config.meta.parsings_tenant_max)
    meta = SqliteMeta(data_dir / "meta.sqlite", bounds=bounds)
    stack.push_async_callback(meta.close)
    fresh = await meta.open()
    await demo.seed(meta, fresh=fresh, device_ids=list(simulated))
    await meta.seeded()
    return meta


async def renew_meta(file: Path, old: Path) -> list[Credential]:
    """Put what a backup's database says into a new one, which takes its place: today's tables and nothing else.

    The tokens that the file `old` does not have. Raises ConfigError where the backup's cannot be used.
    """
    from duco_rt.transports.meta_sqlite import SqliteMeta
    from duco_rt.transports.meta_sqlite_restore import token_ids

    new = file.with_name(f"new-{file.name}")
    meta = SqliteMeta(new)
    try:
        await meta.open()
        await meta.restore(file, fresh=True)
        tokens = await meta.tokens()
    except msgspec.DecodeError as e:
        raise ConfigError(f"{file.name}: a token in it cannot be read: {e}") from e
    finally:
        await meta.close()
    known = await asyncio.to_thread(token_ids, old)
    new.replace(file)
    return [token for token in tokens if token.id not in known]


def http_meta(config: Config, metrics: Metrics, owner: Owner | None = None) -> HttpMeta:
    """The MetaAPI of `meta.url`, or of the process that holds this data directory."""
    from duco_rt.transports.meta_http import HttpMeta
    from duco_rt.transports.meta_http_client import Trust

    meta = config.meta
    if meta.kind != "http" and owner is not None:
        trust = Trust(owner.key, pinned(owner.certificate_sha256), "the key in the data directory's lock file")
        return HttpMeta(owner.url, metrics, trust=trust)
    trust = Trust(meta.token)
    if meta.url.startswith("https"):
        trust = trust._replace(ssl=client_context(meta.ca_file, "meta.ca_file"))
    stale_s = max(_STALE_S_MIN, _STALE_ROUNDS * meta.refresh_s)
    return HttpMeta(meta.url, metrics, config.hub.method_timeout_s, trust=trust, stale_s=stale_s)
