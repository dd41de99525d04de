/** What charts, map and CSV read of one msgType: the table, and before it or instead of it what was fetched. */
import { GAP_MS, gapsBefore, latest, limitOf, oldestTs, tableSeries, wholeFrom } from './columns.js';
import { align, isGapBetween, rangeRows } from './ranges.js';
import { between, cut, joinTraces, rangeTrace, tableTrace, thin } from './traces.js';

/**
 * @typedef {import('./columns.js').Value} Value
 * @typedef {import('./traces.js').Trace} Trace
 * @typedef {import('./ranges.js').Rows} Rows
 */

/** Rows of the table in order of time; where the device's clock was set back, what came later stands. */
function tableRows(table, fields, from, to) {
  const rows = [];
  for (let row = 0; row < table.ts.length; row++) {
    const ts = table.ts[row];
    while (rows.length && table.ts[rows.at(-1)] >= ts) rows.pop();
    if (ts >= from && ts <= to) rows.push(row);
  }
  const columns = fields.map((field) => {
    const column = table.fields.get(field);
    return rows.map((row) => column?.[row] ?? null);
  });
  return { ts: rows.map((row) => table.ts[row]), columns };
}

export class Source {
  /** @param {import('./feed.js').Feed} feed @param {import('./past.js').Past} past */
  constructor(feed, past) {
    this.feed = feed;
    this.past = past;
    this.msgType = feed.stream.msgType;
  }

  /** Nothing has come yet. @returns {boolean} */
  get isWaiting() {
    return !this.feed.table.ts.length && !(this.past.range?.newest > -Infinity);
  }

  /** Grows with each change of what there is to read. @returns {number} */
  get revision() {
    return this.feed.table.revision + this.past.revision;
  }

  /**
   * @param {string} field @param {import('./columns.js').Choices} choices @param {number} from device ms @param {number} to
   * @returns {Trace} from the last point before `from` to the first after `to`
   */
  trace(field, choices, from, to) {
    const { table } = this.feed;
    const { range } = this.past;
    const live = tableTrace(table, field, from, to, choices);
    const series = range?.series.get(field);
    if (!series) return thin(live, from, to);
    const older = rangeTrace(range, field, from, to, choices);
    const limit = Math.max(limitOf(series), limitOf(tableSeries(table, field)));
    const [first, end] = this.#covered(range);
    const parts = [between(live, -Infinity, first), between(older, first, end), between(live, end, Infinity)];
    const joined = joinTraces(parts, (a, b) => b - a <= limit && !this.#isGap(range, a, b));
    return thin(cut(joined, from, to), from, to);
  }

  /** Where the range is taken: up to where the table lacks nothing, or where it has every frame. @returns {[number, number]} */
  #covered(range) {
    const { table } = this.feed;
    const whole = wholeFrom(table);
    if (!range.isFull) return [-Infinity, whole <= range.newest ? whole : oldestTs(table)];
    return [range.from, Math.max(range.from, Math.min(range.to, range.newest) + 0.001)];
  }

  #isGap(range, a, b) {
    const { table } = this.feed;
    const oldest = oldestTs(table);
    if (isGapBetween(range.gaps, a, b)) return true;
    // Between the end of the range and the table nobody knows.
    if (a <= range.to && b >= oldest && oldest - range.to > GAP_MS) return true;
    const gaps = gapsBefore(table);
    // A hole of the table is none where the range fills it.
    const from = range.isFull ? a : this.#covered(range)[1];
    const before = table.ts.findLastIndex((ts) => ts <= from);
    return gaps[table.ts.findLastIndex((ts) => ts < b) + 1] > gaps[Math.max(0, before)];
  }

  /** @param {string} field @param {number} now device ms @returns {{value: Value, ts: number, ageMs: number, stale: boolean}|null} */
  latest(field, now) {
    const { range } = this.past;
    const series = [tableSeries(this.feed.table, field), range?.series.get(field)].filter(Boolean);
    return series.map((each) => latest(each, now)).find(Boolean) ?? null;
  }

  /**
   * Fields aligned by time, in order; of buckets the last value of each, and every frame where there is one.
   * @param {string[]} fields @param {number} from device ms @param {number} to included
   * @param {import('./ranges.js').Range|null} [range] null: what the table has alone
   * @returns {Rows}
   */
  rows(fields, from, to, range = this.past.range) {
    const { table } = this.feed;
    if (!range) return tableRows(table, fields, from, to);
    const [first, end] = this.#covered(range);
    return align([
      tableRows(table, fields, from, Math.min(to, first - 0.001)),
      rangeRows(range, fields, Math.max(from, first), Math.min(to, end - 0.001)),
      tableRows(table, fields, Math.max(from, end), to),
    ], fields.length);
  }
}
