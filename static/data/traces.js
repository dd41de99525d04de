/** Lines out of columns and ranges: what a chart draws, what lies under the cursor, between which values. Pure. */
import { JOIN_PERIODS, UNKNOWN_PERIOD_MS, gapsBefore, median, usualPeriod } from './columns.js';
import { countBefore } from './reading.js';
import { toNumber } from './values.js';

export { LONE_MS, extent, flat, nearest, summary } from './reading.js';

/** A line of more points is thinned to two in each of at most so many buckets. */
const POINTS_MAX = 4000;
const BUCKETS = 1000;

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

const SPANS = ['lo', 'hi'];
const MEANS = ['mean', 'seconds'];
const COLUMNS = ['t', 'v', 'joined', ...SPANS, ...MEANS];

/** @param {number} size @param {boolean} hasSpans @param {boolean} hasMeans @returns {Trace} with room, without points */
function room(size, hasSpans, hasMeans) {
  const floats = (isWanted) => (isWanted ? new Float64Array(size) : null);
  const trace = { n: 0, t: floats(true), v: floats(true), joined: new Uint8Array(size) };
  for (const name of SPANS) trace[name] = floats(hasSpans);
  for (const name of MEANS) trace[name] = floats(hasMeans);
  return trace;
}

/** Points i to end-1, in the same memory. @returns {Trace} */
function slice(trace, i, end) {
  const out = { n: Math.max(0, end - i) };
  for (const name of COLUMNS) out[name] = trace[name]?.subarray(i, i + out.n) ?? null;
  return out;
}

/** One more point. Where the device's clock was set back, what came later stands; of two at one time as well. */
function put(trace, t, v, isJoined) {
  let joined = isJoined ? 1 : 0;
  while (trace.n && trace.t[trace.n - 1] >= t) joined &= trace.joined[--trace.n];
  const i = trace.n++;
  trace.t[i] = t;
  trace.v[i] = v;
  trace.joined[i] = joined;
  return i;
}

function putSpan(trace, i, lo, hi) {
  if (!trace.lo) return;
  trace.lo[i] = lo ?? trace.v[i];
  trace.hi[i] = hi ?? trace.v[i];
}

function putMean(trace, i, mean, seconds) {
  if (!trace.mean) return;
  trace.mean[i] = mean ?? trace.v[i];
  trace.seconds[i] = seconds ?? 1;
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
  const column = table.fields.get(field) ?? [];
  const low = table.low.get(field);
  const high = table.high.get(field);
  const limit = JOIN_PERIODS * usualPeriod(table, field);
  const gaps = gapsBefore(table);
  // Two values before the window are enough: the first to draw from, and whether it is joined to the one before it.
  let row = table.ts.findLastIndex((ts) => ts < from);
  for (let values = 0; row > 0; row--) if (!Number.isNaN(toNumber(column[row], choices)) && ++values === 2) break;
  row = Math.max(0, row);
  const trace = room(column.length - row, low !== undefined, false);
  let last = -1;
  for (; row < column.length; row++) {
    const v = toNumber(column[row], choices);
    if (Number.isNaN(v)) continue;
    const t = table.ts[row];
    const isJoined = last >= 0 && gaps[row] === gaps[last] && t - table.ts[last] <= limit;
    putSpan(trace, put(trace, t, v, isJoined), low?.[row], high?.[row]);
    if (t > to) break;
    last = row;
  }
  return cut(slice(trace, 0, trace.n), from, to);
}

/** Whether a gap lies between two times. @param {[number, number][]} gaps in order @param {number} a @param {number} b */
export function isGapBetween(gaps, a, b) {
  let low = 0;
  for (let high = gaps.length; low < high;) {
    const middle = (low + high) >> 1;
    if (gaps[middle][1] <= a) low = middle + 1;
    else high = middle;
  }
  return low < gaps.length && gaps[low][1] <= b;
}

/** What is made of a series once, as it does not change. @type {WeakMap<Object, {limit: number, choices: Choices, whole: Trace|null}>} */
const made = new WeakMap();

/** @param {Range} range @param {import('./ranges.js').Series} series */
function makingOf(range, series) {
  let making = made.get(series);
  if (making) return making;
  const { ts } = series;
  const joined = [];
  const across = [];
  for (let i = 1; i < ts.length; i++) {
    (isGapBetween(range.gaps, ts[i - 1], ts[i]) ? across : joined).push(ts[i] - ts[i - 1]);
  }
  const spacings = joined.length ? joined : across;
  const period = spacings.length ? median(spacings) : UNKNOWN_PERIOD_MS;
  making = { limit: JOIN_PERIODS * Math.max(range.stepMs, period), choices: null, whole: null };
  made.set(series, making);
  return making;
}

