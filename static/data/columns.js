/**
 * The samples of one device and msgType as columns: positions, order by seq, gaps, staleness.
 *
 * Pure: no DOM, no clock, no network. Times are Unix ms of the device's clock.
 * A row is one sample; `null` in a column means that the sample lacks the field.
 */
/** A step in time above this is a gap, whatever seq says. */
export const GAP_MS = 2000;
/** A field joins across this many of its usual periods. */
export const JOIN_PERIODS = 3;
/** Taken as the usual period of a field of which fewer than two values have been seen. */
export const UNKNOWN_PERIOD_MS = 10_000;
/** Longer than the usual window, so that the period of a slow field stays known. */
export const KEEP_MS = 300_000;
/** A hole that the live service fills is filled by then. */
const FILLED_MS = 5000;
/** So many of the newest spacings of a field tell its period. */
const SPACINGS_MAX = 99;

/**
 * @typedef {number|string|boolean|null} Value
 * @typedef {Object<string, string>|null} Choices number as text → name
 * @typedef {{seq: number|null, ts: number, payload: Object<string, Value>, tsOf?: Object<string, number>,
 *   spans?: Object<string, {min: number, max: number}>}} Sample
 *   tsOf: the times of values that are not of the sample's own; spans: the lowest and highest that a second had
 * @typedef {{seq: (number|null)[], ts: number[], fields: Map<string, Value[]>, low: Map<string, (number|null)[]>,
 *   high: Map<string, (number|null)[]>, revision: number,
 *   gaps: {revision: number, before: Int32Array}}} Table low, high: only of fields that had a span
 * @typedef {{ts: number[], v: Value[], lo?: (number|null)[], hi?: (number|null)[], mean?: (number|null)[],
 *   seconds?: (number|null)[], isAcross: (a: number, b: number) => boolean, stepMs: number, most: number,
 *   limitMs?: number}} Series v: the last value of each row, null where it has none, the rest beside it; isAcross: whether
 *   a gap lies between two rows; stepMs: what a row stands for; most: so many spacings tell its period
 * @typedef {{value: Value, ts: number, ageMs: number, stale: boolean}} Reading
 */

/** @param {unknown} value @returns {Value} the value, or null where it counts as absent */
export function clean(value) {
  return Number.isFinite(value) || typeof value === 'boolean' || typeof value === 'string' ? value : null;
}

/**
 * A value as the number to draw: a choice's name as its number, a boolean as 0 or 1.
 * @param {Value} value @param {Choices} [choices]
 * @returns {number} NaN where there is nothing to draw
 */
export function toNumber(value, choices = null) {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  // Of two numbers with one name the first counts.
  for (const number in choices) if (choices[number] === value) return Number(number);
  return NaN;
}

/**
 * @param {Iterable<string>} fields the columns to hold; other fields of a sample are ignored
 * @param {number} [revision]
 * @returns {Table}
 */
export function createTable(fields, revision = 0) {
  return {
    seq: [],
    ts: [],
    fields: new Map([...fields].map((name) => [name, []])),
    low: new Map(),
    high: new Map(),
    revision,
    gaps: { revision: -1, before: new Int32Array(0) },
  };
}

/** Whether a sample at (seq, ts) belongs before row i. A sample without seq has its time alone. */
function isBefore(table, i, seq, ts) {
  const other = table.seq[i];
  return seq !== null && other !== null ? seq < other : ts < table.ts[i];
}

function findSame(table, seq, ts) {
  if (seq !== null) return table.seq.lastIndexOf(seq);
  return table.ts.findLastIndex((other, i) => other === ts && table.seq[i] === null);
}

/** Every column of a table. */
function columnsOf({ seq, ts, fields, low, high }) {
  return [seq, ts, ...[fields, low, high].flatMap((map) => [...map.values()])];
}

/** A value goes where none is, with the lowest and highest that its second had where there was more than one. */
function putValue(table, row, name, raw, span) {
  const column = table.fields.get(name);
  const value = clean(raw);
  if (value === null || !column || column[row] !== null) return;
  column[row] = value;
  table.revision++;
  const width = span?.max - span?.min;
  if (!(width > 0 && width < Infinity)) return;
  for (const [map, edge] of [[table.low, span.min], [table.high, span.max]]) {
    if (!map.has(name)) map.set(name, new Array(table.ts.length).fill(null));
    map.get(name)[row] = edge;
  }
}

