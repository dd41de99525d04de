/** Lines out of columns and ranges: where they break, what is under the cursor, what they sum up to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOIN_PERIODS, createTable, insertSample, isGap, limitOf, tableSeries } from '../../static/data/columns.js';
import { toRange } from '../../static/data/ranges.js';
import {
  LONE_MS, between, extent, flat, joinTraces, nearest, rangeTrace, summary, tableTrace, thin,
} from '../../static/data/traces.js';

const T0 = 1_700_000_000_000;
const FAR = 1e15;
const usualPeriod = (table, field) => limitOf(tableSeries(table, field)) / JOIN_PERIODS;

/** Numbers 0 … n-1 that are the same in every run. */
function seeded(seed) {
  let state = seed;
  return (n) => (state = (state * 48_271) % 2_147_483_647) % n;
}

/** What lies before the first live point, and what is live. */
const join = (past, live, limitMs, isGap) => joinTraces(
  [live.n ? between(past, -FAR, live.t[0]) : past, live], (a, b) => !isGap && b - a <= limitMs,
);

/** @param {Object<number, Object>} rows payload by second */
function tableOf(rows, fields = ['a']) {
  const table = createTable(fields);
  for (const [n, payload] of Object.entries(rows)) {
    insertSample(table, { seq: Number(n), ts: T0 + n * 1000, payload });
  }
  return table;
}

const whole = (table, field = 'a', choices = null) => tableTrace(table, field, -FAR, FAR, choices);

/** Seconds and values; a break as null. */
function drawn(trace) {
  const list = flat(trace);
  const out = [];
  for (let i = 0; i < list.length; i += 2) {
    out.push(Number.isNaN(list[i + 1]) ? null : [(list[i] - T0) / 1000, list[i + 1]]);
  }
  return out;
}

/** A table with holes, slow fields, text, spans, a clock that steps. */
function anyTable(seed) {
  const next = seeded(seed);
  const table = createTable(['a', 'b', 'c']);
  const step = [100, 1000, 1000][next(3)];
  let [seq, ts] = [next(1000), T0];
  for (let i = 0; i < 40 + next(200); i++) {
    seq += next(25) === 0 ? 2 + next(4) : 1;
    ts += next(30) === 0 ? 2500 : next(60) === 0 ? -5000 : step + next(20);
    const payload = { a: next(100) };
    if (i % (2 + (seed % 7)) === 0) payload.b = ['on', 'off', 'broken'][next(3)];
    if (next(4)) payload.c = next(1000) / 10;
    const isBare = next(20) === 0;
    const spans = next(2) ? { a: { min: -next(50) - 1, max: 100 + next(50) } } : undefined;
    insertSample(table, { seq: seed % 9 ? seq : null, ts, payload: isBare ? {} : payload, spans });
  }
  return table;
}

const CHOICES = { 0: 'off', 1: 'on' };

function points(trace) {
  return Array.from({ length: trace.n }, (_, i) => [
    trace.t[i], trace.v[i], trace.joined[i], trace.lo?.[i] ?? null, trace.hi?.[i] ?? null,
  ]);
}

/** As the rules say it, without regard to cost. */
function naiveTrace(table, field, choices) {
  const number = (value) => (typeof value === 'string' ? { off: 0, on: 1 }[choices && value] : value);
  const rows = table.ts.map((_, i) => i).filter((i) => typeof (number(table.fields.get(field)[i]) ?? null) === 'number');
  const limit = 3 * usualPeriod(table, field);
  const isCut = (a, b) => Array.from({ length: b - a }, (_, k) => isGap(table, a + 1 + k)).some(Boolean);
  const all = rows.map((row, k) => {
    const before = rows[k - 1];
    const isJoined = k > 0 && !isCut(before, row) && table.ts[row] - table.ts[before] <= limit;
    const v = number(table.fields.get(field)[row]);
    const has = table.low.has(field);
    const [lo, hi] = has ? [table.low.get(field)[row] ?? v, table.high.get(field)[row] ?? v] : [null, null];
    return [table.ts[row], v, Number(isJoined), lo, hi];
  });
  return all.filter(([t], i) => all.slice(i + 1).every(([later]) => later > t));
}

test('any table: what is drawn is what the rules say, the same way whatever part of it is asked for', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const table = anyTable(seed);
    const next = seeded(seed + 9999);
    for (const field of ['a', 'b', 'c']) {
      const all = naiveTrace(table, field, CHOICES);
      assert.deepEqual(points(whole(table, field, CHOICES)), all, `seed ${seed} ${field}`);
      const from = T0 + next(150_000) - 5000;
      const to = from + next(60_000);
      const first = Math.max(0, all.findLastIndex(([t]) => t < from));
      const after = all.findIndex(([t]) => t > to);
      const expected = all.slice(first, after < 0 ? undefined : after + 1);
      assert.deepEqual(points(tableTrace(table, field, from, to, CHOICES)), expected, `seed ${seed} ${field} ${from}`);
    }
  }
});

