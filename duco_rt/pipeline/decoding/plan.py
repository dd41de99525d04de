"""A parsing compiled once into an immutable plan: which messages describe a frame, and which fields there are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from duco_rt.body import ERROR, REMOTE, CanSecond, Stream
from duco_rt.pipeline.decoding import j1939
from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage
from duco_rt.pipeline.decoding.fields import Field, Identity, field_names, fields_of, identity, messages_of
from duco_rt.pipeline.decoding.messages import MessagePlan, compile_message
from duco_rt.pipeline.decoding.multi_packet import is_transport

FRAME, UNKNOWN, TRANSPORT, FAST, REMOTE_FRAME, ERROR_FRAME = range(6)
_MATCHES_MAX = 65_536

K = TypeVar("K")

_ExactKey = tuple[str | None, int, bool]
_GroupKey = tuple[str | None, int]
_MatchKey = tuple[str, int, bool, int]
_Member = tuple[DescribedFile, DescribedMessage]


class Match(NamedTuple):
    """What a stream's frames are: its kind (FRAME, UNKNOWN, …), and the messages that describe one, the first first.

    TRANSPORT and FAST frames are pieces: what they make together is matched by its own id. A transport frame that the
    database describes is read as itself, too.
    """

    kind: int
    messages: tuple[MessagePlan, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled parsing. `fields` follow from its text alone.

    `exact` is by (bus, id, extended), `groups` by (bus, parameter group), and `apart` by (bus, group, source): senders
    that are kept apart, or that some of a group's messages name. `fast` are the groups that come as fast packets.
    """

    name: str
    version: int
    fields: tuple[Field, ...]
    exact: dict[_ExactKey, tuple[MessagePlan, ...]]
    groups: dict[_GroupKey, tuple[MessagePlan, ...]]
    apart: dict[tuple[str | None, int, int], tuple[MessagePlan, ...]]
    fast: frozenset[_GroupKey]
    files: tuple[DescribedFile, ...]
    names: dict[Identity, str]
    matches: Matches = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "matches", Matches(self))

    @property
    def has_groups(self) -> bool:
        """Whether it has J1939 parameter groups, which may come in several frames."""
        return any(self.groups.values()) or any(self.apart.values())

    def find(self, channel: str, can_id: int, extended: bool) -> tuple[MessagePlan, ...]:
        """The messages that describe a frame: by id, and by PGN where the database says J1939PG."""
        exact = self.exact
        found = exact.get((channel, can_id, extended), ()) + exact.get((None, can_id, extended), ())
        if extended and self.groups:
            pgn, source = j1939.pgn_of(can_id), j1939.source_of(can_id)
            for bus in (channel, None):
                apart = self.apart.get((bus, pgn, source))
                found += self.groups.get((bus, pgn), ()) if apart is None else apart
        return found

    def match(self, stream: Stream) -> Match:
        """What the frames of a stream are."""
        return self.matches[stream[:4]]

    def first(self, stream: Stream, data: bytes) -> tuple[MessagePlan, bytes] | None:
        """The message that describes a frame or whole message, and its data; None where none does or it is short."""
        for message in self.match(stream).messages:
            if len(data) >= message.length_bytes:
                return message, data
        return None

    def only(self, wanted: Collection[str]) -> Plan:
        """The plan of these fields alone; frames that have none of them are unknown to it."""
        kept = frozenset(wanted)
        fields = tuple(field for field in self.fields if field.name in kept)
        return _compile(self.name, self.version, self.files, self.names, fields, kept)


def compile_plan(
    name: str, version: int, files: Sequence[DescribedFile], check: Callable[[], None] = lambda: None
) -> Plan:
    """Compile what database files say; `check` is called often, and ends it by raising."""
    names = field_names(files)
    return _compile(name, version, tuple(files), names, fields_of(files, names), None, check)


