/** Lines out of columns: where they break, what is under the cursor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTable, insertSample } from '../../static/data/columns.js';
import { LONE_MS, extent, flatten, nearest, points, toNumber } from '../../static/data/lines.js';

const T0 = 1_700_000_000_000;

/** @param {Object<number, Object>} rows payload by second */
function tableOf(rows, fields = ['a']) {
  const table = createTable(fields);
  for (const [n, payload] of Object.entries(rows)) {
    insertSample(table, { seq: Number(n), ts: T0 + n * 1000, payload });
  }
  return table;
}

/** Seconds and values; a break as null. */
function drawn(table, field = 'a', choices = null) {
  const flat = flatten(points(table, field, T0, choices));
  const out = [];
  for (let i = 0; i < flat.length; i += 2) {
    out.push(Number.isNaN(flat[i + 1]) ? null : [(flat[i] - T0) / 1000, flat[i + 1]]);
  }
  return out;
}

test('a whole line has no break', () => {
  assert.deepEqual(drawn(tableOf({ 0: { a: 1 }, 1: { a: 2 }, 2: { a: 3 } })), [[0, 1], [1, 2], [2, 3]]);
});

test('a gap in seq breaks every line, a slow one too', () => {
  const table = tableOf({ 0: { a: 1, b: 1 }, 1: { a: 2 }, 3: { a: 3 }, 4: { a: 4, b: 2 } }, ['a', 'b']);
  assert.deepEqual(drawn(table), [[0, 1], [1, 2], null, [3, 3], [4, 4]]);
  assert.ok(drawn(table, 'b').includes(null));
});

test('a field that single samples lack is joined across three usual periods, not across more', () => {
  const rows = {};
  for (let n = 0; n < 20; n++) rows[n] = {};
  for (const n of [0, 1, 2, 3, 6, 7, 11, 12]) rows[n] = { a: n };
  assert.deepEqual(drawn(tableOf(rows)), [[0, 0], [1, 1], [2, 2], [3, 3], [6, 6], [7, 7], null, [11, 11], [12, 12]]);
});

test('a lone value is drawn as a dash around its time', () => {
  const half = LONE_MS / 2000;
  assert.deepEqual(drawn(tableOf({ 0: { a: 1 }, 5: { a: 2 }, 6: { a: 3 } })),
    [[-half, 1], [half, 1], null, [5, 2], [6, 3]]);
});

test('a line enters the window from the last point before it', () => {
  const list = points(tableOf({ 0: { a: 1 }, 1: { a: 2 }, 2: { a: 3 } }), 'a', T0 + 1500);
  assert.deepEqual(list.map((point) => point.value), [2, 3]);
  assert.equal(points(tableOf({ 0: { a: 1 } }), 'a', T0 + 60_000).length, 1);
  assert.deepEqual(points(tableOf({ 0: { a: 1 } }), 'none', T0), []);
});

test('choices by name, booleans and numbers are drawn as numbers; other text is not', () => {
  const choices = { 0: 'released', 1: 'applied' };
  assert.equal(toNumber('applied', choices), 1);
  assert.equal(toNumber(true), 1);
  assert.ok(Number.isNaN(toNumber('applied')));
  assert.ok(Number.isNaN(toNumber('broken', choices)));
  assert.deepEqual(drawn(tableOf({ 0: { a: 'released' }, 1: { a: 'applied' } }), 'a', choices), [[0, 0], [1, 1]]);
});

test('the cursor finds the nearest point of a joined line, and nothing inside a gap', () => {
  const list = points(tableOf({ 0: { a: 1 }, 1: { a: 2 }, 9: { a: 3 }, 10: { a: 4 } }), 'a', T0);
  assert.equal(nearest(list, T0 + 600).value, 2);
  assert.equal(nearest(list, T0 + 400).value, 1);
  assert.equal(nearest(list, T0 + 5000), null);
  assert.equal(nearest(list, T0 + 8500).value, 3);
  assert.equal(nearest([], T0), null);
});

test('the extent spans all lines', () => {
  const list = (...values) => values.map((value) => ({ ts: 0, value, joined: true }));
  assert.deepEqual(extent([list(3, 5), list(-1)]), { lo: -1, hi: 5 });
  assert.equal(extent([[], []]), null);
});
