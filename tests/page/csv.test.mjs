/** CSV of a window: RFC 4180, no formulas from outside, aligned over message types, in pieces the server takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTable, insertSample } from '../../static/data/columns.js';
import { toRange } from '../../static/data/ranges.js';
import { Source } from '../../static/data/source.js';
import { csvOf, windowRows } from '../../static/view/csv.js';

const T0 = Date.UTC(2026, 10, 28, 14, 3, 22);
const at = (n) => T0 + n * 1000;
const span = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** As RFC 4180 says, one character after the other. */
function parse(text) {
  const rows = [['']];
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const row = rows.at(-1);
    if (text[i] === '"') {
      if (isQuoted && text[i + 1] === '"') row[row.length - 1] += text[++i];
      else isQuoted = !isQuoted;
    } else if (!isQuoted && text[i] === ',') row.push('');
    else if (!isQuoted && text.startsWith('\r\n', i)) rows.push(['']), i++;
    else row[row.length - 1] += text[i];
  }
  return rows.slice(0, -1);
}

test('a head, ISO times in UTC, empty cells, lines that end as they should', () => {
  const columns = [{ label: 'Speed', unit: 'km/h' }, { label: 'On', unit: '' }];
  const rows = [[T0 + 7, 12.5, true], [T0 + 1000, null, undefined], [T0 + 2000.25, -0.5, false]];
  assert.equal(csvOf({ columns, rows }), 'time,Speed [km/h],On\r\n2026-11-28T14:03:22.007Z,12.5,true\r\n'
    + '2026-11-28T14:03:23.000Z,,\r\n2026-11-28T14:03:24.000Z,-0.5,false\r\n');
  assert.equal(csvOf({ columns, rows: [] }, false), '');
});

test('text from outside comes back as it was, and a formula is text', () => {
  const texts = ['a,b', 'say "x"', 'two\r\nlines', 'two\nlines', ' space', 'ä 漢', '', '<img src=x onerror=1>'];
  const columns = texts.map((label) => ({ label, unit: '' }));
  const [head, row] = parse(csvOf({ columns, rows: [[T0, ...texts]] }));
  assert.deepEqual([head.slice(1), row.slice(1)], [texts, texts]);
  const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '=HYPERLINK("http://x","y")'];
  const named = csvOf({ columns: formulas.map((label) => ({ label, unit: '' })), rows: [[T0, ...formulas]] });
  for (const cells of parse(named)) assert.deepEqual(cells.slice(1), formulas.map((text) => `'${text}`));
  assert.match(csvOf({ columns: [{ label: 'a', unit: '' }], rows: [[T0, -5]] }), /,-5\r\n$/);
});

function sourceOf(msgType, seconds, range = null) {
  const table = createTable(['a', 'b']);
  for (const n of seconds) insertSample(table, { seq: n, ts: at(n), payload: { a: n, b: `${msgType}${n}` } });
  return [msgType, new Source({ stream: { msgType }, table }, { range, revision: 0 })];
}

async function all(...args) {
  const rows = [];
  const shares = [];
  for await (const piece of windowRows(...args)) {
    rows.push(...piece.rows);
    shares.push(piece.share);
  }
  return { rows, shares };
}

const noAsk = () => assert.fail('nothing has to be asked for');

/** A server that has each second of field a; it counts what it is asked. */
function serverOf(asked, lacks = () => false) {
  return async (msgType, fields, from, to) => {
    asked.push({ msgType, fields, from, to });
    assert.ok(Number.isInteger(from) && Number.isInteger(to));
    assert.ok((Math.min(100, fields.length) * (to - from)) / 1000 <= 2_000_000 && to - from <= 86_400_000);
    const seconds = span(Math.ceil((from - T0) / 1000), Math.floor((to - T0) / 1000)).filter((n) => !lacks(n));
    const columns = Object.fromEntries(fields.map((field) => [field, seconds.map((n) => n)]));
    return [{ from, to, seq: seconds, ts: seconds.map(at), fields: columns }];
  };
}

