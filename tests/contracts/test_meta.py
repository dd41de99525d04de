"""What every keeper of MetaAPI's data promises, on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.errors import BadRequest, NotFound, TransportError
from duco_rt.metrics import Metrics
from duco_rt.model import Device, Parsing, ParsingFile
from duco_rt.transports.base_data import Meta
from tests.database_texts import KCD
from tests.dbc_texts import dbc_text
from tests.metaapi_server import MetaApiServer

DBC = dbc_text("256 Engine 2\nrpm : 0|16@1+ (1,0)")
FIRST = (ParsingFile("a.dbc", DBC + 'CM_ "ü";\n', "can1"), ParsingFile("b.dbc", DBC, None))
SECOND = (ParsingFile("a.dbc", DBC, "can1"),)
APART = (ParsingFile("a.dbc", DBC, "can1", sources=(3, 0)), ParsingFile("b.kcd", KCD, format="kcd", sources=(253,)))


async def _sqlite(folder: Path, stack: AsyncExitStack) -> Meta:
    from duco_rt.transports.meta_sqlite import SqliteMeta

    meta = SqliteMeta(folder / "meta.sqlite")
    await meta.open()
    return meta


async def _http(folder: Path, stack: AsyncExitStack) -> Meta:
    from duco_rt.transports.meta_http import HttpMeta

    server = await stack.enter_async_context(MetaApiServer(folder).running())
    return HttpMeta(server.url, Metrics())


ADAPTERS: dict[str, Callable[[Path, AsyncExitStack], Awaitable[Meta]]] = {"sqlite": _sqlite, "http": _http}


@pytest.fixture(params=["sqlite", pytest.param("http", marks=pytest.mark.servers)])
async def meta(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Meta]:
    """Empty data of the adapter."""
    async with AsyncExitStack() as stack:
        opened = await ADAPTERS[request.param](tmp_path, stack)
        yield opened
        await opened.close()
        await opened.close()


def group_of(group_id: str, order: int, *fields: str, title: str = "x") -> dict[str, object]:
    """A chart group as it is kept."""
    lines = [{"field": name, "label": None, "color": None} for name in fields]
    return {"groupId": group_id, "title": title, "lines": lines, "msgType": "vehicle_can", "order": order}


async def test_devices_come_and_go(meta: Meta) -> None:
    """Added, replaced, listed by chassisId, forgotten."""
    await meta.put_parsing("p", FIRST)
    two, one = Device("D2", "duco", "Zwei", None), Device("D1", "duco", "Eins", "p")
    foreign = Device("D3", "other", "", None)
    for device in (two, one, foreign):
        await meta.put_device(device)
    assert await meta.devices() == [one, two, foreign]
    assert await meta.devices("duco") == [one, two]
    assert await meta.devices("nobody") == []
    moved = Device("D1", "other", "Eins, neu", None)
    await meta.put_device(moved)
    assert await meta.device("D1") == moved
    assert await meta.devices("duco") == [two]
    await meta.remove_device("D1")
    assert await meta.devices() == [two, foreign]


async def test_parsings_keep_their_versions(meta: Meta) -> None:
    """New files are a new version; the same again are the one that is there."""
    assert await meta.put_parsing("p", FIRST) == Parsing("p", 1, FIRST)
    assert await meta.put_parsing("p", list(FIRST)) == Parsing("p", 1, FIRST)
    assert await meta.put_parsing("p", SECOND) == Parsing("p", 2, SECOND)
    assert await meta.put_parsing("p", FIRST) == Parsing("p", 3, FIRST)
    assert await meta.put_parsing("q", SECOND) == Parsing("q", 1, SECOND)
    assert await meta.put_parsing("q", APART) == Parsing("q", 2, APART)
    assert await meta.parsing("q") == Parsing("q", 2, APART)
    assert await meta.parsing("p") == Parsing("p", 3, FIRST)
    assert [(await meta.parsing("p", version)).files for version in (1, 2, 3)] == [FIRST, SECOND, FIRST]


async def test_groups_are_the_tenants_own_and_in_order(meta: Meta) -> None:
    """Added, replaced by groupId, forgotten; another tenant's are not touched."""
    a, b, foreign = group_of("a", 2, "ü"), group_of("b", 1), group_of("a", 0, title="foreign")
    for group in (a, b):
        await meta.put_group("duco", group)
    await meta.put_group("other", foreign)
    assert await meta.groups("duco") == [b, a]
    changed = group_of("b", 3, "x", "y")
    await meta.put_group("duco", changed)
    assert await meta.groups("duco") == [a, changed]
    await meta.remove_group("duco", "a")
    assert await meta.groups("duco") == [changed]
    assert await meta.groups("other") == [foreign]


UNKNOWN: dict[str, Callable[[Meta], Awaitable[object]]] = {
    "device 'D9'": lambda meta: meta.device("D9"),
    "device 'D8'": lambda meta: meta.remove_device("D8"),
    "parsing 'p'": lambda meta: meta.parsing("p"),
    "parsing 'p' version 7": lambda meta: meta.parsing("p", 7),
    "parsing 'gone'": lambda meta: meta.put_device(Device("D1", "duco", "", "gone")),
    "group 'g'": lambda meta: meta.remove_group("duco", "g"),
}


@pytest.mark.parametrize("what", UNKNOWN)
async def test_what_is_not_there_is_not_found(meta: Meta, what: str) -> None:
    """The error names it, and nothing is left behind."""
    with pytest.raises(NotFound, match=what):
        await UNKNOWN[what](meta)
    assert await meta.devices() == []


async def test_an_old_version_of_a_known_parsing_may_be_unknown(meta: Meta) -> None:
    """The error names the version."""
    await meta.put_parsing("p", FIRST)
    with pytest.raises(NotFound, match="version 2"):
        await meta.parsing("p", 2)


@pytest.mark.parametrize("name", ["", "a b", "ü", "x" * 65, "a/b", "a\n", "a.b"])
async def test_names_of_other_letters_are_refused(meta: Meta, name: str) -> None:
    """1 to 64 of A-Z a-z 0-9 _ - for device, tenant and parsing."""
    for bad in (Device(name, "duco", ""), Device("D1", name, "")):
        with pytest.raises(BadRequest):
            await meta.put_device(bad)
    with pytest.raises(BadRequest):
        await meta.put_parsing(name, FIRST)
    assert await meta.devices() == []


async def test_check(meta: Meta) -> None:
    """Says nothing while all is well, and what is wrong once it is closed."""
    await meta.check()
    await meta.close()
    with pytest.raises(TransportError):
        await meta.check()


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_COMMENT = _TEXT.map(lambda text: f'{DBC}CM_ "{text.translate({34: None, 92: None})}";\n')
_SOURCES = st.lists(st.integers(0, 253), max_size=3, unique=True).map(tuple)
_FILES = st.lists(
    st.builds(ParsingFile, _TEXT, _COMMENT, st.none() | _TEXT, st.just("dbc"), _SOURCES), min_size=1, max_size=3
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=_FILES, name=_TEXT, title=_TEXT.filter(bool))
async def test_texts_come_back_as_they_were(meta: Meta, files: list[ParsingFile], name: str, title: str) -> None:
    """File texts, device names and groups of any letters."""
    assert (await meta.put_parsing("p", files)).files == tuple(files)
    assert (await meta.parsing("p")).files == tuple(files)
    await meta.put_device(Device("D1", "duco", name, "p"))
    assert (await meta.device("D1")).name == name
    group = group_of("g", 0, name, title=title)
    await meta.put_group("duco", group)
    assert await meta.groups("duco") == [group]
