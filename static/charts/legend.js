/** The legend of a chart: label, latest value, unit, age where stale. Each entry switches its line. */
import { element, setText } from '../base/dom.js';
import { formatUnit } from '../base/format.js';
import { charts, texts } from '../texts.js';
import { paintSwatch } from './lines.js';

const LONG_PRESS_MS = 500;

/**
 * @typedef {{text: string, stale: boolean, ageMs: number}|null} Reading null: no value
 * @typedef {import('./lines.js').Line} Line
 * @typedef {{toggle: (index: number) => void, alone: (index: number) => void}} Switches
 */

/** A click, or with Ctrl or held for half a second: the line alone. */
function listen(button, index, { toggle, alone }) {
  let timer = 0;
  let isHeld = false;
  const stop = () => clearTimeout(timer);
  button.addEventListener('pointerdown', (event) => {
    isHeld = false;
    if (event.button !== 0) return;
    timer = setTimeout(() => {
      isHeld = true;
      alone(index);
    }, LONG_PRESS_MS);
  });
  for (const type of ['pointerup', 'pointerleave', 'pointercancel']) button.addEventListener(type, stop);
  button.addEventListener('contextmenu', (event) => isHeld && event.preventDefault());
  button.addEventListener('click', (event) => {
    if (event.ctrlKey || event.metaKey) alone(index);
    else if (!isHeld || event.detail === 0) toggle(index);
  });
  button.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    alone(index);
  });
}

function buildEntry(line, index, switches) {
  const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' });
  const label = element('span', { class: 'label' }, line.label);
  const value = element('span', { class: 'value', 'data-field': line.field }, '–');
  const unit = element('span', { class: 'unit' }, formatUnit(line.unit));
  const age = element('span', { class: 'age' });
  const title = [line.description || line.label, charts.switchHint].join('\n');
  const button = element('button', { type: 'button', class: 'entry', 'aria-pressed': 'true', title }, [
    element('span', { class: 'name' }, [swatch, label]),
    element('span', { class: 'reading' }, [value, unit, age]),
  ]);
  const statistics = element('span', { class: 'statistics', hidden: '' });
  listen(button, index, switches);
  return { item: element('li', {}, [button, statistics]), button, swatch, value, age, statistics };
}

export class Legend {
  #entries;

  /** @param {Line[]} lines @param {Switches} switches */
  constructor(lines, switches) {
    this.#entries = lines.map((line, index) => buildEntry(line, index, switches));
    this.element = element('ul', { class: 'legend' }, this.#entries.map((entry) => entry.item));
    this.restyle(lines);
  }

  /** @param {Line[]} lines */
  restyle(lines) {
    lines.forEach((line, i) => paintSwatch(this.#entries[i].swatch, line));
  }

  /** @param {number} index @param {boolean} isShown */
  setShown(index, isShown) {
    this.#entries[index].button.setAttribute('aria-pressed', String(isShown));
  }

  /**
   * @param {Reading[]} readings by line @param {Line[]} lines
   * @param {boolean} isLive a value that is missing now may come
   */
  update(readings, lines, isLive) {
    readings.forEach((reading, i) => {
      const { button, value, age } = this.#entries[i];
      const isStale = !reading || reading.stale;
      button.classList.toggle('stale', isStale);
      button.classList.toggle('none', !reading);
      setText(value, reading ? reading.text : '–');
      if (value.title !== value.textContent) value.title = value.textContent;
      const nothing = lines[i].isKnown ? (isLive ? texts.noValue : charts.noValueHere) : texts.unknownField;
      setText(age, isStale ? (reading ? texts.stale(reading.ageMs) : nothing) : '');
    });
  }

  /** @param {(string|null)[]} rows by line; null: not shown */
  showStatistics(rows) {
    rows.forEach((text, i) => {
      const { statistics } = this.#entries[i];
      statistics.hidden = text === null;
      if (text !== null) setText(statistics, text);
    });
  }
}
