"""J1939's transport protocol as a listener: byte sequences of the standard, losses, bounds, and random buses."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import ERROR, REMOTE, TX
from duco_rt.pipeline.decoding.multi_packet import (
    NOTHING_OPEN,
    SESSIONS_MAX,
    TIMEOUT_US,
    is_transport,
    put_together,
)
from tests.pipeline.decoding import packets
from tests.pipeline.decoding.conversations import Heard, conversation, cut, listen, messages
from tests.pipeline.decoding.packets import Sent, Timed

DM1: Sent = [  # lamps and four trouble codes of the engine, 18 bytes
    (0x18ECFF00, bytes.fromhex("20 12 00 03 ff ca fe 00")),
    (0x18EBFF00, bytes.fromhex("01 04 ff 9d 00 03 05 6e")),
    (0x18EBFF00, bytes.fromhex("02 00 04 02 a9 06 1f 0a")),
    (0x18EBFF00, bytes.fromhex("03 d1 00 12 04 ff ff ff")),
]
DM1_DATA = bytes.fromhex("04 ff 9d 00 03 05 6e 00 04 02 a9 06 1f 0a d1 00 12 04")

TO_ONE: Sent = [  # proprietary A, 23 bytes from 0xF9 to 0x27, which asks for the second packet again
    (0x1CEC27F9, bytes.fromhex("10 17 00 04 02 00 ef 00")),
    (0x1CECF927, bytes.fromhex("11 02 01 ff ff 00 ef 00")),
    (0x1CEB27F9, bytes.fromhex("01 01 02 03 04 05 06 07")),
    (0x1CEB27F9, bytes.fromhex("02 08 09 0a 0b 0c 0d 0e")),
    (0x1CECF927, bytes.fromhex("11 00 ff ff ff 00 ef 00")),
    (0x1CECF927, bytes.fromhex("11 03 02 ff ff 00 ef 00")),
    (0x1CEB27F9, bytes.fromhex("02 08 09 0a 0b 0c 0d 0e")),
    (0x1CEB27F9, bytes.fromhex("03 0f 10 11 12 13 14 15")),
    (0x1CEB27F9, bytes.fromhex("04 16 17 ff ff ff ff ff")),
    (0x1CECF927, bytes.fromhex("13 17 00 04 ff 00 ef 00")),
]

EXAMPLES = [
    (DM1, (3_000, 0x18FECA00, DM1_DATA)),
    (TO_ONE, (8_000, 0x1CEF27F9, bytes(range(1, 24)))),
    (packets.bam_frames(0xFECA, 0x00, DM1_DATA, priority=6), (3_000, 0x18FECA00, DM1_DATA)),
    (packets.rts_frames(0xEF00, 0xF9, 0x27, bytes(1785)), (271_000, 0x1CEF27F9, bytes(1785))),
    (packets.bam_frames(0x1EF00, 0x03, bytes(9)), (2_000, 0x1DEFFF03, bytes(9))),
]

PAYLOAD = bytes(range(100, 120))
BAM = packets.bam_frames(0xFECA, 0x00, PAYLOAD)
RTS = packets.rts_frames(0xFECA, 0x00, 0x31, PAYLOAD)
DT_1, DT_2, DT_3 = RTS[2:5]
BACK = packets.rts_frames(0xFECA, 0x31, 0x00, PAYLOAD)
ABORT, ABORT_BACK = packets.abort_frame(0xFECA, 0x00, 0x31), packets.abort_frame(0xFECA, 0x31, 0x00)
OTHER_ABORT = packets.abort_frame(0xFEE3, 0x00, 0x31)

TWICE = {"bad": 1, "incomplete": 1, "headless": 1}
"""A wrong announcement is counted, ends the message before, and its packets have none."""

BROKEN: list[tuple[str, Sent, int, dict[str, int]]] = [
    ("no announcement", BAM[1:], 0, {"headless": 3}),
    ("a packet of a broadcast is lost", [*BAM[:2], BAM[3]], 0, {"incomplete": 1}),
    ("a broadcast goes backwards", [*BAM[:3], *BAM[2:]], 0, {"incomplete": 1, "headless": 1}),
    ("announced again", [*BAM[:3], *BAM], 1, {"incomplete": 1}),
    ("announced again, wrongly", [*BAM[:3], (BAM[0][0], bytes(8 * [32])), BAM[3]], 0, TWICE),
    ("packets of another number of packets", [*BAM[:1], (BAM[1][0], bytes([4] * 8)), *BAM[1:]], 1, {"headless": 1}),
    ("packet 0", [*BAM[:1], (BAM[1][0], bytes(8)), *BAM[1:]], 1, {"headless": 1}),
    ("a packet is too short", [*BAM[:2], (BAM[2][0], BAM[2][1][:7]), *BAM[3:]], 0, {"bad": 1, "incomplete": 1}),
    ("the last one has no filling", [*BAM[:3], (BAM[3][0], BAM[3][1][:7])], 1, {}),
    ("an empty packet", [*BAM[:1], (BAM[1][0], b""), *BAM[1:]], 1, {"headless": 1}),
    ("to one, in another order", [*RTS[:2], DT_3, DT_1, DT_2, RTS[5]], 1, {}),
    ("to one, asked again when it was whole", [*RTS[:5], RTS[1], DT_2, RTS[5]], 1, {}),
    (
        "to one, again with other data",
        [*RTS[:3], (DT_1[0], b"\x01" * 8), DT_2, DT_3],
        0,
        {"incomplete": 1, "headless": 2},
    ),
    ("to one, acknowledged but a packet is lost", [*RTS[:4], RTS[5], DT_3], 0, {"incomplete": 1, "headless": 1}),
    ("the message before is acknowledged", [RTS[0], RTS[5], *RTS[1:]], 1, {}),
    ("the sender aborts", [*RTS[:4], ABORT, DT_3], 0, {"incomplete": 1, "headless": 1}),
    ("the receiver aborts", [*RTS[:4], ABORT_BACK, DT_3], 0, {"incomplete": 1, "headless": 1}),
    ("both ways the same group, one aborts", [RTS[0], BACK[0], *RTS[1:4], ABORT, *BACK[1:], DT_3], 2, {}),
    ("another group is aborted", [*RTS[:4], OTHER_ABORT, DT_3], 1, {}),
    ("another control", [*RTS[:4], (RTS[0][0], bytes([20, *range(7)])), DT_3], 1, {}),
    ("aborted when it was whole", [*RTS[:5], ABORT_BACK], 1, {}),
]


def told(problems: Counter[str]) -> dict[str, int]:
    """Counts without their first word."""
    return {kind.removeprefix("multipacket_"): n for kind, n in problems.items()}


@pytest.mark.parametrize(("sent", "whole"), EXAMPLES)
def test_messages_of_the_standard(sent: Sent, whole: Timed) -> None:
    """One row: id of the group with priority and addresses, time of the last packet, the announced bytes."""
    found, problems, open_ = listen([(packets.timed(sent), [])])
    assert found == messages([whole])
    assert not problems
    assert open_ is NOTHING_OPEN


@pytest.mark.parametrize(("sent", "count", "wrong"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
@pytest.mark.parametrize("piece", [1, 3, 100])
def test_broken_messages(sent: Sent, count: int, wrong: dict[str, int], piece: int) -> None:
    """Whatever lacks, only a message that is all there comes out; the rest is counted."""
    frames = [*packets.timed(sent), (30_000_000, 0x1CECFF77, bytes(8))]  # long after: what is open is given up
    found, problems, _ = listen([(frames[at : at + piece], []) for at in range(0, len(frames), piece)])
    assert [payload for own in found.values() for _, payload in own] == [PAYLOAD] * count
    assert told(problems) == wrong


ANNOUNCEMENTS = [
    (0x1CECFF00, "20 08 00 02 ff ca fe 00"),  # fits one frame
    (0x1CECFF00, "20 fa 06 ff ff ca fe 00"),  # 1786 bytes
    (0x1CECFF00, "20 12 00 02 ff ca fe 00"),  # 18 bytes are three packets
    (0x1CECFF00, "20 12 00 04 ff ca fe 00"),
    (0x1CECFF00, "20 12 00 03 ff ca fe 04"),  # a group of 19 bits
    (0x1CECFF00, "10 12 00 03 ff ca fe 00"),  # RTS to everybody
    (0x1CEC3100, "20 12 00 03 ff ca fe 00"),  # BAM to one
    (0x1CECFF00, "20 12 00 03 ff ca fe"),
    (0x1CECFF00, ""),
]


@pytest.mark.parametrize(("can_id", "data"), ANNOUNCEMENTS)
def test_announcements_that_cannot_be(can_id: int, data: str) -> None:
    """They are counted, and open nothing."""
    _, problems, open_ = listen([([(0, can_id, bytes.fromhex(data))], [])])
    assert told(problems) == {"bad": 1}
    assert open_ is NOTHING_OPEN


@pytest.mark.parametrize(("pause_us", "count"), [(TIMEOUT_US, 1), (TIMEOUT_US + 1, 0)])
@pytest.mark.parametrize("pieces", [1, 2])
def test_silence_ends_a_message(pause_us: int, count: int, pieces: int) -> None:
    """A pause as long as any side waits is none; after more the packets have no message."""
    frames = [*packets.timed(BAM[:3]), (2_000 + pause_us, *BAM[3])]
    found, problems, _ = listen([(frames, [])] if pieces == 1 else [(frames[:3], []), (frames[3:], [])])
    assert len(found) == count
    assert told(problems) == ({} if count else {"incomplete": 1, "headless": 1})


def test_a_receiver_may_hold_the_sender() -> None:
    """CTS for no packets, again and again, keeps a message open."""
    hold = RTS[1][0], bytes.fromhex("11 00 ff ff ff ca fe 00")
    held = [(1_000_000 * (1 + i), *hold) for i in range(5)]
    frames = [*packets.timed(RTS[:3]), *held, *packets.timed(RTS[3:], 5_500_000)]
    found, problems, _ = listen([(frames, [])])
    assert [payload for own in found.values() for _, payload in own] == [PAYLOAD]
    assert not problems


def test_other_traffic_tells_the_time() -> None:
    """A message that is silent ends with any later frame, a fast packet too."""
    late = packets.timed(packets.fast_frames(0x19F80500, bytes(6), 0), 5_000_000)
    _, problems, open_ = listen([(packets.timed(BAM[:2]), []), ([], late)])
    assert told(problems) == {"incomplete": 1}
    assert open_ is NOTHING_OPEN


def test_at_one_time_the_announcement_is_first() -> None:
    """Clocks of 1 ms give an announcement and its packets one time; the order of streams does not count."""
    frames = packets.timed(RTS, step_us=0)
    for given_rows in (packets.rows_from(frames), packets.rows_from(frames)[::-1]):
        out, _ = put_together(given_rows, (), NOTHING_OPEN, Counter())
        assert [rows.data.tobytes() for rows in out] == [PAYLOAD]


def test_channels_and_flags() -> None:
    """Two buses do not mix, the row has the stream's flags; error and remote frames are no packets."""
    one, other = packets.timed(BAM[:2]), packets.timed(BAM[2:], 10_000)
    problems = Counter[str]()
    mixed = [*packets.rows_from(one, "can1"), *packets.rows_from(other, "can2")]
    assert put_together(mixed, (), NOTHING_OPEN, problems)[0] == []
    assert told(problems) == {"headless": 2}
    (rows,), _ = put_together(packets.rows_from(one + other, "can2", TX), (), NOTHING_OPEN, problems)
    assert rows.stream == ("can2", 0x1CFECA00, True, TX, 20, 1)
    for flags in (ERROR, REMOTE):
        assert put_together(packets.rows_from(one + other, "x", flags), (), NOTHING_OPEN, Counter()) == (
            [],
            NOTHING_OPEN,
        )


