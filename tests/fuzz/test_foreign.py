"""What other programs put into brokers, logs and hubs: read, or refused as BadInput, and kept by a real store."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadInput
from duco_rt.model import Sample
from duco_rt.pipeline.distribute import Distribute
from duco_rt.pipeline.ingest import encode_live
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_iothub.messages import is_realtime, message_of
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.log_kafka_codec import decode_parsed, decode_raw, encode_parsed, encode_raw
from duco_rt.transports.log_memory import MemoryLog
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.web.live.samples import read_sample
from tests.fuzz.messages import INT64, JSON, mangled
from tests.fuzz.test_stages import Run, with_examples
from tests.pipeline.line import PEER
from tests.transports.hub_iothub.test_messages import OURS, event

PARSED = encode_parsed(Sample(PEER, 1_700_000_000_000, 5, 1_700_000_000_500, {"a": 1.5, "b": "x"}, {}), Counter()).value
LEVELS = st.sampled_from(
    ["devices", "D", "messages", "events", "methods", "res", "status", "200", "", "x" * 9_999, "%ff", "é"]
)
TOPICS = st.text(max_size=60) | st.lists(LEVELS, max_size=7).map("/".join)
READERS: tuple[Callable[[str], object], ...] = (
    lambda topic: topics.read_events(topic, b""),
    topics.read_method,
    topics.read_answer,
    topics.read_status,
)


@given(TOPICS)
def test_any_topic(topic: str) -> None:
    """BadInput and nothing else."""
    for read in READERS:
        try:
            read(topic)
        except BadInput:
            continue


_BYTES = st.none() | st.binary(max_size=20)
_HEADERS = st.sampled_from(
    ["msgType", "realtime", "seq", "ts", "contentType", "contentEncoding", "tenant", "received", "x"]
)
_NUMBERS = st.integers(-(2**70), 2**70).map(lambda number: b"%d" % number)


@given(
    _BYTES,
    _BYTES,
    st.lists(st.tuples(_HEADERS, st.binary(max_size=9) | _NUMBERS | st.just(b"\xed\xa0\x80")), max_size=12),
)
def test_any_raw_record(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    """BadInput, or a message that can be written again."""
    try:
        raw = decode_raw(key, value, headers)
    except BadInput:
        return
    assert decode_raw(*encode_raw(raw)) == raw


_ANY = st.binary(max_size=9) | st.text(max_size=9) | st.integers() | st.none() | st.booleans()


@given(
    st.dictionaries(st.sampled_from(sorted(OURS)) | st.binary(max_size=9), _ANY),
    _ANY.filter(bool),
    st.tuples(_ANY, _ANY),
)
def test_any_event(changed: dict[bytes, Any], device: Any, content: tuple[Any, Any]) -> None:
    """Of IoT Hub's endpoint: a device's message, or BadInput."""
    for properties in (changed, OURS | changed):
        made = event(properties, device, content)
        is_realtime(made)
        try:
            assert message_of(made).body == b"body"
        except BadInput:
            continue


RECORDS = st.one_of(
    mangled(PARSED),
    st.fixed_dictionaries(
        {
            "tenant": st.text(max_size=3) | st.just("\ud800"),
            "chassisId": st.text(max_size=3),
            "msgType": st.text(max_size=3),
            "ts": INT64,
            "seq": INT64 | st.none(),
            "received": st.integers(0, 2**41),
            "payload": st.dictionaries(st.text(max_size=3) | st.just("\ud800"), JSON, max_size=3),
        },
        optional={"stats": JSON | st.dictionaries(st.text(max_size=3), st.lists(INT64, min_size=3, max_size=3))},
    ).map(lambda record: json.dumps(record).encode()),
)


@pytest.mark.servers
async def test_any_parsed_record_and_then_a_good_one(tmp_path: Path) -> None:
    """BadInput, or a sample that store and live path take: none stands in the way of the next."""
    metrics, numbers = Metrics(), count(1_000)
    log, store = MemoryLog(1000, metrics), await ChdbStore(tmp_path / "store").open()
    async with asyncio.TaskGroup() as tasks:
        distribute = tasks.create_task(Distribute(log, store, (50, 0.002), metrics).run())

        async def write(records: list[bytes], seq: int) -> None:
            samples = []
            for record in records:
                try:
                    samples.append(decode_parsed(record, Counter()))
                except BadInput:
                    continue
            for sample in samples:
                if all(_is_sayable(text) for text in (*sample.payload, *sample.payload.values())):
                    read_sample(encode_live(sample), 0)
            good = Sample(PEER, 1_700_000_000_000 + seq, seq, 1_700_000_000_500, {"a": seq})
            async with asyncio.timeout(20):
                await log.append_parsed([*(sample for sample in samples if sample.seq is not None), good])
            found = await store.history(PEER, ["a"], good.ts_ms, good.ts_ms)
            assert found.fields["a"] == [seq]

        def fuzz(run: Run) -> None:
            @given(st.lists(RECORDS, min_size=1, max_size=8))
            def examples(records: list[bytes]) -> None:
                run(write(records, next(numbers)))

            examples()

        await with_examples(fuzz)
        distribute.cancel()
    await store.close()


def _is_sayable(value: object) -> bool:
    """Whether JSON can hold it: half of a surrogate pair it cannot."""
    return not isinstance(value, str) or value.encode("utf-8", "replace").decode() == value


def test_nothing_is_made_of_nothing() -> None:
    """The smallest bodies of all."""
    for value in (b"", b"\0", b"{}", b"[]", struct.pack("<I", 0)):
        with pytest.raises(BadInput):
            decode_parsed(value, Counter())
