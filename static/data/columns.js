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
/** Longer than the window on the screen, so that the period of a slow field stays known. */
export const KEEP_MS = 300_000;

/**
 * @typedef {number|string|boolean|null} Value
 * @typedef {{seq: number|null, ts: number, payload: Object<string, Value>, tsOf?: Object<string, number>}} Sample
 *   tsOf: the times of values that are not of the sample's own
 * @typedef {{seq: (number|null)[], ts: number[], fields: Map<string, Value[]>, known: Set<number>,
 *   revision: number, gaps: {revision: number, before: Int32Array}}} Table
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
    known: new Set(),
    revision: 0,
    gaps: { revision: -1, before: new Int32Array(0) },
  };
}

/** @param {unknown} value @returns {Value} the value, or null where it counts as absent */
export function clean(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  return typeof value === 'boolean' || typeof value === 'string' ? value : null;
}

/** @param {unknown} seq @returns {number|null} */
export function cleanSeq(seq) {
  return typeof seq === 'number' && Number.isSafeInteger(seq) ? seq : null;
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

/** A copy adds what the row lacks (one message may have stood for several samples) and changes nothing else. */
function fillRow(table, row, sample) {
  let filled = false;
  for (const [name, column] of table.fields) {
    if (column[row] !== null) continue;
    const value = ownValue(sample, name);
    if (value === null) continue;
    column[row] = value;
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
  for (const [name, column] of table.fields) put(column, ownValue(sample, name));
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
 * @param {Table} table @param {number} [keepMs]
 */
export function trim(table, keepMs = KEEP_MS) {
  const newest = newestTs(table);
  if (newest === null) return;
  const isFar = (ts) => Math.abs(newest - ts) > keepMs;
  let n = 0;
  while (n < table.ts.length && isFar(table.ts[n])) n++;
  if (n === 0) return;
  for (const seq of table.seq.splice(0, n)) table.known.delete(seq);
  table.ts.splice(0, n);
  for (const column of table.fields.values()) column.splice(0, n);
  table.revision++;
}

/** Forget everything. @param {Table} table */
export function clear(table) {
  table.known.clear();
  table.seq.length = table.ts.length = 0;
  for (const column of table.fields.values()) column.length = 0;
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

/** @param {Table} table @param {string} field @returns {number[]} the rows that have the field */
export function presentRows(table, field) {
  const column = table.fields.get(field) ?? [];
  const rows = [];
  for (let i = 0; i < column.length; i++) if (column[i] !== null) rows.push(i);
  return rows;
}

/** @param {Iterable<number>} numbers at least one @returns {number} */
export function median(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The usual period of a field: the median spacing of its values, those across a gap left out where others exist.
 * @param {Table} table @param {string} field @param {number[]} [rows]
 * @returns {number} ms
 */
export function usualPeriod(table, field, rows = presentRows(table, field)) {
  const gaps = gapsBefore(table);
  const joined = [];
  const all = [];
  for (let k = 1; k < rows.length; k++) {
    const spacing = table.ts[rows[k]] - table.ts[rows[k - 1]];
    if (spacing <= 0) continue;
    all.push(spacing);
    if (gaps[rows[k]] === gaps[rows[k - 1]]) joined.push(spacing);
  }
  const spacings = joined.length ? joined : all;
  return spacings.length ? median(spacings) : UNKNOWN_PERIOD_MS;
}

/**
 * The newest value of a field and whether it still counts at device time `now`.
 * @param {Table} table @param {string} field @param {number} now
 * @returns {{value: Value, ts: number, ageMs: number, stale: boolean}|null} null where none was ever seen
 */
export function latest(table, field, now) {
  const rows = presentRows(table, field);
  if (!rows.length) return null;
  const row = rows[rows.length - 1];
  const ageMs = Math.max(0, now - table.ts[row]);
  const stale = ageMs > JOIN_PERIODS * usualPeriod(table, field, rows);
  return { value: table.fields.get(field)[row], ts: table.ts[row], ageMs, stale };
}
