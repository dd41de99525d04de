/** Lines out of columns and ranges: what a chart draws, what lies under the cursor, between which values. Pure. */
import { limitOf, tableSeries, toNumber } from './columns.js';
import { countBefore, countUpTo } from './ranges.js';

/** A line of more points is thinned to two in each of at most so many buckets. */
const POINTS_MAX = 4000;
const BUCKETS = 1000;
/** A lone value between two gaps is drawn as a dash of this length at least, up to its time; a line through one point draws nothing. */
export const LONE_MS = 500;
/** A dash that can be seen is this part of the line, and so near the cursor finds the end of a line. */
const VISIBLE = 1 / 400;
/** The cursor finds the end of a line at least so near. */
const NEAR_MS = 1000;

/**
 * @typedef {import('./columns.js').Table} Table
 * @typedef {import('./columns.js').Choices} Choices
 * @typedef {import('./ranges.js').Range} Range
 * @typedef {object} Trace points of one line; times are device ms and rise
 * @property {number} n
 * @property {Float64Array} t
 * @property {Float64Array} v
 * @property {Float64Array|null} lo the lowest of that second or bucket
 * @property {Float64Array|null} hi
 * @property {Uint8Array} joined 1: a line goes from point i-1 to i; of the first one, from what was left out before it
 * @property {Float64Array|null} mean of the bucket; null where each point is one value
 * @property {Float64Array|null} seconds how many samples it is the mean of
 */

const BESIDE = ['lo', 'hi', 'mean', 'seconds'];
const COLUMNS = ['t', 'v', 'joined', ...BESIDE];

/** @param {number} size @param {Object} like has what stands beside the values @returns {Trace} with room, without points */
function room(size, like) {
  const trace = { n: 0, t: new Float64Array(size), v: new Float64Array(size), joined: new Uint8Array(size) };
  for (const name of BESIDE) trace[name] = like[name] ? new Float64Array(size) : null;
  return trace;
}

/** Points i to end-1, in the same memory. @returns {Trace} */
function slice(trace, i, end) {
  const out = { n: Math.max(0, end - i) };
  for (const name of COLUMNS) out[name] = trace[name]?.subarray(i, i + out.n) ?? null;
  return out;
}

/**
 * One more point, with what row k of `beside` has. Where the device's clock was set back, what came later stands; of
 * two at one time as well.
 */
function put(trace, t, v, isJoined, beside, k) {
  let joined = isJoined ? 1 : 0;
  while (trace.n && trace.t[trace.n - 1] >= t) joined &= trace.joined[--trace.n];
  const i = trace.n++;
  trace.t[i] = t;
  trace.v[i] = v;
  trace.joined[i] = joined;
  for (const name of BESIDE) {
    if (trace[name]) trace[name][i] = beside[name]?.[k] ?? (name === 'seconds' ? 1 : v);
  }
}

/** The points of a series, from a row on; never joined across a gap. What lies ahead may be overtaken by rows that come later. */
function line(series, row, choices) {
  const limitMs = limitOf(series);
  const { ts, v, isAcross } = series;
  const trace = room(ts.length - row, series);
  let last = -1;
  for (; row < ts.length; row++) {
    const value = toNumber(v[row], choices);
    if (Number.isNaN(value)) continue;
    put(trace, ts[row], value, last >= 0 && ts[row] - ts[last] <= limitMs && !isAcross(last, row), series, row);
    last = row;
  }
  return slice(trace, 0, trace.n);
}

/** From the last point before `from` to the first after `to`, so that a line enters and leaves at the edges. */
export function cut(trace, from, to) {
  const first = Math.max(0, countBefore(trace.t, from) - 1);
  const after = countBefore(trace.t, to);
  return slice(trace, first, Math.min(trace.n, after + (trace.t[after] === to ? 2 : 1)));
}

/** The points at from ≤ t < to alone. @param {Trace} trace @param {number} from @param {number} to @returns {Trace} */
export function between(trace, from, to) {
  return slice(trace, countBefore(trace.t, from), countBefore(trace.t, to));
}

/**
 * A field of the table, from the last point before `from` on, to the first after `to`.
 * @param {Table} table @param {string} field @param {number} from device ms @param {number} to @param {Choices} [choices]
 * @returns {Trace}
 */
export function tableTrace(table, field, from, to, choices = null) {
  const series = tableSeries(table, field);
  const { ts, v } = series;
  // Two values before the window are enough: the first to draw from, and whether it is joined to the one before it.
  let row = ts.findLastIndex((each) => each < from);
  for (let values = 0; row > 0; row--) if (ts[row] < from && !Number.isNaN(toNumber(v[row], choices)) && ++values === 2) break;
  return cut(line(series, Math.max(0, row), choices), from, to);
}

/**
 * A field of a range; it joins across three usual periods or three buckets, never across a gap.
 * @param {Range} range @param {string} field @param {number} from device ms @param {number} to @param {Choices} [choices]
 * @returns {Trace}
 */
export function rangeTrace(range, field, from, to, choices = null) {
  const series = range.series.get(field);
  if (!series) return room(0, {});
  if (!series.whole || series.choices !== choices) {
    // It does not change any more, so its line is made once.
    series.choices = choices;
    series.whole = line(series, 0, choices);
  }
  return cut(series.whole, from, to);
}

/**
 * Several as one line.
 * @param {Trace[]} parts one after the other in time
 * @param {(a: number, b: number) => boolean} isJoined across the seam between two times
 * @returns {Trace}
 */
