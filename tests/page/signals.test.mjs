/** All signals: latest values without a table, searching, lists for the live service; charts without values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTable, insertSample, trim } from '../../static/data/columns.js';
import { isKnown, isWithoutValues } from '../../static/charts/folding.js';
import { formatUnit } from '../../static/base/format.js';
import { isFound, searchText } from '../../static/signals/signaltable.js';
import { foldedText, page } from '../../static/texts.js';
import { readSignal } from '../../static/data/feed.js';

const T0 = 1_700_000_000_000;
const at = (n) => T0 + n * 1000;
const sample = (n, payload) => ({ seq: n, ts: at(n), payload });

/** A machine whose field `fast` comes every second and whose `slow` every so many. */
function run(seconds, slow) {
  const table = createTable(['fast', 'slow', 'once']);
  for (let n = 0; n <= seconds; n++) insertSample(table, sample(n, n % slow ? { fast: n } : { fast: n, slow: n }));
  return table;
}

test('a field that single samples lack keeps its value until three of its periods have passed', () => {
  const table = run(49, 10);
  const read = (n) => readSignal(table, 'slow', at(n));
  assert.deepEqual([read(49).value, read(49).ageMs, read(49).stale], [40, 9000, false]);
  assert.deepEqual(read(49).seen(), [0, 10, 20, 30, 40]);
  assert.deepEqual([read(70).stale, read(71).stale], [false, true]);
  assert.equal(readSignal(table, 'fast', at(53)).stale, true);
  assert.equal(readSignal(table, 'once', at(49)), null);
  assert.equal(readSignal(table, 'never', at(49)), null);
});

test('a field leaves the list a minute after its last value, a slow one later, none of a silent machine', () => {
  const table = createTable(['once', 'other']);
  insertSample(table, sample(0, { once: 1, other: 0 }));
  for (let n = 1; n <= 60; n++) insertSample(table, sample(n, { other: n }));
  assert.equal(readSignal(table, 'once', at(60)).value, 1);
  insertSample(table, sample(61, { other: 61 }));
  assert.equal(readSignal(table, 'once', at(61)), null);
  assert.deepEqual(readSignal(table, 'other', at(9999)).ageMs, 9938_000);

  const slow = run(120, 50);
  insertSample(slow, sample(165, { fast: 1 }));
  assert.equal(readSignal(slow, 'slow', at(165)).value, 100);
});

test('a clock that was set back does not leave old values on top', () => {
  const table = run(20, 5);
  insertSample(table, { seq: 21, ts: at(-500), payload: { fast: 7 } });
  trim(table);
  assert.equal(readSignal(table, 'fast', at(-500)).value, 7);
  assert.equal(readSignal(table, 'slow', at(-500)), null);
});

test('a search finds words in name, unit as written and as shown, message and description', () => {
  const field = { name: 'EngineOilTemperature1', unit: 'degC', message: 'ET1', description: 'Oil in the sump.' };
  const text = searchText(field);
  for (const search of ['', 'oiltemp', 'DEGC', '°c', 'et1 sump', 'sump  engine']) {
    assert.ok(isFound(text, search), search);
  }
  assert.ok(!isFound(text, 'sump rpm'));
  assert.equal(searchText({ name: 'A', unit: null, description: null }), 'a');
});

test('texts count and name', () => {
  assert.equal(page.signalCounts({ shown: 68, found: 68, total: 259 }, false), '68 of 259 signals have values');
  assert.equal(page.signalCounts({ shown: 3, found: 68, total: 259 }, true), '3 shown; 68 of 259 signals have values');
  assert.equal(foldedText(['Air', 'Motion']), '2 charts without values from this machine: Air, Motion');
  assert.match(foldedText(['Air']), /^1 chart without/);
});

test('units read as people write them', () => {
  const compound = { 'm/s^2': 'm/s²', 'deg/s': '°/s', 'degC/min': '°C/min', 'kg*m^-3': 'kg·m⁻³' };
  const units = { ...compound, degC: '°C', degF: '°F', degree: 'degree' };
  for (const [unit, shown] of Object.entries(units)) assert.equal(formatUnit(unit), shown);
  assert.equal(formatUnit('-'), '');
});

function tableOf(seconds, payload) {
  const table = createTable(['a', 'b']);
  for (const n of seconds) insertSample(table, sample(n, payload(n)));
  return table;
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

test('a chart is without values when none of its fields had any in the window', () => {
  const table = tableOf(range(0, 150), (n) => (n <= 20 ? { a: 0 } : {}));
  assert.equal(isWithoutValues(table, ['b']), true);
  assert.equal(isWithoutValues(table, ['gone']), true);
  assert.equal(isWithoutValues(table, ['a', 'b']), true);
  assert.equal(isWithoutValues(tableOf(range(0, 140), (n) => (n <= 20 ? { a: 0 } : {})), ['a', 'b']), false);
  insertSample(table, sample(150, { b: false }));
  assert.equal(isWithoutValues(table, ['a', 'b']), false);
});

test('a hole in the samples is not taken for the silence of a field', () => {
  const table = tableOf([...range(0, 10), ...range(200, 205)], (n) => (n < 10 ? { a: 1 } : {}));
  assert.equal(isWithoutValues(table, ['a']), false);
});

test('a chart is not judged before history and three live samples are there', () => {
  const table = tableOf(range(0, 3), () => ({}));
  assert.equal(isKnown({ hasHistory: true, received: 3, table }), true);
  assert.equal(isKnown({ hasHistory: false, received: 3, table }), false);
  assert.equal(isKnown({ hasHistory: true, received: 2, table }), false);
});