def _compile(
    name: str,
    version: int,
    files: tuple[DescribedFile, ...],
    names: dict[Identity, str],
    fields: tuple[Field, ...],
    wanted: frozenset[str] | None,
    check: Callable[[], None] = lambda: None,
) -> Plan:
    exact: dict[_ExactKey, tuple[MessagePlan, ...]] = {}
    groups: dict[_GroupKey, tuple[MessagePlan, ...]] = {}
    apart: dict[tuple[str | None, int, int], tuple[MessagePlan, ...]] = {}
    fast: set[_GroupKey] = set()
    members: dict[_GroupKey, list[_Member]] = {}
    for file in files:
        for message in messages_of(file):
            check()
            if message.j1939:
                members.setdefault((file.bus, j1939.pgn_of(message.frame_id)), []).append((file, message))
            else:
                _add(exact, (file.bus, message.frame_id, message.extended), file, message, names, wanted)
    for group, described in members.items():
        for file, message in described:
            check()
            _add(groups, group, file, message, names, wanted)
        for sender in _senders(described):
            for file, message, source in _of_sender(described, sender):
                check()
                _add(apart, (*group, sender), file, message, names, wanted, source)
        if any(message.fast_packet for _, message in described):  # whichever of its fields are wanted
            fast.add(group)
    return Plan(name, version, fields, exact, groups, apart, frozenset(fast), files, names)


def _senders(described: Sequence[_Member]) -> Sequence[int]:
    """The senders of a group whose frames are read in another way than everybody's."""
    named = {j1939.source_of(message.frame_id) for _, message in described}
    return sorted({source for file, _ in described for source in file.sources} | (named if len(named) > 1 else set()))


class Matches(dict[_MatchKey, Match]):
    """What frames are, by channel, id, whether it is extended, and flags: found once, as every second asks again."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def __missing__(self, key: _MatchKey) -> Match:
        if len(self) >= _MATCHES_MAX:
            self.clear()
        found = self[key] = self._find(*key)
        return found

    def _find(self, channel: str, can_id: int, extended: bool, flags: int) -> Match:
        plan = self._plan
        if flags & (ERROR | REMOTE):
            return Match(ERROR_FRAME if flags & ERROR else REMOTE_FRAME, ())
        messages = plan.find(channel, can_id, extended)
        if extended and plan.groups:
            pgn = j1939.pgn_of(can_id)
            if messages and ((channel, pgn) in plan.fast or (None, pgn) in plan.fast):
                return Match(FAST, messages)
            if is_transport(can_id):
                return Match(TRANSPORT, messages)
        return Match(FRAME if messages else UNKNOWN, messages)


def _of_sender(
    described: Sequence[_Member], source: int
) -> Iterator[tuple[DescribedFile, DescribedMessage, int | None]]:
    """Of several messages of one group those that name the sender, or all where none does; and whether it is apart.

    What one file keeps apart is not everybody's, though another file describes the same message.
    """
    named = [each for each in described if j1939.source_of(each[1].frame_id) == source] or described
    apart = {message.name for file, message in named if source in file.sources}
    for file, message in named:
        if source in file.sources:
            yield file, message, source
        elif message.name not in apart:
            yield file, message, None


def _add(
    plans: dict[K, tuple[MessagePlan, ...]],
    key: K,
    file: DescribedFile,
    message: DescribedMessage,
    names: dict[Identity, str],
    wanted: frozenset[str] | None,
    source: int | None = None,
) -> None:
    """Add a message under a key, without the fields that an earlier one there gives already.

    The key stays without any message too: frames of that sender are not everybody's, whatever is wanted of them.
    """
    there = plans.setdefault(key, ())
    given = {name for plan in there for name in plan.names}
    own = {signal.name: names[identity(file, message, signal, source)] for signal in message.signals}
    own = {signal: name for signal, name in own.items() if name not in given}
    if wanted is not None and not wanted & set(own.values()):
        return
    if message.signals and not own:
        return
    plans[key] = (*there, compile_message(message, own, j1939.source_of(message.frame_id), wanted))


def frames_of(second: CanSecond) -> Sequence[tuple[int, Stream, bytes]]:
    """The frames of a second in order of arrival: (µs from ts, stream, data)."""
    rows = [
        [(int(t), stream, bytes(data[i * stream.length : (i + 1) * stream.length])) for i, t in enumerate(times)]
        for stream, times, data in second.slices()
    ]
    cursors = [iter(row) for row in rows]
    return [next(cursors[index]) for index in second.order.tolist()]
