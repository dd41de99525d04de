/** Order by seq, gaps, merged values, slow fields, staleness. Run by `node --test tests/page/`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  JOIN_PERIODS, UNKNOWN_PERIOD_MS, createTable, insertSample, isGap, latest as latestOf, limitOf, newestTs, tableSeries,
  toNumber, trim,
} from '../../static/data/columns.js';

const T0 = 1_700_000_000_000;
const sample = (n, payload = { speed: n }) => ({ seq: n, ts: T0 + n * 1000, payload });
const foreign = (ms, payload = { speed: ms }) => ({ seq: null, ts: T0 + ms, payload });

const usualPeriod = (table, field) => limitOf(tableSeries(table, field)) / JOIN_PERIODS;
const latest = (table, field, now) => latestOf(tableSeries(table, field), now);

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

test('the usual period is that of the newest values: a field that changed its pace has a new one', () => {
  const rows = Array.from({ length: 500 }, (_, n) => sample(n, {}));
  for (let n = 0; n < 250; n++) rows[n].payload.temp = n;
  for (let n = 250; n < 500; n += 2) rows[n].payload.temp = n;
  assert.equal(usualPeriod(tableOf(rows, ['temp']), 'temp'), 2000);
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

test('spans stand beside the values of the fields that have some, row by row, whatever order they come in', () => {
  const table = createTable(['speed', 'rpm', 'state']);
  const spans = { speed: { min: 1, max: 9 }, state: { min: 'a', max: 'b' }, rpm: { min: 5, max: 5 } };
  insertSample(table, sample(3, { speed: 3, rpm: 5, state: 'b' }));
  insertSample(table, { ...sample(5, { speed: 5, rpm: 5, state: 'b' }), spans });
  insertSample(table, { ...sample(1, { speed: 1 }), spans: { speed: { min: 0, max: 2 }, rpm: { min: 0, max: 1 } } });
  assert.deepEqual([...table.low], [['speed', [0, null, 1]]]);
  assert.deepEqual([...table.high], [['speed', [2, null, 9]]]);
  trim(table, 1000);
  assert.deepEqual([...table.low.values(), ...table.high.values()], [[1], [9]]);
});

test('spans that are none, of wrong shape, or of a property of every object are left out', () => {
  const table = createTable(['a', 'constructor']);
  for (const [n, span] of [null, 7, {}, { min: 2, max: 1 }, { min: NaN, max: 1 }, { min: 0, max: Infinity }].entries()) {
    insertSample(table, { ...sample(n, { a: 1, constructor: 1 }), spans: { a: span } });
  }
  assert.equal(table.low.size + table.high.size, 0);
});

test('a copy that fills a value brings its span', () => {
  const table = tableOf([sample(1, {})]);
  insertSample(table, { ...sample(1, { speed: 4 }), spans: { speed: { min: 3, max: 5 } } });
  assert.deepEqual([table.low.get('speed'), table.high.get('speed')], [[3], [5]]);
});

test('choices by name, booleans and numbers are drawn as numbers; other text is not', () => {
  const choices = { 0: 'released', 1: 'applied', 7: 'applied' };
  assert.deepEqual([toNumber('applied', choices), toNumber('released', choices)], [1, 0]);
  assert.deepEqual([toNumber(true), toNumber(false), toNumber(2.5, choices)], [1, 0, 2.5]);
  for (const value of ['applied', null, undefined]) assert.ok(Number.isNaN(toNumber(value)));
  assert.ok(Number.isNaN(toNumber('broken', choices)));
});

test('hours of 72 fields ten times a second cost little and hold five minutes', () => {
  const names = Array.from({ length: 72 }, (_, i) => `f${i}`);
  const table = createTable(names);
  const payload = Object.fromEntries(names.map((name) => [name, 1]));
  const spans = Object.fromEntries(names.map((name) => [name, { min: 0, max: 2 }]));
  const started = performance.now();
  const ROWS = 20_000;
  for (let n = 0; n < ROWS; n++) {
    insertSample(table, { seq: n, ts: T0 + n * 100, payload, spans });
    trim(table);
    assert.ok(table.ts.length <= 3200);
  }
  const usEach = ((performance.now() - started) * 1000) / ROWS;
  assert.equal(newestTs(table) - table.ts[0] >= 299_900, true);
  for (const map of [table.fields, table.low, table.high]) for (const column of map.values()) assert.equal(column.length, table.ts.length);
  assert.ok(usEach < 500, `${usEach} µs a sample`);
});
