/** What charts, map and CSV read of one msgType: the table, and before it or instead of it what was fetched. */
import { GAP_MS, JOIN_PERIODS, gapsBefore, latest, usualPeriod } from './columns.js';
import { rangeRows } from './ranges.js';
import { countBefore, countUpTo } from './reading.js';
import { between, cut, isGapBetween, joinTraces, rangeLimit, rangeTrace, tableTrace, thin } from './traces.js';

/**
 * @typedef {import('./columns.js').Value} Value
 * @typedef {import('./traces.js').Trace} Trace
 * @typedef {{ts: number[], columns: (Value|null)[][]}} Rows
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
    return this.feed.table.ts.length === 0 && !(this.past.range?.newest > -Infinity);
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
    const live = tableTrace(this.feed.table, field, from, to, choices);
    const { range } = this.past;
    if (!range) return thin(live, from, to);
    const older = rangeTrace(range, field, from, to, choices);
    const [first, end] = this.#covered(range);
    const join = (before, after) => {
      const [a, b] = [before.t[before.n - 1], after.t[0]];
      const limit = Math.max(rangeLimit(range, field), JOIN_PERIODS * usualPeriod(this.feed.table, field));
      return joinTraces(before, after, limit, this.#isGap(range, a, b));
    };
    const parts = [between(live, -Infinity, first), between(older, first, end), between(live, end, Infinity)];
    return thin(cut(parts.reduce(join), from, to), from, to);
  }

  /** Where the range is taken: before the table's rows, or where it has every frame. @returns {[number, number]} */
  #covered(range) {
    const oldest = this.feed.table.ts[0] ?? Infinity;
    if (!range.isFull) return [-Infinity, oldest];
    return [range.from, Math.max(range.from, Math.min(range.to, range.newest) + 0.001)];
  }

  #isGap(range, a, b) {
    const { table } = this.feed;
    const [oldest] = table.ts;
    if (isGapBetween(range.gaps, a, b)) return true;
    // Between the end of the range and the table nobody knows.
    if (a <= range.to && b >= oldest && oldest - range.to > GAP_MS) return true;
    const gaps = gapsBefore(table);
    const before = Math.max(0, countUpTo(table.ts, a) - 1);
    return gaps[countBefore(table.ts, b)] > gaps[before];
  }

  /** @param {string} field @param {number} now device ms @returns {{value: Value, ts: number, ageMs: number, stale: boolean}|null} */
  latest(field, now) {
    const series = this.past.range?.series.get(field);
    const found = latest(this.feed.table, field, now);
    if (found || !series?.ts.length) return found;
    const ts = series.ts.at(-1);
    const ageMs = Math.max(0, now - ts);
    return { value: series.v.at(-1), ts, ageMs, stale: ageMs > rangeLimit(this.past.range, field) };
  }

  /** @param {string} field @param {number} count @returns {Value[]} the newest, null where a sample lacks it */
  recent(field, count) {
    const { table } = this.feed;
    const held = table.ts.length ? table.fields.get(field) : this.past.range?.series.get(field)?.v;
    return held?.slice(-count) ?? [];
  }

  /**
   * Fields aligned by time, in order; of buckets the last value of each, and every frame where there is one.
   * @param {string[]} fields @param {number} from device ms @param {number} to included
   * @returns {Rows}
   */
  rows(fields, from, to) {
    const { table } = this.feed;
    const { range } = this.past;
    if (!range) return tableRows(table, fields, from, to);
    const [first, end] = this.#covered(range);
    const parts = [
      tableRows(table, fields, from, Math.min(to, first - 0.001)),
      rangeRows(range, fields, Math.max(from, first), Math.min(to, end - 0.001)),
      tableRows(table, fields, Math.max(from, end), to),
    ];
    return {
      ts: parts.flatMap((part) => part.ts),
      columns: fields.map((_, i) => parts.flatMap((part) => part.columns[i])),
    };
  }
}
