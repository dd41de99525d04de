/**
 * The samples of one device and msgType as columns: positions, order by seq, gaps, staleness.
 *
 * Pure: no DOM, no clock, no network. Times are Unix ms of the device's clock.
 * A row is one sample; `null` in a column means that the sample lacks the field.
 */
import { clean, cleanSeq } from './values.js';

export { toNumber } from './values.js';

/** A step in time above this is a gap, whatever seq says. */
export const GAP_MS = 2000;
/** A field joins across this many of its usual periods. */
export const JOIN_PERIODS = 3;
/** Taken as the usual period of a field of which fewer than two values have been seen. */
export const UNKNOWN_PERIOD_MS = 10_000;
/** Longer than the usual window, so that the period of a slow field stays known. */
export const KEEP_MS = 300_000;
/** So many of the newest spacings of a field tell its period. */
const SPACINGS_MAX = 99;

/**
 * @typedef {import('./values.js').Value} Value
 * @typedef {{seq: number|null, ts: number, payload: Object<string, Value>, tsOf?: Object<string, number>,
 *   spans?: Object<string, {min: number, max: number}>}} Sample
 *   tsOf: the times of values that are not of the sample's own; spans: the lowest and highest that a second had
 * @typedef {import('./values.js').Choices} Choices
 * @typedef {{seq: (number|null)[], ts: number[], fields: Map<string, Value[]>, low: Map<string, (number|null)[]>,
 *   high: Map<string, (number|null)[]>, known: Set<number>, revision: number,
 *   gaps: {revision: number, before: Int32Array}}} Table low, high: only of fields that had a span
 */

/**
 * @param {Iterable<string>} fields the columns to hold; other fields of a sample are ignored
 * @returns {Table}
 */
export function createTable(fields) {
  return {
    seq: [],
    ts: [],
    fields: new Map([...fields].map((name) => [name, []])),
    low: new Map(),
    high: new Map(),
    known: new Set(),
    revision: 0,
    gaps: { revision: -1, before: new Int32Array(0) },
  };
}

/** Whether a sample at (seq, ts) belongs before row i. A sample without seq has its time alone. */
function isBefore(table, i, seq, ts) {
  const other = table.seq[i];
  return seq !== null && other !== null ? seq < other : ts < table.ts[i];
}

function findSame(table, seq, ts) {
  if (seq !== null) return table.known.has(seq) ? table.seq.lastIndexOf(seq) : -1;
  for (let i = table.ts.length - 1; i >= 0 && table.ts[i] >= ts; i--) {
    if (table.seq[i] === null && table.ts[i] === ts) return i;
  }
  return -1;
}

/** The value that the sample itself has of a field, or null. */
function ownValue({ payload, tsOf }, name) {
  return tsOf && Object.hasOwn(tsOf, name) ? null : clean(payload[name]);
}

/** Every column of a table. */
function* columnsOf({ seq, ts, fields, low, high }) {
  yield seq;
  yield ts;
  for (const map of [fields, low, high]) yield* map.values();
}

/** Where a second had more than one value, its lowest and highest stand beside the last. */
function putSpan(table, row, name, sample) {
  const span = sample.spans?.[name];
  if (!(Number.isFinite(span?.min) && span.min < span.max && span.max < Infinity)) return;
  for (const [map, value] of [[table.low, span.min], [table.high, span.max]]) {
    if (!map.has(name)) map.set(name, new Array(table.ts.length).fill(null));
    map.get(name)[row] = value;
  }
}

/** A copy adds what the row lacks (one message may have stood for several samples) and changes nothing else. */
function fillRow(table, row, sample) {
  let filled = false;
  for (const [name, column] of table.fields) {
    if (column[row] !== null) continue;
    const value = ownValue(sample, name);
    if (value === null) continue;
    column[row] = value;
    putSpan(table, row, name, sample);
    filled = true;
  }
  if (filled) table.revision++;
}

/** A value of an earlier sample goes to that one's time; where none is held it has no place and is left out. */
function fillOlder(table, { payload, tsOf = {} }) {
  for (const [name, ts] of Object.entries(tsOf)) {
    const column = table.fields.get(name);
    const value = clean(payload[name]);
    const row = table.ts.lastIndexOf(ts);
    if (!column || value === null || row < 0 || column[row] !== null) continue;
    column[row] = value;
    table.revision++;
  }
}

function insertRow(table, row, seq, sample) {
  const last = row === table.ts.length;
  const put = (column, value) => (last ? column.push(value) : column.splice(row, 0, value));
  put(table.seq, seq);
  put(table.ts, sample.ts);
  for (const column of [...table.low.values(), ...table.high.values()]) put(column, null);
  for (const [name, column] of table.fields) {
    const value = ownValue(sample, name);
    put(column, value);
    if (value !== null) putSpan(table, row, name, sample);
  }
  if (seq !== null) table.known.add(seq);
  table.revision++;
}

