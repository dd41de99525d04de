/** The rows of all signals of one msgType: one a signal that has a value, in the order of the parsing. */
import { decimalsOf, formatUnit, formatValue } from '../base/format.js';
import { html } from '../base/ui.js';
import { toNumber } from '../data/columns.js';
import { msgTypeName, texts } from '../texts.js';

/**
 * @typedef {import('../data/api.js').Field} Field
 * @typedef {ReturnType<typeof import('../data/feed.js').readSignal>} Reading
 */

/** @param {Field} field @returns {string} what a search looks at */
export function searchText(field) {
  const parts = [field.name, field.unit, formatUnit(field.unit), field.message, field.description];
  return parts.filter(Boolean).join(' ').toLowerCase();
}

/** @param {string} text in lower case @param {string} search words, all of which must be in it */
export function isFound(text, search) {
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** One signal. */
class Row {
  #field;
  #decimals = 0;
  #revision = -1;
  #said = '';
  #view = null;

  /** @param {Field} field */
  constructor(field) {
    this.#field = field;
    this.text = searchText(field);
  }

  /** @param {Reading} reading @returns {Object} the same one as long as it says the same: Preact then looks no further */
  view({ value, ts, ageMs, stale, seen }) {
    const field = this.#field;
    if (this.#revision !== ts) {
      const numbers = seen().map((each) => toNumber(each, field.choices));
      this.#decimals = decimalsOf(numbers.filter((n) => !Number.isNaN(n)), field.unit);
      this.#revision = ts;
    }
    const text = formatValue(value, field, this.#decimals);
    const age = stale ? texts.stale(ageMs) : '';
    const said = `${text}\n${age}`;
    if (said !== this.#said) this.#view = this.#write(text, age);
    this.#said = said;
    return this.#view;
  }

  /** Roles are written out: on a phone the rows are laid out as blocks, and browsers then forget what they were. */
  #write(text, age) {
    const { name, unit, message, description } = this.#field;
    const about = [message, description].filter(Boolean).join(' · ');
    return html`<tr role="row" key=${name} data-signal=${name} class=${age && 'stale'}>
      <th class="s-name" role="rowheader" scope="row" title=${name}>${name}</th>
      <td class="s-value" role="cell" title=${text}>${text}</td>
      <td class="s-unit" role="cell">${formatUnit(unit)}</td>
      <td class="s-about" role="cell" title=${about}>${about}</td>
      <td class="s-age" role="cell">${age}</td>
    </tr>`;
  }
}

export class SignalTable {
  #rows;

  /** @param {import('../data/feed.js').SignalFeed} feed */
  constructor(feed) {
    this.feed = feed;
    this.#rows = feed.fields.map((field) => new Row(field));
  }

  /**
   * @param {string} search @param {{shown: number, found: number, total: number}} counts to add to
   * @returns {Object[]} for Preact, with a heading
   */
  rows(search, counts) {
    const views = [];
    const readings = this.feed.read();
    this.#rows.forEach((row, i) => {
      if (!readings[i]) return;
      counts.found++;
      if (isFound(row.text, search)) views.push(row.view(readings[i]));
    });
    counts.shown += views.length;
    counts.total += readings.length;
    if (!views.length) return views;
    const heading = html`<tr role="row" key="">
      <th class="s-source" role="rowheader" scope="row" colspan="5">${msgTypeName(this.feed.msgType)}</th>
    </tr>`;
    return [heading, ...views];
  }
}
