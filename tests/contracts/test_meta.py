"""What every keeper of MetaAPI's data promises, on every adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.errors import BadRequest, GroupChanged, NotFound, TransportError
from duco_rt.model import Device, Parsing, ParsingFile
from duco_rt.seeing.metrics import Metrics
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
    lines = [{"field": name, "label": None, "color": None, "style": None, "dash": False} for name in fields]
    content = {"title": title, "lines": lines, "msgType": "vehicle_can", "order": order, "axes": [], "limits": []}
    return {"groupId": group_id, **content}


def unversioned(group: dict[str, object], version: int) -> dict[str, object]:
    """A kept group as it was given; its version and time are as they should be."""
    assert group["version"] == version
    assert isinstance(group["changed"], int)
    assert abs(group["changed"] - time.time() * 1000) < 60_000
    return {name: value for name, value in group.items() if name not in ("version", "changed")}


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
    kept_a, kept_b = await meta.put_group("duco", a), await meta.put_group("duco", b)
    kept_foreign = await meta.put_group("other", foreign)
    assert [unversioned(kept, 1) for kept in (kept_a, kept_b, kept_foreign)] == [a, b, foreign]
    assert await meta.groups("duco") == [kept_b, kept_a]
    changed = group_of("b", 3, "x", "y")
    kept_b = await meta.put_group("duco", changed)
    assert unversioned(kept_b, 2) == changed
    assert await meta.groups("duco") == [kept_a, kept_b]
    await meta.remove_group("duco", "a")
    assert await meta.groups("duco") == [kept_b]
    assert await meta.groups("other") == [kept_foreign]


async def test_a_group_is_changed_where_it_is_of_the_expected_version(meta: Meta) -> None:
    """Else the error has what is there, and nothing changes; where none is it is not found."""
    first, second = group_of("g", 1, "first"), group_of("g", 2, "second")
    for attempt in (meta.put_group("duco", first, 1), meta.remove_group("duco", "g", 1)):
        with pytest.raises(NotFound, match="'g'"):
            await attempt
    await meta.put_group("other", first)
    await meta.put_group("duco", first, 0)
    there = await meta.put_group("duco", second, 1)
    assert unversioned(there, 2) == second
    for expected, words in ((1, "version 2 is there, 1 was changed"), (3, "3 was changed"), (0, "is there, version 2")):
        for attempt in (meta.put_group("duco", first, expected), meta.remove_group("duco", "g", expected or 1)):
            with pytest.raises(GroupChanged) as caught:
                await attempt
            assert caught.value.group == there
        with pytest.raises(GroupChanged, match=words):
            await meta.put_group("duco", first, expected)
    assert await meta.groups("duco") == [there]
    await meta.remove_group("duco", "g", 2)
    assert await meta.groups("duco") == []
    assert len(await meta.groups("other")) == 1


async def test_a_group_that_comes_back_has_a_version_that_it_never_had(meta: Meta) -> None:
    """Who changes the one of before is told; other tenants' groups begin at 1."""
    first, mine = group_of("g", 1, "first"), group_of("g", 1, "mine")
    for version in (1, 2):
        assert unversioned(await meta.put_group("duco", first, version - 1), version) == first
    await meta.put_group("duco", group_of("h", 1))
    await meta.remove_group("duco", "g", 2)
    await meta.remove_group("duco", "h", 1)
    back = await meta.put_group("duco", mine, 0)
    assert unversioned(back, 3) == mine
    for expected in (1, 2):
        with pytest.raises(GroupChanged):
            await meta.put_group("duco", first, expected)
    assert unversioned(await meta.put_group("duco", first, 3), 4) == first
    await meta.remove_group("duco", "g")
    assert unversioned(await meta.put_group("duco", mine), 5) == mine
    assert unversioned(await meta.put_group("other", mine, 0), 1) == mine


@pytest.mark.parametrize("expected", [0, 1])
async def test_of_many_who_expect_the_same_version_one_wins(meta: Meta, expected: int) -> None:
    """What is kept is whole and the winner's; the others are told of it."""
    if expected:
        await meta.put_group("duco", group_of("g", 0, "before"))
    groups = [group_of("g", 0, f"writer_{i}", title=str(i)) for i in range(20)]
    writes = [meta.put_group("duco", group, expected) for group in groups]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    (kept,) = await meta.groups("duco")
    assert [outcome for outcome in outcomes if isinstance(outcome, dict)] == [kept]
    assert unversioned(kept, expected + 1) == groups[outcomes.index(kept)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, GroupChanged)]
    assert [outcome.group for outcome in refused] == [kept] * 19


async def test_every_write_counts(meta: Meta) -> None:
    """Without a version the last one wins, and each raises the version by one."""
    kept = await asyncio.gather(*(meta.put_group("duco", group_of("g", 0, title=str(i))) for i in range(20)))
    assert sorted(int(str(group["version"])) for group in kept) == list(range(1, 21))
    assert await meta.groups("duco") == [group for group in kept if group["version"] == 20]


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


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "\x00", "\u202ex", "\u2028"])
async def test_a_devices_name_is_a_short_text(meta: Meta, name: str) -> None:
    """200 printable characters; lists of devices stay readable, and as small as they are many."""
    with pytest.raises(BadRequest, match=r"name .*: at most 200"):
        await meta.put_device(Device("D1", "duco", name))
    assert await meta.devices() == []
    await meta.put_device(Device("D1", "duco", "車" * 199 + "\u3000"))


async def test_of_which_tenant_a_removed_device_was(meta: Meta) -> None:
    """The last one, until it is known again."""
    for tenant in ("duco", "other"):
        await meta.put_device(Device("D1", tenant, ""))
        assert await meta.tenant_before("D1") is None
    await meta.remove_device("D1")
    assert (await meta.tenant_before("D1"), await meta.tenant_before("D2")) == ("other", None)
    await meta.put_device(Device("D1", "third", ""))
    assert await meta.tenant_before("D1") is None


async def test_check(meta: Meta) -> None:
    """Says nothing while all is well, and what is wrong once it is closed."""
    await meta.check()
    await meta.close()
    with pytest.raises(TransportError):
        await meta.check()


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_NAME = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=200)
_COMMENT = _TEXT.map(lambda text: f'{DBC}CM_ "{text.translate({34: None, 92: None})}";\n')
_SOURCES = st.lists(st.integers(0, 253), max_size=3, unique=True).map(tuple)
_FILES = st.lists(
    st.builds(ParsingFile, _TEXT, _COMMENT, st.none() | _TEXT, st.just("dbc"), _SOURCES), min_size=1, max_size=3
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=_FILES, name=_NAME, title=_TEXT.filter(bool))
async def test_texts_come_back_as_they_were(meta: Meta, files: list[ParsingFile], name: str, title: str) -> None:
    """File texts, device names and groups of any letters."""
    assert (await meta.put_parsing("p", files)).files == tuple(files)
    assert (await meta.parsing("p")).files == tuple(files)
    await meta.put_device(Device("D1", "duco", name, "p"))
    assert (await meta.device("D1")).name == name
    group = group_of("g", 0, name, title=title)
    kept = await meta.put_group("duco", group)
    assert await meta.groups("duco") == [kept]
    assert unversioned(kept, int(str(kept["version"]))) == group