/** @param {Range} range @param {string} field @returns {number} ms that its line joins across; 0 where it has none */
export function rangeLimit(range, field) {
  const series = range.series.get(field);
  return series ? makingOf(range, series).limit : 0;
}

function wholeTrace(range, { ts, v, lo, hi, mean, seconds }, choices, limit) {
  const trace = room(ts.length, Boolean(lo), Boolean(mean));
  let last = -Infinity;
  for (let k = 0; k < ts.length; k++) {
    const value = toNumber(v[k], choices);
    if (Number.isNaN(value)) continue;
    const i = put(trace, ts[k], value, ts[k] - last <= limit && !isGapBetween(range.gaps, last, ts[k]));
    putSpan(trace, i, lo?.[k], hi?.[k]);
    putMean(trace, i, mean?.[k], seconds?.[k]);
    last = ts[k];
  }
  return slice(trace, 0, trace.n);
}

/**
 * A field of a range; it joins across three usual periods or three buckets, never across a gap.
 * @param {Range} range @param {string} field @param {number} from device ms @param {number} to @param {Choices} [choices]
 * @returns {Trace}
 */
export function rangeTrace(range, field, from, to, choices = null) {
  const series = range.series.get(field);
  if (!series) return room(0, false, false);
  const making = makingOf(range, series);
  if (!making.whole || making.choices !== choices) {
    making.choices = choices;
    making.whole = wholeTrace(range, series, choices, making.limit);
  }
  return cut(making.whole, from, to);
}

function copy(out, trace, at) {
  for (const name of COLUMNS) {
    if (!out[name]) continue;
    // Where one side has no spans or means, each of its points is one value.
    const own = trace[name] ?? (name === 'seconds' ? new Float64Array(trace.n).fill(1) : trace.v);
    out[name].set(own, at);
  }
}

/**
 * What was before and what is live as one line.
 * @param {Trace} past only its points before the first live one count @param {Trace} live
 * @param {number} limitMs they are joined across so much @param {boolean} isGap they are not
 * @returns {Trace}
 */
export function joinTraces(past, live, limitMs, isGap) {
  const before = live.n ? between(past, -Infinity, live.t[0]) : past;
  if (!before.n || !live.n) return before.n ? before : live;
  const out = room(before.n + live.n, Boolean(before.lo ?? live.lo), Boolean(before.mean ?? live.mean));
  copy(out, before, 0);
  copy(out, live, before.n);
  out.n = before.n + live.n;
  out.joined[before.n] = !isGap && live.t[0] - before.t[before.n - 1] <= limitMs ? 1 : 0;
  return out;
}

/** One bucket's lowest and highest point, in the order in which they came, with what is known of all of it. */
function putBucket(out, trace, first, end) {
  let low = first;
  let high = first;
  let [lo, hi, sum, seconds] = [Infinity, -Infinity, 0, 0];
  for (let i = first; i < end; i++) {
    if (trace.v[i] < trace.v[low]) low = i;
    if (trace.v[i] > trace.v[high]) high = i;
    lo = Math.min(lo, trace.lo?.[i] ?? trace.v[i]);
    hi = Math.max(hi, trace.hi?.[i] ?? trace.v[i]);
    const weight = trace.seconds?.[i] ?? 1;
    sum += weight * (trace.mean?.[i] ?? trace.v[i]);
    seconds += weight;
  }
  const picks = low === high ? [low] : [Math.min(low, high), Math.max(low, high)];
  picks.forEach((pick, k) => {
    const i = put(out, trace.t[pick], trace.v[pick], k > 0 || trace.joined[first]);
    putSpan(out, i, lo, hi);
    putMean(out, i, seconds ? sum / seconds : trace.v[pick], seconds / picks.length);
  });
}

/**
 * A line of very many points with fewer: the lowest and highest of each bucket of absolute time, and every gap.
 * @param {Trace} trace @param {number} from the window, whose width tells that of the buckets @param {number} to
 * @returns {Trace} the same one where its points are not so many
 */
export function thin(trace, from, to) {
  if (trace.n <= POINTS_MAX) return trace;
  const width = 2 ** Math.ceil(Math.log2(Math.max(1, to - from) / BUCKETS));
  const out = room(trace.n, trace.lo !== null, true);
  let first = 0;
  for (let i = 1; i <= trace.n; i++) {
    const isWhole = i === trace.n || !trace.joined[i] || Math.floor(trace.t[i] / width) !== Math.floor(trace.t[first] / width);
    if (!isWhole) continue;
    putBucket(out, trace, first, i);
    first = i;
  }
  return slice(out, 0, out.n);
}