test('any table with a clock that steps: times rise, and the part up to now is the end of the whole', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const table = anyTable(seed);
    const all = points(whole(table));
    assert.ok(all.every(([t], i) => i === 0 || t > all[i - 1][0]));
    const from = T0 + seeded(seed)(100_000);
    const part = points(tableTrace(table, 'a', from, FAR));
    assert.deepEqual(part, all.slice(Math.max(0, all.findLastIndex(([t]) => t < from))), `seed ${seed}`);
  }
});

test('a whole line has no break', () => {
  assert.deepEqual(drawn(whole(tableOf({ 0: { a: 1 }, 1: { a: 2 }, 2: { a: 3 } }))), [[0, 1], [1, 2], [2, 3]]);
});

test('a gap in seq breaks every line, a slow one too', () => {
  const table = tableOf({ 0: { a: 1, b: 1 }, 1: { a: 2 }, 3: { a: 3 }, 4: { a: 4, b: 2 } }, ['a', 'b']);
  assert.deepEqual(drawn(whole(table)), [[0, 1], [1, 2], null, [3, 3], [4, 4]]);
  assert.ok(drawn(whole(table, 'b')).includes(null));
});

test('of two samples at one time the later stands, and the gap before them stays', () => {
  const table = createTable(['a']);
  for (const [seq, ms] of [[1, 0], [2, 1000], [5, 4000], [6, 4000], [7, 5000]]) insertSample(table, { seq, ts: T0 + ms, payload: { a: seq } });
  assert.deepEqual(drawn(whole(table)), [[0, 1], [1, 2], null, [4, 6], [5, 7]]);
});

test('a field that single samples lack is joined across three usual periods, not across more', () => {
  const rows = {};
  for (let n = 0; n < 20; n++) rows[n] = {};
  for (const n of [0, 1, 2, 3, 6, 7, 11, 12]) rows[n] = { a: n };
  assert.deepEqual(drawn(whole(tableOf(rows))), [[0, 0], [1, 1], [2, 2], [3, 3], [6, 6], [7, 7], null, [11, 11], [12, 12]]);
});

test('a lone value is drawn as a dash up to its time, which reaches no neighbour', () => {
  assert.deepEqual(drawn(whole(tableOf({ 0: { a: 1 }, 5: { a: 2 }, 6: { a: 3 } }))),
    [[-LONE_MS / 1000, 1], [0, 1], null, [5, 2], [6, 3]]);
  for (let seed = 1; seed <= 100; seed++) {
    const list = flat(whole(anyTable(seed)));
    for (let i = 2; i < list.length; i += 2) assert.ok(list[i] >= list[i - 2], `seed ${seed}`);
  }
});

test('any line: flat has each point in order, and a break where the line has one', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const trace = whole(anyTable(seed), 'c');
    const expected = [];
    for (let i = 0; i < trace.n; i++) {
      if (i && !trace.joined[i]) expected.push(null);
      expected.push(trace.v[i]);
      if (!trace.joined[i] && !trace.joined[i + 1]) expected.push(trace.v[i]);
    }
    assert.deepEqual(drawn(trace).map((point) => point && point[1]), expected, `seed ${seed}`);
  }
});

test('the cursor finds the nearest point of a joined line, and nothing inside a gap', () => {
  const trace = whole(tableOf({ 0: { a: 1 }, 1: { a: 2 }, 9: { a: 3 }, 10: { a: 4 } }));
  const at = (ms) => trace.v[nearest(trace, T0 + ms)];
  assert.deepEqual([at(600), at(400), at(8500), at(-900), at(10_900)], [2, 1, 3, 1, 4]);
  assert.equal(nearest(trace, T0 + 5000), -1);
  assert.equal(nearest(whole(createTable(['a'])), T0), -1);
});

test('inside a slow line the nearest of its points is far away, and found', () => {
  const trace = whole(tableOf({ 0: { a: 1 }, 1: {}, 2: {}, 3: {}, 4: {}, 5: { a: 2 }, 6: {}, 7: {}, 8: {}, 9: {}, 10: { a: 3 } }));
  assert.deepEqual([2400, 2600, 7600].map((ms) => nearest(trace, T0 + ms)), [0, 1, 2]);
});