def test_messages_under_way_are_bounded() -> None:
    """Of more than SESSIONS_MAX the one that was silent the longest is given up, and counted."""
    begun = [
        (source * 100, *frame)
        for source in range(SESSIONS_MAX + 5)
        for frame in packets.bam_frames(0xFECA, source, PAYLOAD)[:1]
    ]
    _, problems, open_ = listen([(begun, [])])
    assert told(problems) == {"incomplete": 5}
    assert [key[1] for key, _ in open_.sessions] == list(range(5, SESSIONS_MAX + 5))


def test_nothing_new_is_nothing_done() -> None:
    """A second without such frames gives the same object back, whatever is open."""
    assert put_together((), (), NOTHING_OPEN, Counter()) == ([], NOTHING_OPEN)
    _, _, open_ = listen([(packets.timed(BAM[:2]), [])])
    assert put_together((), (), open_, Counter())[1] is open_


IDS = [(0x18ECFF00, True), (0x1CEB31F9, True), (0x00EB0000, True), (0x18FECA00, False), (0x1DECFF00, False)]


@pytest.mark.parametrize(("can_id", "expected"), [*IDS, (0x1EEBFF00, False), (0x18EAFF00, False)])
def test_ids_of_the_transport_protocol(can_id: int, expected: bool) -> None:
    """TP.CM and TP.DT of any priority and addresses, on data page 0 alone."""
    assert is_transport(can_id) is expected


