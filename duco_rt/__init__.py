"""duco_rt: real-time telemetry for working machines, from the CAN bus to the browser, in one asyncio process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duco_rt.config.load import load_config
    from duco_rt.decoder import Decoder
    from duco_rt.runtime import Runtime

__version__ = "0.1.0"
__all__ = ["Decoder", "Runtime", "__version__", "load_config"]

_HOME = {"Runtime": "duco_rt.runtime", "load_config": "duco_rt.config.load", "Decoder": "duco_rt.decoder"}


def __getattr__(name: str) -> object:
    """Import what is asked for, so that `Decoder` alone needs neither server nor store."""
    if name not in _HOME:
        raise AttributeError(f"module 'duco_rt' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
