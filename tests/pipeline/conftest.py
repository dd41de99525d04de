"""A parsing cache over a MetaAPI, for the tests of what it does; a file may have its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.seeing.metrics import Metrics
from tests.pipeline.compiler import Compiler
from tests.pipeline.line import AwayMeta, open_meta


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[AwayMeta]:
    """A MetaAPI that knows DUCO_001."""
    async with open_meta(tmp_path) as found:
        yield found


@pytest.fixture
def metrics() -> Metrics:
    """A registry."""
    return Metrics()


@pytest.fixture
def cache(meta: AwayMeta, metrics: Metrics) -> ParsingCache:
    """An empty cache that asks again at once when it runs."""
    return ParsingCache(meta, 0.001, metrics, compile_parsing=Compiler())


@pytest.fixture
def compiler(cache: ParsingCache) -> Compiler:
    """The compiler of `cache`."""
    found = cache._plans._compile_parsing
    assert isinstance(found, Compiler)
    return found
