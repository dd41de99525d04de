/** The table of all signals: a row a signal that has a value, in the order of the parsing. Writes only what changed. */
import { byId, element, setText } from '../base/dom.js';
import { decimalsOf, formatUnit, formatValue } from '../base/format.js';
import { toNumber } from '../data/columns.js';
import { msgTypeName, texts } from '../texts.js';

/**
 * @typedef {import('../data/api.js').Field} Field
 * @typedef {ReturnType<typeof import('../data/tracker.js').readTrack>} Reading
 */

/** @param {Field} field @returns {string} what a search looks at */
export function searchText(field) {
  const parts = [field.name, field.unit, formatUnit(field.unit), field.message, field.description];
  return parts.filter(Boolean).join(' ').toLowerCase();
}

/** @param {string} text from `searchText` @param {string} search words, all of which must be in it */
export function isFound(text, search) {
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function about(field) {
  return [field.message, field.description].filter(Boolean).join(' · ');
}

/** Roles are written out: on a phone the rows are laid out as blocks, and browsers then forget what they were. */
function buildRow(field) {
  const cell = (name, text = '') => element('td', { class: `s-${name}`, role: 'cell' }, text);
  const name = element('th', { class: 's-name', role: 'rowheader', scope: 'row', title: field.name }, field.name);
  const value = cell('value');
  const age = cell('age');
  const detail = cell('about', about(field));
  detail.title = about(field);
  const row = element('tr', { role: 'row', 'data-signal': field.name }, [
    name, value, cell('unit', formatUnit(field.unit)), detail, age,
  ]);
  return { row, value, age, text: searchText(field), key: '', decimals: 0, revision: -1 };
}

/** The signals of one msgType. */
class Section {
  #entries = new Map();

  /** @param {string} msgType @param {Field[]} fields */
  constructor(msgType, fields) {
    this.fields = fields;
    const attributes = { class: 's-source', role: 'rowheader', scope: 'rowgroup', colspan: '5' };
    const heading = element('th', attributes, msgTypeName(msgType));
    this.body = element('tbody', { role: 'rowgroup' }, element('tr', { role: 'row' }, heading));
  }

  /** @param {Reading[]} readings by field */
  update(readings) {
    let next = null;
    for (let i = readings.length - 1; i >= 0; i--) {
      const row = this.#show(this.fields[i], readings[i], next);
      if (row) next = row;
    }
  }

  /** @param {string} search @returns {number} how many rows are left */
  filter(search) {
    let shown = 0;
    for (const { row, text } of this.#entries.values()) {
      const isShown = isFound(text, search);
      if (row.hidden === isShown) row.hidden = !isShown;
      if (isShown) shown++;
    }
    this.body.hidden = shown === 0;
    return shown;
  }

  /** @returns {number} */
  get size() {
    return this.#entries.size;
  }

  #show(field, reading, next) {
    let entry = this.#entries.get(field);
    if (!reading) {
      entry?.row.remove();
      this.#entries.delete(field);
      return null;
    }
    if (!entry) {
      entry = buildRow(field);
      this.#entries.set(field, entry);
      this.body.insertBefore(entry.row, next);
    }
    this.#write(entry, field, reading);
    return entry.row;
  }

  #write(entry, field, { value, ageMs, stale, track }) {
    if (entry.revision !== track.revision) {
      const numbers = track.seen.map((seen) => toNumber(seen.value, field.choices));
      entry.decimals = decimalsOf(numbers.filter((n) => !Number.isNaN(n)), field.unit);
      entry.revision = track.revision;
    }
    const text = formatValue(value, field, entry.decimals);
    const age = stale ? texts.stale(ageMs) : '';
    const key = `${text}\n${age}`;
    if (key === entry.key) return;
    entry.key = key;
    setText(entry.value, text);
    entry.value.title = text;
    setText(entry.age, age);
    entry.row.classList.toggle('stale', stale);
  }
}

export class SignalTable {
  /** @type {Map<string, Section>} */
  #sections = new Map();
  #table = byId('signals-table');
  #search = '';

  /** @param {{msgType: string, fields: Field[]}[]} lists */
  build(lists) {
    this.clear();
    for (const { msgType, fields } of lists) {
      const section = new Section(msgType, fields);
      this.#sections.set(msgType, section);
      this.#table.append(section.body);
    }
  }

  clear() {
    for (const { body } of this.#sections.values()) body.remove();
    this.#sections.clear();
    this.#table.hidden = true;
  }

  /** @param {string} text */
  search(text) {
    this.#search = text.trim();
  }

  /**
   * @param {{msgType: string, read: () => Reading[]}[]} feeds
   * @returns {{shown: number, found: number, total: number}} rows after the search, rows, signals
   */
  update(feeds) {
    for (const feed of feeds) this.#sections.get(feed.msgType).update(feed.read());
    const counts = { shown: 0, found: 0, total: 0 };
    for (const section of this.#sections.values()) {
      counts.shown += section.filter(this.#search);
      counts.found += section.size;
      counts.total += section.fields.length;
    }
    this.#table.hidden = counts.shown === 0;
    return counts;
  }

  get isSearching() {
    return this.#search !== '';
  }
}
