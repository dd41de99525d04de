/** What is read of a line: points as a chart takes them, what lies under the cursor, lowest, highest and mean. Pure. */

/** A lone value between two gaps is drawn as a dash of this length at least; a line through one point draws nothing. */
export const LONE_MS = 500;
/** A dash that can be seen is this part of the line, and so near the cursor finds the end of a line. */
const VISIBLE = 1 / 400;
/** The cursor finds the end of a line at least so near. */
const NEAR_MS = 1000;

/** @typedef {import('./traces.js').Trace} Trace */

/** @param {ArrayLike<number>} times in order @param {number} t @returns {number} how many are before t */
export function countBefore(times, t) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < t) low = middle + 1;
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
  const half = Math.max(LONE_MS, visibleMs(trace)) / 2;
  const out = new Float64Array(n * 6);
  let k = 0;
  const add = (time, value) => {
    out[k++] = time;
    out[k++] = value;
  };
  for (let i = 0; i < n; i++) {
    // The NaN stands at the time of the point before: a step line would otherwise run on to it.
    if (!joined[i] && i > 0) add(out[k - 2], NaN);
    const isLone = !joined[i] && !(i + 1 < n && joined[i + 1]);
    // No dash reaches its neighbour.
    const before = i > 0 ? Math.min(half, (t[i] - t[i - 1]) / 2) : half;
    const after = i + 1 < n ? Math.min(half, (t[i + 1] - t[i]) / 2) : half;
    add(isLone ? t[i] - before : t[i], v[i]);
    if (isLone) add(t[i] + after, v[i]);
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
  const before = after - 1;
  const left = before >= 0 ? t - trace.t[before] : Infinity;
  const right = after < trace.n ? trace.t[after] - t : Infinity;
  const isInside = before >= 0 && after < trace.n && trace.joined[after];
  const near = isInside ? Infinity : Math.max(NEAR_MS, visibleMs(trace));
  if (left === Infinity && right === Infinity) return -1;
  const found = left <= right ? before : after;
  return Math.min(left, right) <= near ? found : -1;
}

/**
 * @param {Trace[]} traces
 * @returns {{lo: number, hi: number}|null} the smallest and largest value, those of spans too; null where there is none
 */
export function extent(traces) {
  let lo = Infinity;
  let hi = -Infinity;
  for (const trace of traces) {
    const lows = trace.lo ?? trace.v;
    const highs = trace.hi ?? trace.v;
    for (let i = 0; i < trace.n; i++) {
      if (lows[i] < lo) lo = lows[i];
      if (highs[i] > hi) hi = highs[i];
    }
  }
  return lo <= hi ? { lo, hi } : null;
}

/**
 * Of the points at from ≤ t ≤ to; of buckets by how many samples each has.
 * @param {Trace} trace @param {number} from device ms @param {number} to
 * @returns {{min: number, max: number, mean: number, n: number}|null} null where there is no point
 */
export function summary(trace, from, to) {
  let [min, max, sum, n] = [Infinity, -Infinity, 0, 0];
  for (let i = countBefore(trace.t, from); i < trace.n && trace.t[i] <= to; i++) {
    const weight = trace.seconds ? trace.seconds[i] : 1;
    min = Math.min(min, trace.lo ? trace.lo[i] : trace.v[i]);
    max = Math.max(max, trace.hi ? trace.hi[i] : trace.v[i]);
    sum += weight * (trace.mean ? trace.mean[i] : trace.v[i]);
    n += weight;
  }
  return n > 0 ? { min, max, mean: sum / n, n } : null;
}