@given(st.integers(0, 2**32), st.lists(st.integers(0, 10_000_000), max_size=6), st.sampled_from([0.0, 0.01, 0.1]))
def test_whole_messages_and_nothing_else(seed: int, cuts_us: list[int], loss: float) -> None:
    """Senders at once, frames lost: what arrived whole comes out byte for byte, in any pieces alike."""
    heard = conversation(random.Random(seed), loss)
    found, problems, _ = listen(cut(heard, cuts_us))
    assert found == messages(heard.whole)
    if not loss:
        assert not problems
    again, counted, _ = listen(cut(heard, []))
    assert (again, counted) == (found, problems)


@given(st.integers(0, 2**32), st.integers(0, 10_000_000))
def test_a_second_may_be_read_again(seed: int, cut_us: int) -> None:
    """The same frames with the same `Open` give the same, whatever was read in between."""
    first, second = cut(conversation(random.Random(seed)), [cut_us])
    _, _, open_ = listen([first])
    rows = packets.rows_from(second[0]), packets.rows_from(second[1])
    results = []
    for _ in range(2):
        problems = Counter[str]()
        out, after = put_together(*rows, open_, problems)
        results.append(([(r.stream, r.times_us.tolist(), r.data.tolist()) for r in out], problems, after.sessions))
    assert results[0] == results[1]


