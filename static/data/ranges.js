/** Answers of the history endpoint as series, one a field: what lies before the table, or a fixed window. Pure. */
import { GAP_MS } from './columns.js';
import { countBefore, countUpTo } from './reading.js';
import { clean } from './values.js';

const SECOND_MS = 1000;
/** What of `stats` goes where in a series. */
const STATS = { lo: 'min', hi: 'max', mean: 'mean', seconds: 'seconds' };

/**
 * @typedef {import('./columns.js').Value} Value
 * @typedef {{ts: number[], v: Value[], lo?: (number|null)[], hi?: (number|null)[], mean?: (number|null)[],
 *   seconds?: (number|null)[]}} Series v: the last value of each second or bucket, or every sample; the rest beside it
 * @typedef {{from: number, to: number, isFull: boolean, stepMs: number, gaps: [number, number][],
 *   series: Map<string, Series>, newest: number}} Range
 *   newest: time of the newest value, -Infinity without any; stepMs: of a second or a bucket; gaps: from the last sample before each to the first one after, in order
 */

/** What the service calls a gap, where every row is a sample. */
function gapsOf({ seq, ts }) {
  const gaps = [];
  for (let i = 1; i < ts.length; i++) {
    const step = ts[i] - ts[i - 1];
    if (seq[i] === null || seq[i - 1] === null) continue;
    if (seq[i] - seq[i - 1] > 1 || step > GAP_MS || step < 0) gaps.push([ts[i - 1], ts[i]]);
  }
  return gaps;
}

/** The rows that have a value. */
function toSeries(ts, column, stats = {}) {
  const rows = [];
  column.forEach((value, row) => {
    if (clean(value) !== null) rows.push(row);
  });
  const series = { ts: rows.map((row) => ts[row]), v: rows.map((row) => column[row]) };
  for (const [name, kind] of Object.entries(STATS)) {
    if (stats[kind]) series[name] = rows.map((row) => stats[kind][row]);
  }
  return series;
}

/**
 * @param {Object[]} answers of one range: of several lists of fields; at full resolution one of seconds may be among
 *   them for its gaps
 * @param {number|null} [points] what was asked for, null for every row
 * @returns {Range}
 */
export function toRange(answers, points = null) {
  const full = answers.filter((answer) => !answer.ts);
  const seconds = answers.filter((answer) => answer.ts);
  const isFull = full.length > 0;
  const wanted = isFull ? full : seconds;
  const [{ from, to }] = wanted;
  // At full resolution a bucket gives two points.
  const width = points ? Math.ceil((to - from + 1) / (isFull ? points / 2 : points)) : 0;
  const range = { from, to, isFull, stepMs: isFull ? width : Math.max(SECOND_MS, width), gaps: [], series: new Map(), newest: -Infinity };
  for (const { ts, fields, stats = {} } of wanted) {
    for (const [name, column] of Object.entries(fields)) {
      const series = isFull ? column : toSeries(ts, column, stats[name]);
      range.series.set(name, series);
      range.newest = Math.max(range.newest, series.ts.at(-1) ?? -Infinity);
    }
  }
  if (seconds.length) range.gaps = seconds[0].gaps ?? (points || isFull ? [] : gapsOf(seconds[0]));
  return range;
}

/**
 * Fields of a range aligned by time.
 * @param {Range} range @param {string[]} fields @param {number} from device ms @param {number} to included
 * @returns {{ts: number[], columns: (Value|null)[][]}} null where a field has none at that time
 */
export function rangeRows(range, fields, from, to) {
  const parts = fields.map((field) => {
    const { ts, v } = range.series.get(field) ?? { ts: [], v: [] };
    const [first, end] = [countBefore(ts, from), countUpTo(ts, to)];
    return { ts: ts.slice(first, end), v: v.slice(first, end) };
  });
  const ts = [...new Set(parts.flatMap((part) => part.ts))].sort((a, b) => a - b);
  const rowOf = new Map(ts.map((t, row) => [t, row]));
  const columns = parts.map((part) => {
    const column = new Array(ts.length).fill(null);
    part.ts.forEach((t, i) => (column[rowOf.get(t)] = part.v[i]));
    return column;
  });
  return { ts, columns };
}
