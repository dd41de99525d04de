/** The values of a chart as a table, newest first: for screen readers, and for whoever wants the number itself. */
import { element, setText } from '../base/dom.js';
import { formatMoment, formatUnit } from '../base/format.js';
import { charts } from '../texts.js';

const ROWS_MAX = 120;
const UPDATE_MS = 1000;
/** Rows that follow closer than single seconds do have milliseconds. */
const SECONDS_MS = 900;

/** @typedef {{ts: number[], columns: import('../data/columns.js').Value[][]}} Rows of Source.rows() */

export class ValueTable {
  #body = element('tbody');
  #more = element('p', { class: 'values-more', hidden: '' });
  #lines;
  /** Rows on the page by their time. @type {Map<number, HTMLTableRowElement>} */
  #rows = new Map();
  #updatedAt = -Infinity;

  /** @param {import('./lines.js').Line[]} lines @param {string} title of the chart @param {string} id */
  constructor(lines, title, id) {
    this.#lines = lines;
    const heads = lines.map(({ label, unit }) => {
      const shown = formatUnit(unit);
      return element('th', { scope: 'col' }, shown ? `${label} [${shown}]` : label);
    });
    const table = element('table', {}, [
      element('thead', {}, element('tr', {}, [element('th', { scope: 'col' }, charts.time), ...heads])),
      this.#body,
    ]);
    const name = charts.tableOf(title);
    const attributes = { class: 'values', id, tabindex: '0', role: 'region', 'aria-label': name, hidden: '' };
    this.element = element('div', attributes, [table, this.#more]);
  }

  get isShown() {
    return !this.element.hidden;
  }

  set isShown(isShown) {
    this.element.hidden = !isShown;
    this.#updatedAt = -Infinity;
  }

  /** Whether it is time to write the values anew. @param {number} localMs */
  isDue(localMs) {
    return this.isShown && localMs - this.#updatedAt >= UPDATE_MS;
  }

  /**
   * @param {Rows} rows a column a line
   * @param {(index: number, value: import('../data/columns.js').Value) => string} textOf
   * @param {number} localMs @param {number} now device ms
   */
  update({ ts, columns }, textOf, localMs, now) {
    this.#updatedAt = localMs;
    const first = Math.max(0, ts.length - ROWS_MAX);
    const hasMs = ts.at(-1) - ts[first] < (ts.length - 1 - first) * SECONDS_MS;
    const held = this.#rows;
    this.#rows = new Map();
    for (let k = ts.length - 1; k >= first; k--) {
      const row = held.get(ts[k]) ?? this.#emptyRow();
      this.#rows.set(ts[k], row);
      setText(row.cells[0], formatMoment(ts[k], now, hasMs));
      this.#lines.forEach((_, i) => setText(row.cells[i + 1], textOf(i, columns[i][k])));
    }
    this.#body.replaceChildren(...this.#rows.values());
    this.#more.hidden = ts.length > 0 && first === 0;
    setText(this.#more, ts.length ? charts.moreRows(first) : charts.noValues);
  }

  #emptyRow() {
    const row = element('tr', {}, element('th', { scope: 'row' }));
    row.append(...this.#lines.map(() => element('td')));
    return row;
  }
}
