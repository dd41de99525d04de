/** Order by seq, gaps, merged values, slow fields, staleness. Run by `node --test tests/page/`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  UNKNOWN_PERIOD_MS, clear, createTable, insertSample, isGap, latest, newestSeq, newestTs, trim, usualPeriod,
} from '../../static/data/columns.js';

const T0 = 1_700_000_000_000;
const sample = (n, payload = { speed: n }) => ({ seq: n, ts: T0 + n * 1000, payload });
const foreign = (ms, payload = { speed: ms }) => ({ seq: null, ts: T0 + ms, payload });

function tableOf(samples, fields = ['speed']) {
  const table = createTable(fields);
  for (const one of samples) insertSample(table, one);
  return table;
}

test('any order of arrival, with copies, gives the same table', () => {
  let random = 7;
  const next = (n) => (random = (random * 48_271) % 2_147_483_647) % n;
  for (let round = 0; round < 200; round++) {
    const arrivals = Array.from({ length: 12 }, (_, n) => sample(n));
    for (let k = 0; k < 6; k++) arrivals.push(sample(next(12)));
    for (let i = arrivals.length - 1; i > 0; i--) {
      const j = next(i + 1);
      [arrivals[i], arrivals[j]] = [arrivals[j], arrivals[i]];
    }
    assert.deepEqual(tableOf(arrivals).seq, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  }
});

test('a copy is dropped and does not change a value', () => {
  const table = tableOf([sample(1), sample(2)]);
  assert.equal(insertSample(table, sample(1, { speed: 99 })), -1);
  assert.deepEqual(table.fields.get('speed'), [1, 2]);
});

test('a copy fills what the row lacks, as a whole sample after one that stood for several', () => {
  const table = tableOf([sample(1, { speed: 1 })], ['speed', 'rpm']);
  const { revision } = table;
  assert.equal(insertSample(table, sample(1, { speed: 9, rpm: 2 })), -1);
  assert.deepEqual([table.fields.get('speed'), table.fields.get('rpm')], [[1], [2]]);
  assert.ok(table.revision > revision);
});

test('an older value of a merged sample goes to its own time, or nowhere', () => {
  const table = tableOf([sample(1, { speed: 1 }), sample(2, { fuel: 5 })], ['speed', 'fuel', 'rpm']);
  const tsOf = { fuel: T0 + 2000, rpm: T0 + 2000, speed: T0 + 2500, other: T0 + 1000 };
  insertSample(table, { ...sample(4, { speed: 8, fuel: 99, rpm: 7, other: 1 }), tsOf });
  assert.deepEqual(table.seq, [1, 2, 4]);
  assert.deepEqual(table.fields.get('speed'), [1, null, null]);
  assert.deepEqual(table.fields.get('fuel'), [null, 5, null]);
  assert.deepEqual(table.fields.get('rpm'), [null, 7, null]);
});

test('a late sample is put at its place and closes the gap', () => {
  const table = tableOf([sample(1), sample(3)]);
  assert.equal(isGap(table, 1), true);
  assert.equal(insertSample(table, sample(2)), 1);
  assert.deepEqual(table.seq, [1, 2, 3]);
  assert.equal(isGap(table, 1) || isGap(table, 2), false);
});

test('a step in seq, more than 2 s, and a clock set back are gaps; 2 s are none', () => {
  const at = (seq, ms) => ({ seq, ts: T0 + ms, payload: {} });
  const table = tableOf([at(1, 0), at(2, 2000), at(3, 4001), at(5, 5000), at(6, 1000)]);
  assert.deepEqual([1, 2, 3, 4].map((i) => isGap(table, i)), [false, true, true, true]);
});

test('samples without seq are placed by time, told apart by time, and have no gaps', () => {
  const table = tableOf([foreign(0), foreign(9000), foreign(4000), foreign(4000)]);
  assert.deepEqual(table.ts, [T0, T0 + 4000, T0 + 9000]);
  assert.equal(isGap(table, 1) || isGap(table, 2), false);
});

test('a seq that is no integer counts as none', () => {
  const table = tableOf([{ seq: '7', ts: T0, payload: { speed: 1 } }, { seq: 1.5, ts: T0 + 1, payload: {} }]);
  assert.deepEqual(table.seq, [null, null]);
});

test('NaN, null, infinity and objects are absent; booleans and strings are values', () => {
  const values = [NaN, null, undefined, Infinity, {}, [], true, 'on', 0];
  const table = tableOf(values.map((speed, n) => sample(n, { speed })));
  assert.deepEqual(table.fields.get('speed'), [null, null, null, null, null, null, true, 'on', 0]);
});

test('a field called like a property of every object is absent unless it is given', () => {
  const table = tableOf([sample(1, {})], ['constructor', 'toString']);
  assert.deepEqual(table.fields.get('constructor'), [null]);
});

test('the usual period is the median spacing, without those across gaps', () => {
  const slow = [0, 4, 8, 12].map((n) => n);
  const rows = Array.from({ length: 14 }, (_, n) => sample(n, slow.includes(n) ? { temp: n } : {}));
  rows.push(sample(60, { temp: 60 }));
  const table = tableOf(rows, ['temp']);
  assert.equal(usualPeriod(table, 'temp'), 4000);
});

test('the usual period is unknown after one value, and spans gaps where no other spacing is known', () => {
  assert.equal(usualPeriod(tableOf([sample(1)]), 'speed'), UNKNOWN_PERIOD_MS);
  assert.equal(usualPeriod(tableOf([sample(1), sample(21)]), 'speed'), 20_000);
});

test('a value is stale after three usual periods, not before', () => {
  const table = tableOf([sample(0), sample(1), sample(2)]);
  assert.deepEqual(latest(table, 'speed', T0 + 5000), { value: 2, ts: T0 + 2000, ageMs: 3000, stale: false });
  assert.equal(latest(table, 'speed', T0 + 5001).stale, true);
  assert.equal(latest(table, 'never', T0), null);
});

test('a slow field stays fresh while fast ones come, by its own period', () => {
  const payload = (n) => (n <= 20 && n % 10 === 0 ? { fuel: n, speed: n } : { speed: n });
  const rows = Array.from({ length: 40 }, (_, n) => sample(n, payload(n)));
  const table = tableOf(rows, ['fuel', 'speed']);
  assert.equal(latest(table, 'fuel', T0 + 50_000).stale, false);
  assert.equal(latest(table, 'fuel', T0 + 50_001).stale, true);
});

test('trimming keeps the newest and forgets seqs, also those ahead of a clock that was set back', () => {
  const table = tableOf([sample(1), sample(2), sample(10)]);
  trim(table, 5000);
  assert.deepEqual(table.seq, [10]);
  assert.equal(insertSample(table, sample(2)), 0);
  const back = tableOf([{ seq: 1, ts: T0 + 3_600_000, payload: {} }, { seq: 2, ts: T0, payload: {} }]);
  trim(back, 5000);
  assert.deepEqual(back.seq, [2]);
  assert.equal(newestTs(back), T0);
});

test('a cleared table is as a new one', () => {
  const table = tableOf([sample(1), foreign(2000)]);
  assert.equal(newestSeq(table), 1);
  clear(table);
  assert.deepEqual([table.seq, table.ts, table.fields.get('speed')], [[], [], []]);
  assert.equal(newestSeq(table), null);
  assert.equal(insertSample(table, sample(1)), 0);
});