export function joinTraces(parts, isJoined) {
  const some = parts.filter(({ n }) => n);
  if (some.length < 2) return some[0] ?? parts[0];
  const n = some.reduce((sum, part) => sum + part.n, 0);
  const out = room(n, Object.fromEntries(BESIDE.map((name) => [name, some.some((part) => part[name])])));
  for (const part of some) {
    for (const name of COLUMNS) {
      // Where one part has no spans or means, each of its points is one value.
      out[name]?.set(part[name] ?? (name === 'seconds' ? new Float64Array(part.n).fill(1) : part.v), out.n);
    }
    if (out.n) out.joined[out.n] = isJoined(out.t[out.n - 1], part.t[0]) ? 1 : 0;
    out.n += part.n;
  }
  return out;
}

/** One bucket's lowest and highest point, in the order in which they came, with what is known of all of it. */
function putBucket(out, trace, first, end) {
  const { t, v } = trace;
  let low = first;
  let high = first;
  for (let i = first; i < end; i++) {
    if (v[i] < v[low]) low = i;
    if (v[i] > v[high]) high = i;
  }
  const { min, max, mean, n } = totals(trace, first, end);
  const picks = [...new Set([low, high])].sort((a, b) => a - b);
  const beside = { lo: [min], hi: [max], mean: [n ? mean : null], seconds: [n / picks.length] };
  picks.forEach((pick, k) => put(out, t[pick], v[pick], k > 0 || trace.joined[first], beside, 0));
}

/**
 * A line of very many points with fewer: the lowest and highest of each bucket of absolute time, and every gap.
 * @param {Trace} trace @param {number} from the window, whose width tells that of the buckets @param {number} to
 * @returns {Trace} the same one where its points are not so many
 */
export function thin(trace, from, to) {
  if (trace.n <= POINTS_MAX) return trace;
  const width = 2 ** Math.ceil(Math.log2(Math.max(1, to - from) / BUCKETS));
  const out = room(trace.n, { lo: trace.lo, hi: trace.hi, mean: true, seconds: true });
  let first = 0;
  for (let i = 1; i <= trace.n; i++) {
    const isWhole = i === trace.n || !trace.joined[i] || Math.floor(trace.t[i] / width) !== Math.floor(trace.t[first] / width);
    if (!isWhole) continue;
    putBucket(out, trace, first, i);
    first = i;
  }
  return slice(out, 0, out.n);
}

/** What can just be seen of a line, ms. */
function visibleMs({ n, t }) {
  return n ? (t[n - 1] - t[0]) * VISIBLE : 0;
}

/**
 * Points as ECharts takes them fastest: flat [t, v, t, v, …], NaN as v where the line breaks, a lone point as a dash.
 * @param {Trace} trace
 * @returns {Float64Array}
 */
export function flat(trace) {
  const { n, t, v, joined } = trace;
  const dash = Math.max(LONE_MS, visibleMs(trace));
  const out = new Float64Array(n * 6);
  let k = 0;
  const add = (time, value) => {
    out[k++] = time;
    out[k++] = value;
  };
  for (let i = 0; i < n; i++) {
    const isLone = !joined[i] && !joined[i + 1];
    // The NaN stands at the time of the point before: a step line would otherwise run on to it.
    if (!joined[i] && i > 0) add(t[i - 1], NaN);
    // Before the first one there is no neighbour, whose half of the way it leaves free.
    if (isLone) add(Math.max(t[i] - dash, (t[i - 1] + t[i]) / 2 || 0), v[i]);
    add(t[i], v[i]);
  }
  return out.subarray(0, k);
}

/**
 * The point to show for a cursor at time t: the nearest, where the line is or nearly is.
 * @param {Trace} trace @param {number} t device ms
 * @returns {number} its index, -1 where the line is not
 */
export function nearest(trace, t) {
  const after = countBefore(trace.t, t);
  const left = t - (trace.t[after - 1] ?? -Infinity);
  const right = (trace.t[after] ?? Infinity) - t;
  const near = after > 0 && trace.joined[after] ? Infinity : Math.max(NEAR_MS, visibleMs(trace));
  if (Math.min(left, right) > near) return -1;
  return left <= right ? after - 1 : after;
}

/**
 * @param {Trace[]} traces
 * @returns {{lo: number, hi: number}|null} the smallest and largest value, those of spans too; null where there is none
 */
export function extent(traces) {
  const all = traces.map((trace) => totals(trace, 0, trace.n));
  const lo = Math.min(...all.map(({ min }) => min));
  const hi = Math.max(...all.map(({ max }) => max));
  return lo <= hi ? { lo, hi } : null;
}

/**
 * Of points i to end-1; of buckets by how many samples each has.
 * @param {Trace} trace @param {number} i @param {number} end
 * @returns {{min: number, max: number, mean: number, n: number}} n: how many samples; without any there is no mean
 */
export function totals({ v, lo, hi, mean, seconds }, i, end) {
  let [min, max, sum, n] = [Infinity, -Infinity, 0, 0];
  for (; i < end; i++) {
    const weight = seconds ? seconds[i] : 1;
    min = Math.min(min, (lo ?? v)[i]);
    max = Math.max(max, (hi ?? v)[i]);
    sum += weight * (mean ?? v)[i];
    n += weight;
  }
  return { min, max, mean: sum / n, n };
}

/**
 * `totals` of the points at from ≤ t ≤ to; null where there is none.
 * @param {Trace} trace @param {number} from device ms @param {number} to
 */
export function summary(trace, from, to) {
  const found = totals(trace, countBefore(trace.t, from), countUpTo(trace.t, to));
  return found.n > 0 ? found : null;
}
