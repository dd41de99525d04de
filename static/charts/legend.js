/** The legend of a chart: label, latest value, unit, age where stale. Each entry switches its line. */
import { element, setText } from '../base/dom.js';
import { formatUnit } from '../base/format.js';
import { texts } from '../texts.js';

/**
 * @typedef {{text: string, stale: boolean, ageMs: number}|null} Reading null: never seen
 * @typedef {import('./chart.js').Line & {isKnown: boolean, description: string}} Line
 */

function buildEntry(line, onToggle) {
  const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' });
  const label = element('span', { class: 'label', title: line.description || line.label }, line.label);
  const value = element('span', { class: 'value', 'data-field': line.field }, '–');
  const unit = element('span', { class: 'unit' }, formatUnit(line.unit));
  const age = element('span', { class: 'age' });
  const button = element('button', { type: 'button', class: 'entry', 'aria-pressed': 'true' }, [
    element('span', { class: 'name' }, [swatch, label]),
    element('span', { class: 'reading' }, [value, unit, age]),
  ]);
  button.addEventListener('click', onToggle);
  return { item: element('li', {}, button), button, swatch, value, age };
}

export class Legend {
  #entries;

  /** @param {Line[]} lines @param {(index: number) => void} onToggle */
  constructor(lines, onToggle) {
    this.#entries = lines.map((line, index) => buildEntry(line, () => onToggle(index)));
    this.element = element('ul', { class: 'legend' }, this.#entries.map((entry) => entry.item));
    this.restyle(lines);
  }

  /** @param {Line[]} lines */
  restyle(lines) {
    lines.forEach((line, i) => {
      this.#entries[i].swatch.style.setProperty('--line', line.color);
      this.#entries[i].swatch.classList.toggle('dashed', line.isDashed);
    });
  }

  /** @param {number} index @param {boolean} isShown */
  setShown(index, isShown) {
    this.#entries[index].button.setAttribute('aria-pressed', String(isShown));
  }

  /** @param {Reading[]} readings by line @param {Line[]} lines */
  update(readings, lines) {
    readings.forEach((reading, i) => {
      const { button, value, age } = this.#entries[i];
      const isStale = !reading || reading.stale;
      button.classList.toggle('stale', isStale);
      button.classList.toggle('none', !reading);
      setText(value, reading ? reading.text : '–');
      value.title = reading ? reading.text : '';
      const nothing = lines[i].isKnown ? texts.noValue : texts.unknownField;
      setText(age, isStale ? (reading ? texts.stale(reading.ageMs) : nothing) : '');
    });
  }
}