def garbage(seed: int, count: int) -> Heard:
    """Frames of the right ids and random bytes, few addresses, so that they meet."""
    rng = random.Random(seed)
    heard = Heard([], [], [])
    addresses = [0, 1, 2, packets.ALL]
    for i in range(count):
        time_us = i * rng.choice((1, 10)) + i * 1_000 + i // 200 * 1_000_000
        length = rng.choice((8, 8, 8, 8, rng.randrange(9)))
        data = bytearray(rng.randbytes(length))
        if rng.random() < 0.3:
            data[:1] = bytes([rng.choice((32, 16, 16, 17, 19, 255))])[:length]
            data[1:8] = (rng.choice((9, 14, 15)).to_bytes(2, "little") + b"\x02\xff\xca\xfe\x00")[: max(0, length - 1)]
            kind = 0xEC
        else:
            data[:1] = bytes([rng.randrange(4)])[:length]
            kind = rng.choice((0xEC, 0xEB, 0xEB, 0xEB))
        can_id = 0x1C000000 | kind << 16 | rng.choice(addresses) << 8 | rng.choice(addresses)
        heard.transport.append((time_us, can_id, bytes(data)))
        fast = bytes([rng.randrange(2) << 5 | rng.randrange(3), rng.randrange(30)]) + rng.randbytes(6)
        heard.fast.append((time_us, 0x19F80500 | rng.randrange(2), fast[: rng.choice((8, 8, 8, length))]))
    for frames in heard:
        frames.sort()
    return heard


@given(st.integers(0, 2**32), st.lists(st.integers(0, 500_000), max_size=4))
def test_garbage_in_pieces(seed: int, cuts_us: list[int]) -> None:
    """Random frames, too, give the same messages and counts in any pieces."""
    heard = garbage(seed, 150)
    whole, pieces = listen(cut(heard, [])), listen(cut(heard, cuts_us))
    assert whole[:2] == pieces[:2]


def test_much_garbage() -> None:
    """10,000 random frames of each kind raise nothing and keep little."""
    _, problems, open_ = listen(cut(garbage(1, 10_000), list(range(0, 12_000_000, 1_000_000))))
    assert problems["multipacket_headless"] and problems["multipacket_bad"]
    assert len(open_.sessions) <= SESSIONS_MAX
