/** Answers of the history endpoint as series: gaps, buckets, full resolution, several lists of fields. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitOf } from '../../static/data/columns.js';
import { rangeRows, toRange } from '../../static/data/ranges.js';
import { rangeTrace, summary } from '../../static/data/traces.js';

const T0 = 1_700_000_000_000;
const at = (n) => T0 + n * 1000;
const answer = (seconds, fields, more = {}) => ({
  from: T0, to: at(100), seq: seconds, ts: seconds.map(at), fields, ...more,
});

test('rows without a value are left out of a line, with what stands beside it', () => {
  const stats = { a: { min: [0, null, 2], max: [9, null, 8] } };
  const range = toRange([answer([0, 1, 2], { a: [1, null, 3], b: ['x', false, null] }, { stats })]);
  const { t, v, lo, hi, mean } = rangeTrace(range, 'a', 0, 1e15);
  assert.deepEqual([[...t], [...v], [...lo], [...hi], mean], [[at(0), at(2)], [1, 3], [0, 2], [9, 8], null]);
  assert.deepEqual([...rangeTrace(range, 'b', 0, 1e15).t], [at(1)]);
  assert.deepEqual([range.isFull, range.stepMs, range.newest], [false, 1000, at(2)]);
});

test('several lists of fields are one range; nothing found is a range too', () => {
  const range = toRange([answer([0, 1], { a: [1, 2] }), answer([0, 1], { b: [3, 4] })]);
  assert.deepEqual([...range.series.keys()], ['a', 'b']);
  const empty = toRange([answer([], { a: [] })]);
  assert.deepEqual([empty.gaps, empty.newest, rangeTrace(empty, 'a', 0, 1e15).n], [[], -Infinity, 0]);
  assert.equal(rangeTrace(empty, 'other', 0, 1e15).n, 0);
});

test('every row is there: gaps are steps in seq, more than 2 s and steps back; rows without seq have none', () => {
  const rows = { ...answer([], { a: [] }), seq: [1, 2, 4, 5, 6, null, 9], ts: [0, 1, 2, 6, 5, 15, 25].map(at) };
  assert.deepEqual(toRange([rows]).gaps, [[at(1), at(2)], [at(2), at(6)], [at(6), at(5)]]);
});

test('of buckets the server tells the gaps, also those inside of one', () => {
  const gaps = [[at(12), at(14)]];
  const one = answer([9, 19, 29], { a: [1, 2, 3] }, { gaps });
  const range = toRange([one], 10);
  assert.deepEqual(range.stepMs, 10_001);
  assert.deepEqual([...rangeTrace(range, 'a', 0, 1e15).joined], [0, 0, 1]);
});

test('buckets join across three of them, seconds across three usual periods', () => {
  const buckets = toRange([answer([9, 19, 29, 39, 69, 99], { a: [1, 2, 3, 4, 5, 6] }, { gaps: [], to: at(100) })], 10);
  assert.deepEqual([...rangeTrace(buckets, 'a', 0, 1e15).joined], [0, 1, 1, 1, 1, 1]);
  const wider = toRange([answer([9, 19, 29, 39, 70, 100], { a: [1, 2, 3, 4, 5, 6] }, { gaps: [] })], 10);
  assert.deepEqual([...rangeTrace(wider, 'a', 0, 1e15).joined], [0, 1, 1, 1, 0, 1]);
  const seconds = toRange([answer(Array.from({ length: 11 }, (_, i) => i), { a: [1, 1, 1, 1, null, null, 1, null, null, null, 1] })]);
  assert.deepEqual([...rangeTrace(seconds, 'a', 0, 1e15).joined], [0, 1, 1, 1, 1, 0]);
  assert.equal(limitOf(seconds.series.get('a')), 3000);
});

test('full resolution: own times of each field, gaps from the seconds beside it', () => {
  const full = { from: T0, to: at(10), fields: { a: { ts: [T0 + 10.5, T0 + 20.25, at(5) + 1, at(5) + 11], v: [1, 2, 3, 4] } } };
  const gaps = [[at(0), at(5)]];
  const range = toRange([full, { ...answer([0, 5], { a: [2, 3] }), gaps }], 4000);
  assert.deepEqual([range.isFull, range.gaps, range.to, range.newest], [true, gaps, at(10), at(5) + 11]);
  assert.deepEqual([...rangeTrace(range, 'a', 0, 1e15).joined], [0, 1, 0, 1]);
});

test('frames thinned to two a bucket stay one line', () => {
  const ts = Array.from({ length: 200 }, (_, i) => T0 + Math.floor(i / 2) * 100 + (i % 2 ? 90 : 85));
  const full = { from: T0, to: at(10), fields: { a: { ts, v: ts.map((_, i) => i) } } };
  const range = toRange([full], 200);
  assert.equal(range.stepMs, 101);
  const { joined } = rangeTrace(range, 'a', 0, 1e15);
  assert.ok(joined.slice(1).every(Boolean));
});

test('a part of a series is from the last point before to the first after, with the same breaks', () => {
  const range = toRange([answer([0, 1, 2, 5, 6, 7], { a: [0, 1, 2, 5, 6, 7] })]);
  const part = rangeTrace(range, 'a', at(2) - 500, at(5));
  assert.deepEqual([[...part.t], [...part.joined]], [[at(1), at(2), at(5), at(6)], [1, 1, 0, 1]]);
  const choices = { 0: 'off', 1: 'on' };
  const states = toRange([answer([0, 1], { a: ['on', 'off'] })]);
  assert.deepEqual([...rangeTrace(states, 'a', 0, 1e15, choices).v], [1, 0]);
  assert.equal(rangeTrace(states, 'a', 0, 1e15).n, 0);
  assert.deepEqual([...rangeTrace(states, 'a', 0, 1e15, choices).v], [1, 0]);
});

test('rows are aligned by time, both ends included', () => {
  const range = toRange([answer([0, 1, 2, 3], { a: [0, 1, null, 3], b: [null, 'x', 'y', 'z'] })]);
  assert.deepEqual(rangeRows(range, ['b', 'a', 'none'], at(1), at(3)), {
    ts: [at(1), at(2), at(3)], columns: [['x', 'y', 'z'], [1, null, 3], [null, null, null]],
  });
});

test('of frames that are the lowest and highest of buckets nobody knows the mean', () => {
  const answers = (count) => [
    { from: 0, to: 9999, fields: { a: { ts: [1, 2], v: [0, 10] } } },
    { from: 0, to: 9999, seq: [1, 2], ts: [0, 9000], gaps: [], fields: { a: [1, 1] }, stats: { a: { count } } },
  ];
  const [each, some, old] = [[1, 1], [500, 600], [null, null]].map((count) => toRange(answers(count), 1000));
  assert.deepEqual([each, some, old].map(({ isThinned }) => isThinned), [false, true, false]);
  const mean = (range) => summary(rangeTrace(range, 'a', 0, 9999), 0, 9999).mean;
  assert.deepEqual([mean(each), mean(some)], [5, NaN]);
});
