/** What charts read of a feed and what lies before it: one line, the better of both, rows aligned. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTable, insertSample } from '../../static/data/columns.js';
import { toRange } from '../../static/data/ranges.js';
import { Source } from '../../static/data/source.js';

const T0 = 1_700_000_000_000;
const at = (n) => T0 + n * 1000;
const span = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

function sourceOf(seconds, range = null, fields = ['a', 'b']) {
  const table = createTable(fields);
  for (const n of seconds) insertSample(table, { seq: n, ts: at(n), payload: { a: n, ...(n % 10 ? {} : { b: `t${n}` }) } });
  return new Source({ stream: { msgType: 'vehicle_can' }, table }, { range, revision: 0 });
}

const secondRange = (seconds, to) => toRange([{
  from: at(0), to: at(to), seq: seconds, ts: seconds.map(at), fields: { a: seconds, b: seconds.map((n) => (n % 10 ? null : `r${n}`)) },
}]);

const fullRange = (from, to, until = to) => {
  const ts = span(from * 10, until * 10 - 1).map((k) => T0 + k * 100 + 0.5);
  return toRange([{ from: at(from), to: at(to), fields: { a: { ts, v: ts.map((t) => (t - T0) / 1000) }, b: { ts: [], v: [] } } }], 4000);
};

const drawn = (trace) => Array.from(trace.t, (t, i) => [(t - T0) / 1000, trace.joined[i]]);

test('before the table\'s rows the range, then the table, as one line', () => {
  const source = sourceOf(span(50, 100), secondRange(span(0, 60), 60));
  const trace = source.trace('a', null, at(40), at(60));
  assert.deepEqual(drawn(trace), span(39, 61).map((n) => [n, 1]));
  assert.deepEqual([...trace.v], span(39, 61));
});

test('the seam breaks where a sample is missing there, or where nobody knows', () => {
  const missing = sourceOf(span(50, 100), secondRange([...span(0, 47), ...span(50, 60)], 60)).trace('a', null, at(45), at(52));
  assert.deepEqual(drawn(missing).filter(([, joined]) => !joined), [[50, 0]]);
  const unknown = sourceOf([...span(50, 100)], secondRange(span(0, 47), 47)).trace('a', null, at(45), at(52));
  assert.deepEqual(drawn(unknown).filter(([, joined]) => !joined), [[50, 0]]);
  const own = sourceOf([49, ...span(51, 100)], secondRange(span(0, 49), 49), ['b']).trace('b', { 1: 'r40', 2: 't60' }, at(40), at(60));
  assert.deepEqual(drawn(own), [[40, 0], [60, 0]]);
  const slow = sourceOf(span(45, 100), secondRange(span(0, 60), 60)).trace('b', { 1: 'r40', 2: 't50', 3: 't60' }, at(40), at(60));
  assert.deepEqual(drawn(slow), [[40, 0], [50, 1], [60, 1]]);
});

test('a window that lies in the range alone, or in the table alone, has nothing else', () => {
  const source = sourceOf(span(50, 100), secondRange(span(0, 60), 60));
  assert.deepEqual(drawn(source.trace('a', null, at(10), at(12))).map(([n]) => n), span(9, 13));
  assert.deepEqual(drawn(source.trace('a', null, at(90), at(92))).map(([n]) => n), span(89, 93));
  assert.equal(source.trace('none', null, at(0), at(100)).n, 0);
});

test('every frame where there is one, seconds before and after', () => {
  const source = sourceOf(span(50, 100), fullRange(60, 70, 68));
  const { t, v, n } = source.trace('a', null, at(58), at(72));
  const times = [57, 58, 59, ...span(600, 679).map((k) => k / 10 + 0.0005), ...span(68, 73)];
  assert.equal(n, times.length);
  times.forEach((second, i) => assert.ok(Math.abs(t[i] - at(second)) < 0.01 && Math.abs(v[i] - second) < 0.001, `${i}`));
});

test('a full range without a frame leaves the table as it is', () => {
  const empty = fullRange(60, 70, 60);
  const source = sourceOf(span(50, 100), empty);
  assert.deepEqual(drawn(source.trace('a', null, at(58), at(72))).map(([n]) => n), span(57, 73));
  assert.deepEqual(source.rows(['a'], at(65), at(67)), { ts: span(65, 67).map(at), columns: [span(65, 67)] });
});

test('rows come from both, aligned and in order', () => {
  const source = sourceOf(span(50, 100), secondRange(span(0, 60), 60));
  const { ts, columns } = source.rows(['b', 'a'], at(39), at(60));
  assert.deepEqual(ts, span(39, 60).map(at));
  assert.deepEqual(columns[1], span(39, 60));
  assert.deepEqual([columns[0][0], columns[0][1], columns[0][11], columns[0][21]], [null, 'r40', 't50', 't60']);
  const full = sourceOf(span(50, 100), fullRange(60, 62)).rows(['a', 'b'], at(59), at(63));
  assert.deepEqual([full.ts.length, full.ts[0], full.ts.at(-1)], [1 + 20 + 2, at(59), at(63)]);
  assert.deepEqual(sourceOf(span(1, 3)).rows(['a', 'none'], at(2), at(9)), { ts: [at(2), at(3)], columns: [[2, 3], [null, null]] });
});

test('where the device\'s clock was set back, rows rise all the same', () => {
  const source = sourceOf(span(1, 5));
  for (const [seq, n] of [[6, 3], [7, 4]]) insertSample(source.feed.table, { seq, ts: at(n), payload: { a: seq } });
  assert.deepEqual(source.rows(['a'], 0, 1e15), { ts: [1, 2, 3, 4].map(at), columns: [[1, 2, 6, 7]] });
});

test('the newest value: live, or the last one known from before', () => {
  const source = sourceOf(span(50, 60), secondRange(span(0, 45), 45), ['a', 'c']);
  assert.deepEqual(source.latest('a', at(61)), { value: 60, ts: at(60), ageMs: 1000, stale: false });
  assert.deepEqual(source.latest('b', at(61)), { value: 'r40', ts: at(40), ageMs: 21_000, stale: false });
  assert.equal(source.latest('b', at(71)).stale, true);
  assert.equal(source.latest('none', at(61)), null);
  const silent = sourceOf([], secondRange(span(0, 45), 45));
  assert.deepEqual([silent.isWaiting, sourceOf([]).isWaiting], [false, true]);
});

test('its revision grows with the table and with the range', () => {
  const source = sourceOf(span(1, 3));
  const before = source.revision;
  insertSample(source.feed.table, { seq: 4, ts: at(4), payload: { a: 1 } });
  const between = source.revision;
  source.past.revision++;
  assert.ok(before < between && between < source.revision);
});

for (const backS of [10, 60, 180]) {
  test(`a clock set back by ${backS} s: what is new is drawn up to now, and the range lies before all of it`, () => {
    const source = sourceOf(span(0, 200), secondRange(span(-300, 10), 10));
    const now = 200 - backS + 30;
    for (let k = 1; k <= 30; k++) {
      insertSample(source.feed.table, { seq: 200 + k, ts: at(200 - backS + k), payload: { a: 1000 + k } });
    }
    const { t, v, n } = source.trace('a', null, at(now - 100), at(now));
    assert.deepEqual([v[n - 1], t[n - 1]], [1030, at(now)]);
    assert.deepEqual([...v].filter((value) => value > 1000).length, 30);
    assert.deepEqual(source.rows(['a'], at(now - 29), at(now)).columns, [span(1001, 1030)]);
  });
}

test('a hole of the table is taken from the range, and is no break; while the range does not reach it the table stays', () => {
  const held = [...span(0, 100), ...span(230, 300)];
  const source = sourceOf(held, secondRange(span(-10, 290), 290));
  assert.deepEqual(drawn(source.trace('a', null, at(0), at(299))), span(-1, 300).map((n) => [n, 1]));
  assert.deepEqual(source.rows(['a'], at(0), at(300)).ts, span(0, 300).map(at));
  const short = sourceOf(held, secondRange(span(-10, 50), 50)).trace('a', null, at(0), at(299));
  assert.deepEqual(drawn(short).filter(([n, joined]) => n >= 0 && !joined), [[230, 0]]);
  assert.equal(short.n, 1 + held.length);
});

test('a range and an empty table', () => {
  const source = sourceOf([], secondRange(span(0, 20), 20));
  assert.deepEqual(drawn(source.trace('a', null, at(5), at(30))), span(4, 20).map((n) => [n, 1]));
  assert.deepEqual(source.rows(['a'], at(5), at(30)).ts, span(5, 20).map(at));
});