/**
 * Put a sample at its place. A copy adds what the row lacks (one message may have stood for several samples) and
 * changes nothing else. A value of an earlier sample goes to that one's time; where none is held it has no place.
 * @param {Table} table
 * @param {Sample} sample
 * @returns {number} its row, or -1 for a copy of a sample that is held
 */
export function insertSample(table, { seq, ts, payload, tsOf, spans }) {
  const own = tsOf ?? {};
  for (const [name, at] of Object.entries(own)) putValue(table, table.ts.lastIndexOf(at), name, payload[name]);
  const same = findSame(table, seq, ts);
  let row = same;
  if (same < 0) {
    row = table.ts.length;
    while (row > 0 && isBefore(table, row - 1, seq, ts)) row--;
    for (const column of columnsOf(table)) column.splice(row, 0, null);
    table.seq[row] = seq;
    table.ts[row] = ts;
    table.revision++;
  }
  for (const name of table.fields.keys()) {
    if (!Object.hasOwn(own, name)) putValue(table, row, name, payload[name], spans?.[name]);
  }
  return same < 0 ? row : -1;
}

/**
 * Forget what is too far from the newest row, on either side: a device whose clock was set back leaves rows ahead.
 * It is done for many rows at once.
 * @param {Table} table @param {number} [keepMs]
 */
export function trim(table, keepMs = KEEP_MS) {
  const newest = newestTs(table);
  const distance = (row) => Math.abs(newest - table.ts[row]);
  if (newest === null || distance(0) <= keepMs * 1.05) return;
  let n = 0;
  while (distance(n) > keepMs) n++;
  for (const column of columnsOf(table)) column.splice(0, n);
  table.revision++;
}

/** @param {Table} table @returns {number|null} the highest position; null where no row has one */
export function newestSeq(table) {
  return table.seq.findLast((seq) => seq !== null) ?? null;
}

/** @param {Table} table @returns {number|null} device time of the newest row */
export function newestTs(table) {
  return table.ts.at(-1) ?? null;
}

/** @param {Table} table @returns {number} device time of its earliest row, not its first where the clock was set back; Infinity without any */
export function oldestTs({ ts }) {
  return Math.min(...ts);
}

/** @param {Table} table @returns {number} from when on it lacks nothing: after its last hole, but for one that may be filled yet */
export function wholeFrom(table) {
  const { seq, ts } = table;
  const old = newestTs(table) - FILLED_MS;
  const row = seq.findLastIndex((each, i) => each - (seq[i - 1] ?? NaN) > 1 && ts[i] < old);
  return Math.min(...ts.slice(Math.max(0, row)));
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

/** A field of the table as a series. @param {Table} table @param {string} field @returns {Series} */
export function tableSeries(table, field) {
  const gaps = gapsBefore(table);
  const [v = [], lo, hi] = [table.fields, table.low, table.high].map((map) => map.get(field));
  return { ts: table.ts, v, lo, hi, isAcross: (a, b) => gaps[a] !== gaps[b], stepMs: 0, most: SPACINGS_MAX };
}

/** The usual period of a field: the median of its newest spacings, those across a gap left out where others exist. */
function usualPeriod({ ts, v, isAcross, most }) {
  const joined = [];
  const across = [];
  let next = -1;
  for (let row = v.length - 1; row >= 0 && joined.length < most; row--) {
    if (v[row] === null) continue;
    const spacing = ts[next] - ts[row];
    if (spacing > 0) (isAcross(row, next) ? across : joined).push(spacing);
    next = row;
  }
  const spacings = joined.length ? joined : across;
  return spacings.length ? median(spacings) : UNKNOWN_PERIOD_MS;
}

/** @param {Series} series @returns {number} ms that its line joins across, and that a value counts for */
export function limitOf(series) {
  series.limitMs ??= JOIN_PERIODS * Math.max(series.stepMs, usualPeriod(series));
  return series.limitMs;
}

/**
 * The newest value and whether it still counts at device time `now`.
 * @param {Series} series @param {number} now @returns {Reading|null}
 */
export function latest(series, now) {
  const { ts, v } = series;
  const row = v.findLastIndex((value) => value !== null);
  if (row < 0) return null;
  const ageMs = Math.max(0, now - ts[row]);
  return { value: v[row], ts: ts[row], ageMs, stale: ageMs > limitOf(series) };
}