/**
 * Put a sample at its place.
 * @param {Table} table
 * @param {Sample} sample
 * @returns {number} its row, or -1 for a copy of a sample that is held
 */
export function insertSample(table, sample) {
  const seq = cleanSeq(sample.seq);
  const { ts } = sample;
  fillOlder(table, sample);
  const same = findSame(table, seq, ts);
  if (same >= 0) {
    fillRow(table, same, sample);
    return -1;
  }
  let row = table.ts.length;
  while (row > 0 && isBefore(table, row - 1, seq, ts)) row--;
  insertRow(table, row, seq, sample);
  return row;
}

/**
 * Forget what is too far from the newest row, on either side: a device whose clock was set back leaves rows ahead.
 * It is done for many rows at once.
 * @param {Table} table @param {number} [keepMs]
 * @returns {number[]} the times of what was forgotten
 */
export function trim(table, keepMs = KEEP_MS) {
  const newest = newestTs(table);
  const distance = (row) => Math.abs(newest - table.ts[row]);
  if (newest === null || distance(0) <= keepMs * 1.05) return [];
  let n = 0;
  while (distance(n) > keepMs) n++;
  for (let row = 0; row < n; row++) table.known.delete(table.seq[row]);
  const gone = table.ts.slice(0, n);
  for (const column of columnsOf(table)) column.splice(0, n);
  table.revision++;
  return gone;
}

/** Forget everything. @param {Table} table */
export function clear(table) {
  table.known.clear();
  for (const column of columnsOf(table)) column.length = 0;
  table.revision++;
}

/** @param {Table} table @returns {number|null} the highest position; null where no row has one */
export function newestSeq(table) {
  return table.seq.findLast((seq) => seq !== null) ?? null;
}

/** @param {Table} table @returns {number|null} device time of the newest row */
export function newestTs(table) {
  return table.ts.length ? table.ts[table.ts.length - 1] : null;
}

/**
 * Whether there is a gap between row i-1 and row i. Samples of a publisher that gives no seq come at
 * their own pace, so nothing can be said between them.
 * @param {Table} table @param {number} i
 */
export function isGap(table, i) {
  const a = table.seq[i - 1];
  const b = table.seq[i];
  if (a === null || b === null) return false;
  const step = table.ts[i] - table.ts[i - 1];
  return b - a > 1 || step > GAP_MS || step < 0;
}

/**
 * gapsBefore[i]: gaps between row 0 and row i, so that no gap lies between two rows of the same count.
 * @param {Table} table @returns {Int32Array}
 */
export function gapsBefore(table) {
  if (table.gaps.revision === table.revision) return table.gaps.before;
  const before = new Int32Array(table.ts.length);
  for (let i = 1; i < before.length; i++) before[i] = before[i - 1] + (isGap(table, i) ? 1 : 0);
  table.gaps = { revision: table.revision, before };
  return before;
}

/** @param {Iterable<number>} numbers at least one @returns {number} */
export function median(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The usual period of a field: the median of its newest spacings, those across a gap left out where others exist.
 * @param {Table} table @param {string} field
 * @returns {number} ms
 */
export function usualPeriod(table, field) {
  const gaps = gapsBefore(table);
  const column = table.fields.get(field) ?? [];
  const joined = [];
  const across = [];
  let next = -1;
  for (let row = column.length - 1; row >= 0 && joined.length < SPACINGS_MAX; row--) {
    if (column[row] === null) continue;
    const spacing = next < 0 ? 0 : table.ts[next] - table.ts[row];
    if (spacing > 0) (gaps[next] === gaps[row] ? joined : across).push(spacing);
    next = row;
  }
  const spacings = joined.length ? joined : across;
  return spacings.length ? median(spacings) : UNKNOWN_PERIOD_MS;
}

/**
 * The newest value of a field and whether it still counts at device time `now`.
 * @param {Table} table @param {string} field @param {number} now
 * @returns {{value: Value, ts: number, ageMs: number, stale: boolean}|null} null where none was ever seen
 */
export function latest(table, field, now) {
  const column = table.fields.get(field) ?? [];
  const row = column.findLastIndex((value) => value !== null);
  if (row < 0) return null;
  const ts = table.ts[row];
  const ageMs = Math.max(0, now - ts);
  return { value: column[row], ts, ageMs, stale: ageMs > JOIN_PERIODS * usualPeriod(table, field) };
}
