/** Answers of the history endpoint as series, one a field: what lies before the table, or a fixed window. Pure. */
import { isGap } from './columns.js';

const SECOND_MS = 1000;
/** Of frames near the most that were asked for, not all may have come: those of the first and last second are counted vaguely. */
const THINNED = 0.9;

/**
 * @typedef {import('./columns.js').Value} Value
 * @typedef {import('./columns.js').Series} Series
 * @typedef {{ts: number[], columns: (Value|null)[][]}} Rows
 * @typedef {{from: number, to: number, isFull: boolean, isThinned: boolean, stepMs: number, gaps: [number, number][],
 *   series: Map<string, Series>, newest: number}} Range
 *   isThinned: not every frame, but the lowest and highest of each stepMs, of which nobody knows the mean;
 *   newest: time of the newest row, -Infinity without any; stepMs: of a second or a bucket; gaps: from the last sample
 *   before each to the first one after, in order
 */

const own = (time) => time;

/**
 * @template T
 * @param {ArrayLike<T>} list in order @param {number} t @param {(item: T) => number} [timeOf]
 * @returns {number} how many are before t
 */
export function countBefore(list, t, timeOf = own) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(list[middle]) < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {ArrayLike<number>} times in order @param {number} t @returns {number} how many are not after t */
export function countUpTo(times, t) {
  let count = countBefore(times, t);
  while (times[count] === t) count++;
  return count;
}

/** Whether a gap lies between two times. @param {[number, number][]} gaps in order @param {number} a @param {number} b */
export function isGapBetween(gaps, a, b) {
  let next = countBefore(gaps, a, ([, end]) => end);
  while (gaps[next]?.[1] <= a) next++;
  return gaps[next]?.[1] <= b;
}

/** Of an answer in which every row is a sample. */
function gapsOf(answer) {
  const { ts } = answer;
  return ts.flatMap((t, i) => (i > 0 && isGap(answer, i) ? [[ts[i - 1], t]] : []));
}

/**
 * @param {Object[]} answers of one range: of several lists of fields; at full resolution those of seconds may be among
 *   them for gaps and counts
 * @param {number|null} [points] what was asked for, null for every row
 * @returns {Range}
 */
export function toRange(answers, points = null) {
  const full = answers.filter((answer) => !answer.ts);
  const [seconds] = answers.filter((answer) => answer.ts);
  const isFull = full.length > 0;
  const wanted = isFull ? full : answers;
  const [{ from, to }] = wanted;
  // At full resolution a bucket gives two points.
  const stepMs = points ? Math.ceil((to - from + 1) / (isFull ? points / 2 : points)) : 0;
  const counts = Object.assign({}, ...answers.map(({ ts, stats }) => ts && stats));
  const range = { from, to, isFull, isThinned: false, stepMs: isFull ? stepMs : Math.max(SECOND_MS, stepMs), gaps: [], series: new Map(), newest: -Infinity };
  // Of buckets the service tells the gaps; without it every row is a sample.
  if (seconds) range.gaps = seconds.gaps ?? gapsOf(seconds);
  for (const { ts: rows, fields, stats = {} } of wanted) {
    for (const [name, column] of Object.entries(fields)) {
      const { min: lo, max: hi, mean, seconds: weights } = stats[name] ?? {};
      const { ts, v } = isFull ? column : { ts: rows, v: column };
      const isAcross = (a, b) => isGapBetween(range.gaps, ts[a], ts[b]);
      const count = counts[name]?.count?.reduce((sum, n) => sum + n, 0) ?? 0;
      const isThinned = isFull && points > 0 && Math.max(count, ts.length) > THINNED * points;
      range.isThinned ||= isThinned;
      range.series.set(name, { ts, v, lo, hi, mean: isThinned ? ts.map(() => NaN) : mean, seconds: weights, isAcross, stepMs: range.stepMs, most: Infinity });
      range.newest = Math.max(range.newest, ts.at(-1) ?? -Infinity);
    }
  }
  return range;
}

/**
 * What several have at their times, in order; null where one has none.
 * @param {(Rows & {at?: number})[]} parts at: the column that its first one is @param {number} width how many columns
 * @returns {Rows}
 */
export function align(parts, width) {
  const ts = [...new Set(parts.flatMap((part) => part.ts))].sort((a, b) => a - b);
  const rowOf = new Map(ts.map((t, row) => [t, row]));
  const columns = Array.from({ length: width }, () => new Array(ts.length).fill(null));
  for (const { at = 0, ts: times, columns: own } of parts) {
    own.forEach((column, k) => times.forEach((t, i) => (columns[at + k][rowOf.get(t)] = column[i])));
  }
  return { ts, columns };
}

/**
 * Fields of a range aligned by time.
 * @param {Range} range @param {string[]} fields @param {number} from device ms @param {number} to included
 * @returns {Rows}
 */
export function rangeRows(range, fields, from, to) {
  const parts = fields.map((field, at) => {
    const { ts, v } = range.series.get(field) ?? { ts: [], v: [] };
    const part = [countBefore(ts, from), countUpTo(ts, to)];
    return { at, ts: ts.slice(...part), columns: [v.slice(...part)] };
  });
  return align(parts, fields.length);
}