test('any line: the point under the cursor is the nearest of all, or none is near', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const trace = whole(anyTable(seed), 'c');
    const next = seeded(seed);
    for (let k = 0; k < 50; k++) {
      const t = trace.t[0] - 3000 + next(Math.ceil(trace.t[trace.n - 1] - trace.t[0]) + 6000);
      const distance = Math.min(...trace.t.map((each) => Math.abs(each - t)));
      const found = nearest(trace, t);
      if (found >= 0) assert.equal(Math.abs(trace.t[found] - t), distance);
      else assert.ok(distance > 1000);
    }
  }
});

test('the extent spans all lines and their spans', () => {
  const one = whole(tableOf({ 0: { a: 3 }, 1: { a: 5 } }));
  const other = whole(tableOf({ 0: { a: -1 } }));
  assert.deepEqual(extent([one, other]), { lo: -1, hi: 5 });
  const table = createTable(['a']);
  insertSample(table, { seq: 1, ts: T0, payload: { a: 1 }, spans: { a: { min: -7, max: 70 } } });
  assert.deepEqual(extent([one, whole(table)]), { lo: -7, hi: 70 });
  assert.equal(extent([whole(createTable(['a']))]), null);
});

/** An answer of the server at one row a second, or in buckets as it makes them. */
function answerOf(rows, { from, to, points }) {
  const inside = rows.filter(({ ts }) => ts >= from && ts <= to);
  const width = points ? Math.max(1, Math.ceil((to - from + 1) / points)) : 1;
  const buckets = new Map();
  for (const row of inside) {
    const key = inside.length > (points ?? Infinity) ? Math.floor(row.ts / width) : row.ts;
    buckets.set(key, [...(buckets.get(key) ?? []), row]);
  }
  const each = [...buckets.values()];
  const column = (of) => each.map((held) => {
    const values = held.map((row) => row.a).filter((v) => v !== null);
    return values.length ? of(values) : null;
  });
  const gaps = [];
  inside.forEach((row, i) => {
    const before = inside[i - 1];
    if (before && (row.seq - before.seq > 1 || row.ts - before.ts > 2000)) gaps.push([before.ts, row.ts]);
  });
  const sum = (values) => values.reduce((total, v) => total + v, 0);
  const stats = {
    min: column((v) => Math.min(...v)), max: column((v) => Math.max(...v)),
    mean: column((v) => sum(v) / v.length), seconds: column((v) => v.length),
  };
  const answer = { from, to, ts: each.map((held) => held.at(-1).ts), seq: each.map((held) => held.at(-1).seq) };
  return { ...answer, fields: { a: column((v) => v.at(-1)) }, stats: { a: stats }, ...(points ? { gaps } : {}) };
}

function anyRows(seed, count) {
  const next = seeded(seed);
  let [seq, ts] = [5, T0];
  return Array.from({ length: count }, () => {
    const hole = next(100) === 0 ? 1 + next(50) : 0;
    seq += 1 + hole;
    ts += 1000 * (1 + hole);
    return { seq, ts, a: next(10) ? next(1000) : null };
  });
}

test('any history: buckets break at every gap and nowhere else, and sum up to what the seconds do', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const rows = anyRows(seed, 3000);
    const [from, to] = [rows[0].ts, rows.at(-1).ts];
    const range = toRange([answerOf(rows, { from, to, points: 400 })], 400);
    const trace = rangeTrace(range, 'a', from, to);
    assert.equal(range.gaps.length > 5, true);
    for (let i = 1; i < trace.n; i++) {
      const isCut = range.gaps.some(([, b]) => trace.t[i - 1] < b && b <= trace.t[i]);
      assert.equal(trace.joined[i] === 1, !isCut, `seed ${seed} point ${i}`);
    }
    const values = rows.map((row) => row.a).filter((v) => v !== null);
    const { min, max, mean, n } = summary(trace, from, to);
    assert.deepEqual([min, max, n], [Math.min(...values), Math.max(...values), values.length]);
    assert.ok(Math.abs(mean - values.reduce((a, b) => a + b) / values.length) < 1e-6);
  }
});

test('any history in seconds: a summary of any part is that of its values', () => {
  const rows = anyRows(3, 500);
  const [from, to] = [rows[0].ts, rows.at(-1).ts];
  const trace = rangeTrace(toRange([answerOf(rows, { from, to })]), 'a', from, to);
  const next = seeded(4);
  for (let k = 0; k < 100; k++) {
    const a = from + next(to - from);
    const b = a + next(60_000);
    const values = rows.filter(({ ts, a: v }) => ts >= a && ts <= b && v !== null).map((row) => row.a);
    const found = summary(trace, a, b);
    if (!values.length) assert.equal(found, null);
    else assert.deepEqual([found.min, found.max, found.n], [Math.min(...values), Math.max(...values), values.length]);
  }
});

