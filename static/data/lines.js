/** Lines out of columns: what a chart draws, what lies under the cursor, between which values. Pure. */
import { JOIN_PERIODS, gapsBefore, presentRows, usualPeriod } from './columns.js';

/** A lone value between two gaps is drawn as a dash of this length; a line through one point draws nothing. */
export const LONE_MS = 500;

/**
 * @typedef {import('./columns.js').Table} Table
 * @typedef {import('./columns.js').Value} Value
 * @typedef {Object<string, string>|null} Choices number as text → name
 * @typedef {{ts: number, value: number, joined: boolean}} Point joined: to the point before it
 */

/**
 * A value as the number to draw: a choice's name as its number, a boolean as 0 or 1.
 * @param {Value} value @param {Choices} [choices]
 * @returns {number} NaN where there is nothing to draw
 */
export function toNumber(value, choices = null) {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'string' || !choices) return NaN;
  const found = Object.keys(choices).find((key) => choices[key] === value);
  return found === undefined ? NaN : Number(found);
}

/**
 * The points of a field from the last one before `from` on, so that a line enters the window at its edge.
 * @param {Table} table @param {string} field @param {number} from device ms @param {Choices} [choices]
 * @returns {Point[]}
 */
export function points(table, field, from, choices = null) {
  const rows = presentRows(table, field);
  const limit = JOIN_PERIODS * usualPeriod(table, field, rows);
  const gaps = gapsBefore(table);
  const column = table.fields.get(field) ?? [];
  const out = [];
  let first = rows.findIndex((row) => table.ts[row] >= from);
  if (first < 0) first = rows.length;
  for (let k = Math.max(0, first - 1); k < rows.length; k++) {
    const value = toNumber(column[rows[k]], choices);
    if (Number.isNaN(value)) continue;
    const ts = table.ts[rows[k]];
    const joined = k > 0 && gaps[rows[k]] === gaps[rows[k - 1]] && ts - table.ts[rows[k - 1]] <= limit;
    out.push({ ts, value, joined });
  }
  return out;
}

/**
 * Points as ECharts takes them fastest: flat [t, v, t, v, …], NaN as v where the line breaks.
 * @param {Point[]} list
 * @returns {Float64Array}
 */
export function flatten(list) {
  const flat = new Float64Array(list.length * 4 + 2);
  let n = 0;
  const put = (t, v) => {
    flat[n++] = t;
    flat[n++] = v;
  };
  for (let i = 0; i < list.length; i++) {
    const { ts, value, joined } = list[i];
    // The NaN stands at the time of the point before: a step line would otherwise run on to it.
    if (!joined && i > 0) put(list[i - 1].ts, NaN);
    const isLone = !joined && !list[i + 1]?.joined;
    put(isLone ? ts - LONE_MS / 2 : ts, value);
    if (isLone) put(ts + LONE_MS / 2, value);
  }
  return flat.slice(0, n);
}

/**
 * The point to show for a cursor at time t: the nearest, where the line is or nearly is.
 * @param {Point[]} list @param {number} t device ms
 * @returns {Point|null}
 */
export function nearest(list, t) {
  let next = list.findIndex((point) => point.ts >= t);
  if (next < 0) next = list.length;
  const after = list[next];
  const before = list[next - 1];
  if (before && after?.joined) return t - before.ts <= after.ts - t ? before : after;
  const close = [before, after].filter((point) => point && Math.abs(point.ts - t) <= 1000);
  close.sort((a, b) => Math.abs(a.ts - t) - Math.abs(b.ts - t));
  return close[0] ?? null;
}

/**
 * @param {Point[][]} lists
 * @returns {{lo: number, hi: number}|null} the smallest and largest value, null where there is none
 */
export function extent(lists) {
  let lo = Infinity;
  let hi = -Infinity;
  for (const list of lists) {
    for (const { value } of list) {
      if (value < lo) lo = value;
      if (value > hi) hi = value;
    }
  }
  return lo <= hi ? { lo, hi } : null;
}
