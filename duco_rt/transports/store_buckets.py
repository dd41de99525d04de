"""History by buckets of time: the engine finds what each bucket's rows have, so that no row of a day leaves it. Pure.

What comes out equals `thin_to` of the same rows. Ints past 2^53 are all that the engine cannot compare: fields that
have such are read row by row.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import numpy as np

from duco_rt.model import History, MeanColumns, Peer, SpanColumns
from duco_rt.transports import store_parsed as parsed
from duco_rt.transports.store_native import Columns, Numbers
from duco_rt.transports.store_sql import BIG_INT, DATABASE, PARSED, TEXT, quote, select_history, where
from duco_rt.web.thin import thin_to

_LAST = (
    "argMax(k, {at}) AS kind, argMax(v, {at}) AS num, argMax(t, {at}) AS text, "
    f"countIf(k != {TEXT}) AS numbers, sum(v) AS total"
)
_SPANS = (
    f"minIf(if(c = 0 OR isNaN(lo), v, lo), k != {TEXT}) AS low, "
    f"maxIf(if(c = 0 OR isNaN(hi), v, hi), k != {TEXT}) AS high, sum(c) AS times, min(c) AS known"
)
_ENDS = (
    f"argMinIf(t, (ts, seq), k = {TEXT}) AS first, argMaxIf(t, (ts, seq), k = {TEXT}) AS last, "
    f"minIf((v, ts, seq, k), k != {TEXT}) AS lowest, maxIf((v, ts, seq, k), k != {TEXT}) AS highest"
)
_PLACE = ("num", "ts", "seq", "kind")
_PLACES = [f"{which}_{name}" for which in ("lowest", "highest") for name in _PLACE]

_NOTHING: Columns = {
    **dict.fromkeys(("bucket", "field", "count", "kinds", "kind", "num", *_PLACES), np.empty(0, np.int64)),
    **dict.fromkeys(("numbers", "total", "low", "high", "times", "known"), np.empty(0)),
    **{name: [] for name in ("text", "first", "last")},
}
"""The answer of an engine that found no field; it has no columns at all."""


class Request(NamedTuple):
    """What of which rows is asked for, one field at least; see `Store.thinned`."""

    peer: Peer
    fields: list[str]
    from_ms: int
    to_ms: int
    width_ms: int
    stats: bool = False
    means: bool = False
    database: str = DATABASE

    @property
    def base_ms(self) -> int:
        """Where the first bucket begins."""
        return self.from_ms // self.width_ms * self.width_ms

    def history(self, fields: Sequence[str], collapse: bool) -> str:
        """The query for the rows themselves."""
        return select_history(self.peer, fields, self.from_ms, self.to_ms, collapse, self.database, self.stats)


class Buckets:
    """A talk with the engine: `take` is given the answer to `statement`, until that is None and `found` is there."""

    def __init__(self, request: Request) -> None:
        self._steps = _steps(request)
        self.statement: str | None = next(self._steps)
        self.found: History

    def take(self, columns: Columns) -> None:
        """Go on with the answer. Takes a moment: not for the event loop."""
        try:
            self.statement = self._steps.send(columns)
        except StopIteration as end:
            self.statement, self.found = None, end.value


def _steps(ask: Request) -> Generator[str, Columns, History]:
    places, collapse = (yield ask.history((), False)), False
    while places:
        if not collapse and parsed.has_copies(places):
            places, collapse = (yield ask.history((), True)), True
            continue
        groups = (yield select_buckets(ask, collapse, _has_equal_times(places))) or _NOTHING
        if not collapse and _has_more(ask, groups, places):  # copies came in meanwhile
            places, collapse = (yield ask.history((), True)), True
            continue
        large = _fields_of(ask, groups, BIG_INT)
        if large:
            places = yield ask.history(large, collapse)
            if not places:
                break
        return _Answer(ask, groups, places).history(_thinned(ask, places, large) if large else None)
    return _thinned(ask, {}, ask.fields)


def _thinned(ask: Request, rows: Columns, fields: list[str]) -> History:
    return thin_to(parsed.history(rows, fields, ask.from_ms, ask.to_ms, ask.stats), ask.width_ms, ask.means)


def select_buckets(ask: Request, collapse: bool = False, equal_times: bool = True) -> str:
    """Return the query for a row a bucket and field: `bucket` (from 0), `field` (from 1), `count` of its samples with
    the field, `kinds` (bit n for kind n), and what those are. `equal_times`: whether samples may have the same ts.
    """
    names = ", ".join(map(quote, ask.fields))
    numbers = ", ".join(str(i) for i in range(1, len(ask.fields) + 1))
    arrays = {"name": "n", "kind": "k", "num": "v", "text": "t"}
    more = [_ENDS]
    if ask.stats or ask.means:
        more = [_LAST.format(at="(ts, seq)" if equal_times else "ts")]
    if ask.stats:
        arrays |= {"min": "lo", "max": "hi", "count": "c"}
        more.append(_SPANS)
    joins = ", ".join(f"`value.{column}` AS {name}" for column, name in arrays.items())
    groups = (
        f"SELECT intDiv(ts - ({ask.base_ms}), {ask.width_ms}) AS bucket, "
        f"CAST(transform(n, [{names}], [{numbers}], 0) AS UInt16) AS field, count() AS count, "
        f"groupBitOr(toUInt8(bitShiftLeft(1, k))) AS kinds, {', '.join(more)} "
        f"FROM {ask.database}.{PARSED} {'FINAL ' if collapse else ''}ARRAY JOIN {joins} "
        f"WHERE {where(ask.peer, ask.from_ms, ask.to_ms)} AND n IN ({names}) GROUP BY bucket, field"  # nosec B608  # numbers and our columns
    )
    if ask.stats or ask.means:
        return groups
    parts = ", ".join(
        f"tupleElement({name.partition('_')[0]}, {i % len(_PLACE) + 1}) AS {name}" for i, name in enumerate(_PLACES)
    )
    return f"SELECT bucket, field, count, kinds, first, last, {parts} FROM ({groups})"  # nosec B608  # numbers and our columns


def _has_equal_times(places: Columns) -> bool:
    return bool((places["ts"][1:] == places["ts"][:-1]).any())


def _bucket_of(ask: Request, places: Columns) -> Numbers:
    return np.asarray((places["ts"] - ask.base_ms) // ask.width_ms)


def _has_more(ask: Request, groups: Columns, places: Columns) -> bool:
    """Whether a bucket has a field more often than it has rows."""
    buckets, sizes = np.unique(_bucket_of(ask, places), return_counts=True)
    at, is_known = _found(groups["bucket"], buckets)
    return bool((is_known & (groups["count"] > sizes[at])).any())


def _found(wanted: Numbers, among: Numbers) -> tuple[Numbers, Numbers]:
    """Return where each is, and whether it is there."""
    at = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    return at, among[at] == wanted


def _fields_of(ask: Request, groups: Columns, kind: int) -> list[str]:
    """The fields that have a value of that kind."""
    return [ask.fields[i - 1] for i in np.unique(groups["field"][groups["kinds"] & (1 << kind) != 0]).tolist()]


class _Answer:
    """Groups put at the rows of their buckets; those of a bucket that came in meanwhile are left out."""

    def __init__(self, ask: Request, groups: Columns, places: Columns) -> None:
        self._ask, self._groups, self._places = ask, groups, places
        buckets, first, sizes = np.unique(_bucket_of(ask, places), return_index=True, return_counts=True)
        is_pair = (sizes > 1) & (not (ask.stats or ask.means))
        self._picks = np.sort(np.concatenate([first[is_pair], first + sizes - 1]))
        bucket, is_known = _found(groups["bucket"], buckets)
        order = np.lexsort((bucket, groups["field"]))
        self._order = order[is_known[order]]
        self._row = np.searchsorted(self._picks, first[bucket] if is_pair.any() else (first + sizes - 1)[bucket])
        self._is_pair = is_pair[bucket]
        self._is_text = groups["kinds"] == 1 << TEXT

    def history(self, read: History | None) -> History:
        """The rows of all buckets; of the fields that were read row by row as they are there."""
        ask = self._ask
        seq, ts = (self._places[name][self._picks].tolist() for name in ("seq", "ts"))
        found = History(ask.from_ms, ask.to_ms, seq, ts, {})
        ends = np.searchsorted(self._groups["field"][self._order], np.arange(1, len(ask.fields) + 2))
        pairs = None if ask.stats or ask.means else _pairs(self._groups, self._is_text)
        for i, name in enumerate(ask.fields):
            if read is not None and name in read.fields:
                _take(found, read, name)
                continue
            chosen = self._order[ends[i] : ends[i + 1]]
            if pairs is not None:
                found.fields[name] = self._pair_values(pairs, chosen)
                continue
            found.fields[name] = self._spread(parsed.values_at(self._groups, chosen), chosen)
            if ask.stats:
                found.stats[name] = self._spans(chosen)
            if ask.means:
                found.means[name] = self._means(chosen)
        return found

    def _pair_values(self, pairs: Columns, chosen: Numbers) -> list[Any]:
        second = chosen[self._is_pair[chosen]]
        rows = np.concatenate([self._row[chosen], self._row[second] + 1])
        order = np.argsort(rows)
        values = parsed.values_at(pairs, np.concatenate([chosen, second + len(self._row)])[order])
        return parsed.spread(values, rows[order], len(self._picks))

    def _spread(self, values: list[Any], chosen: Numbers) -> list[Any]:
        return parsed.spread(values, self._row[chosen], len(self._picks))

    def _spans(self, chosen: Numbers) -> SpanColumns:
        none = {"low": self._is_text, "high": self._is_text, "times": self._groups["known"] == 0}
        columns = ((self._groups[name][chosen], is_none[chosen]) for name, is_none in none.items())
        return SpanColumns(*(self._spread(parsed.or_none(*column), chosen) for column in columns))

    def _means(self, chosen: Numbers) -> MeanColumns:
        numbers = self._groups["numbers"][chosen]
        mean = np.divide(self._groups["total"][chosen], numbers, out=np.full(len(chosen), np.nan), where=numbers > 0)
        seconds = np.zeros(len(self._picks), np.int64)
        seconds[self._row[chosen]] = numbers
        return MeanColumns(self._spread(parsed.or_none(mean, ~np.isfinite(mean)), chosen), seconds.tolist())


def _take(found: History, read: History, name: str) -> None:
    found.fields[name] = read.fields[name]
    if name in read.stats:
        found.stats[name] = read.stats[name]
    if name in read.means:
        found.means[name] = read.means[name]


def _pairs(groups: Columns, is_text: Numbers) -> Columns:
    """Return the values of the groups' first rows and then those of their second ones: the lowest and the highest
    number in the order in which they came, or the first and the last text."""
    is_later = (groups["lowest_ts"] > groups["highest_ts"]) | (
        (groups["lowest_ts"] == groups["highest_ts"]) & (groups["lowest_seq"] > groups["highest_seq"])
    )
    columns: Columns = {"text": [*groups["first"], *groups["last"]]}
    for name in ("num", "kind"):
        low, high = groups[f"lowest_{name}"], groups[f"highest_{name}"]
        columns[name] = np.concatenate([np.where(is_later, high, low), np.where(is_later, low, high)])
    columns["kind"][np.tile(is_text, 2)] = TEXT
    return columns