test('several message types are aligned by time, with empty cells where one has none', async () => {
  const sources = new Map([sourceOf('x', [1, 2, 3]), sourceOf('y', [2, 3, 4])]);
  const lists = [{ msgType: 'x', fields: ['a', 'b'] }, { msgType: 'gone', fields: ['q'] }, { msgType: 'y', fields: ['b'] }];
  const { rows } = await all(sources, lists, at(1), at(4), serverOf([]));
  assert.deepEqual(rows, [
    [at(1), 1, 'x1', null, 1], [at(2), 2, 'x2', null, 'y2'], [at(3), 3, 'x3', null, 'y3'], [at(4), null, null, null, 'y4'],
  ]);
});

test('rows are in order of time, whichever message type they are of', async () => {
  const sources = new Map([sourceOf('x', [2, 4]), sourceOf('y', [1, 3])]);
  const lists = ['x', 'y'].map((msgType) => ({ msgType, fields: ['a'] }));
  const { rows } = await all(sources, lists, at(2), at(4), noAsk);
  assert.deepEqual(rows.map(([ts]) => ts), [at(2), at(3), at(4)]);
});

test('what the page holds second by second is not asked for', async () => {
  const seconds = span(0, 60);
  const range = toRange([{ from: at(0), to: at(60), seq: seconds, ts: seconds.map(at), fields: { a: seconds } }]);
  const sources = new Map([sourceOf('x', span(50, 99), range)]);
  const { rows, shares } = await all(sources, [{ msgType: 'x', fields: ['a'] }], at(0), at(99), noAsk);
  assert.deepEqual(rows, span(0, 99).map((n) => [at(n), n]));
  assert.deepEqual(shares, [1]);
});

test('of buckets the seconds are asked for in pieces, up to where the table begins, none lost and none twice', async () => {
  const LAST = 30_000;
  const bucketed = { from: at(0), to: at(LAST), seq: [LAST - 500], ts: [at(LAST - 500)], fields: { a: [999] }, gaps: [] };
  const sources = new Map([sourceOf('x', span(LAST - 100, LAST), toRange([bucketed], 400))]);
  const asked = [];
  const { rows, shares } = await all(sources, [{ msgType: 'x', fields: ['a'] }], at(0), at(LAST), serverOf(asked));
  assert.deepEqual(rows, span(0, LAST).map((n) => [at(n), n]));
  assert.ok(asked.length > 5 && asked.at(-1).to === at(LAST - 100) - 1);
  assert.ok(shares.every((share, i) => share > 0 && share <= 1 && (i === 0 || share > shares[i - 1])) && shares.at(-1) === 1);
});

test('of a window that the seconds held reach only in part, what lies before is asked for', async () => {
  const seconds = span(20, 60);
  const range = toRange([{ from: at(20), to: at(60), seq: seconds, ts: seconds.map(at), fields: { a: seconds } }]);
  const asked = [];
  const { rows } = await all(new Map([sourceOf('x', span(50, 99), range)]), [{ msgType: 'x', fields: ['a'] }], at(0) - 0.5, at(99), serverOf(asked));
  assert.deepEqual([rows, asked.length], [span(0, 99).map((n) => [at(n), n]), 1]);
});

test('very many fields make shorter questions; a window that nobody has is empty', async () => {
  const sources = new Map([sourceOf('x', [])]);
  const fields = span(0, 99).map((n) => `f${n}`);
  const asked = [];
  const { rows } = await all(sources, [{ msgType: 'x', fields }], at(0), at(100), serverOf(asked, () => true));
  assert.deepEqual([rows, asked.length], [[], 1]);
});

test('every frame where that is shown', async () => {
  const ts = span(0, 299).map((k) => T0 + k * 100 + 0.125);
  const range = toRange([{ from: at(0), to: at(30), fields: { a: { ts, v: ts.map((_, i) => i) } } }], 4000);
  const sources = new Map([sourceOf('x', [], range)]);
  const { rows, shares } = await all(sources, [{ msgType: 'x', fields: ['a'] }], at(0), at(30), noAsk);
  assert.deepEqual(rows, ts.map((t, i) => [t, i]));
  assert.equal(shares.length, 4);
});

test('where not every frame is shown, each second, of the newest what the table has', async () => {
  const range = { ...toRange([{ from: at(0), to: at(30), fields: { a: { ts: [at(5) + 1], v: [99] } } }], 4000), isThinned: true };
  const sources = new Map([sourceOf('x', span(20, 30), range)]);
  const { rows } = await all(sources, [{ msgType: 'x', fields: ['a'] }], at(0), at(30), serverOf([]));
  assert.deepEqual(rows, span(0, 30).map((n) => [at(n), n]));
});