test('history and live are one line, without hole or double, broken where there is a gap', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const rows = anyRows(seed, 400);
    const table = createTable(['a']);
    for (const { seq, ts, a } of rows) insertSample(table, { seq, ts, payload: { a } });
    const all = whole(table);
    const late = createTable(['a']);
    const start = 100 + seeded(seed)(200);
    for (const { seq, ts, a } of rows.slice(start)) insertSample(late, { seq, ts, payload: { a } });
    const range = toRange([answerOf(rows, { from: rows[0].ts, to: rows[start + 50].ts })]);
    const past = between(rangeTrace(range, 'a', -FAR, FAR), -FAR, late.ts[0]);
    const live = whole(late);
    const isGapThere = range.gaps.some(([, b]) => past.t[past.n - 1] < b && b <= live.t[0]);
    const joined = join(past, live, 3000, isGapThere);
    assert.deepEqual([...joined.t], [...all.t]);
    assert.deepEqual([...joined.v], [...all.v]);
    assert.deepEqual([...joined.joined], [...all.joined], `seed ${seed}`);
    assert.equal(joined.n, all.n);
  }
});

test('joined to seconds, buckets keep their spans and weights', () => {
  const rows = anyRows(1, 900);
  const range = toRange([answerOf(rows, { from: rows[0].ts, to: rows[799].ts, points: 100 })], 100);
  const table = createTable(['a']);
  for (const { seq, ts, a } of rows.slice(800)) insertSample(table, { seq, ts, payload: { a } });
  const joined = join(rangeTrace(range, 'a', -FAR, FAR), whole(table), 3000, false);
  const values = rows.map((row) => row.a).filter((v) => v !== null);
  const { min, max, mean, n } = summary(joined, -FAR, FAR);
  assert.deepEqual([min, max, n], [Math.min(...values), Math.max(...values), values.length]);
  assert.ok(Math.abs(mean - values.reduce((a, b) => a + b) / n) < 1e-9);
  const [early, late] = [tableOf({ 0: { a: 1 }, 1: { a: 2 }, 2: { a: 9 } }), tableOf({ 2: { a: 3 }, 3: { a: 4 } })];
  assert.deepEqual(drawn(join(whole(early), whole(late), 3000, false)), [[0, 1], [1, 2], [2, 3], [3, 4]]);
  assert.ok(drawn(join(whole(early), whole(late), 3000, true)).includes(null));
  assert.ok(drawn(join(whole(early), whole(late), 500, false)).includes(null));
  const none = whole(createTable(['a']));
  assert.equal(join(none, none, 1, false).n, 0);
  assert.equal(join(none, whole(table), 1, false).n, whole(table).n);
  assert.equal(join(whole(table), none, 1, false).n, whole(table).n);
});

test('a line of very many points keeps its spikes, its gaps and its sum, in the same buckets wherever it begins', () => {
  const next = seeded(5);
  const table = createTable(['a']);
  for (let n = 0; n < 9000; n++) {
    if (n % 2000 === 1999) continue;
    insertSample(table, { seq: n, ts: T0 + n * 100, payload: { a: n === 4321 ? 5000 : next(100) } });
  }
  const all = whole(table);
  const few = thin(all, T0, T0 + 900_000);
  assert.ok(few.n < 2100, String(few.n));
  assert.deepEqual(extent([few]), extent([all]));
  const breaks = (trace) => [...trace.joined].filter((isJoined) => !isJoined).length;
  assert.equal(breaks(few), breaks(all));
  const [one, other] = [summary(few, -FAR, FAR), summary(all, -FAR, FAR)];
  assert.deepEqual([one.min, one.max], [other.min, other.max]);
  assert.ok(Math.abs(one.mean - other.mean) < 1e-9 && Math.abs(one.n - other.n) < 1e-9);
  const later = thin(tableTrace(table, 'a', T0 + 100_300, T0 + 1_000_300), T0 + 100_300, T0 + 1_000_300);
  const tail = [...later.t].slice(10);
  assert.deepEqual(tail, [...few.t].slice(-tail.length));
  const weights = { mean: all.v.map((v) => v + 1), seconds: all.v.map((_, i) => 1 + (i % 5)), lo: all.v, hi: all.v.map((v) => v + 9) };
  const [heavy, light] = [{ ...all, ...weights }, thin({ ...all, ...weights }, T0, T0 + 900_000)].map((trace) => summary(trace, -FAR, FAR));
  for (const key of ['min', 'max', 'mean', 'n']) assert.ok(Math.abs(heavy[key] - light[key]) < 1e-6, key);
  const short = tableTrace(table, 'a', T0, T0 + 100_000);
  assert.equal(thin(short, T0, T0 + 100_000), short);
});
