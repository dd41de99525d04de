/** The values of a chart as a table, newest first: for screen readers, and for whoever wants the number itself. */
import { element, setText } from '../base/dom.js';
import { formatUnit } from '../base/format.js';
import { localMs } from '../data/clock.js';
import { charts } from '../texts.js';
import { formatMoment } from '../view/times.js';

const ROWS_MAX = 120;
const UPDATE_MS = 1000;
/** Rows that follow closer than single seconds do have milliseconds. */
const SECONDS_MS = 900;

/** @typedef {{ts: number[], columns: import('../data/columns.js').Value[][]}} Rows of Source.rows() */

export class ValueTable {
  #body = element('tbody');
  #more = element('p', { class: 'values-more' });
  /** Rows on the page by their time. @type {Map<number, HTMLTableRowElement>} */
  #rows = new Map();
  #updatedAt = -Infinity;

  /** @param {import('./legend.js').Line[]} lines @param {string} title of the chart */
  constructor(lines, title) {
    const head = (text) => element('th', { scope: 'col' }, text);
    const heads = lines.map(({ label, unit }) => head(formatUnit(unit) ? `${label} [${formatUnit(unit)}]` : label));
    const table = element('table', {}, [
      element('thead', {}, element('tr', {}, [head(charts.time), ...heads])),
      this.#body,
    ]);
    this.element = element('div', {
      class: 'values', tabindex: '0', role: 'region', 'aria-label': charts.tableOf(title), hidden: '',
    }, [table, this.#more]);
  }

  /** @returns {boolean} whether it is shown from now on */
  toggle() {
    this.#updatedAt = -Infinity;
    this.element.hidden = !this.element.hidden;
    return !this.element.hidden;
  }

  /**
   * Write the values anew, where it is shown and time to.
   * @param {() => Rows} read a column a line
   * @param {(index: number, value: import('../data/columns.js').Value) => string} textOf
   * @param {number} now device ms
   */
  update(read, textOf, now) {
    if (this.element.hidden || localMs() - this.#updatedAt < UPDATE_MS) return;
    this.#updatedAt = localMs();
    const { ts, columns } = read();
    const first = Math.max(0, ts.length - ROWS_MAX);
    const hasMs = ts.at(-1) - ts[first] < (ts.length - 1 - first) * SECONDS_MS;
    const held = this.#rows;
    this.#rows = new Map();
    for (let k = ts.length - 1; k >= first; k--) {
      const row = held.get(ts[k]) ?? element('tr', {}, [
        element('th', { scope: 'row' }), ...columns.map(() => element('td')),
      ]);
      this.#rows.set(ts[k], row);
      setText(row.cells[0], formatMoment(ts[k], now, hasMs));
      columns.forEach((column, i) => setText(row.cells[i + 1], textOf(i, column[k])));
    }
    this.#body.replaceChildren(...this.#rows.values());
    this.#more.hidden = ts.length > 0 && first === 0;
    setText(this.#more, ts.length ? charts.moreRows(first) : charts.noValues);
  }
}
