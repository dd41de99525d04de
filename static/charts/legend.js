/** The lines of a chart in words: its legend, whose entries switch them, and the tip at the shared cursor. */
import { element, setText } from '../base/dom.js';
import { formatUnit, withUnit } from '../base/format.js';
import { lineStyles } from '../base/theme.js';
import { charts, texts } from '../texts.js';
import { formatMoment } from '../view/times.js';
import { copyText } from './copy.js';

const LONG_PRESS_MS = 500;
/** In windows below this the time at the cursor has milliseconds. */
const MS_WINDOW = 20_000;
const AWAY_PX = 14;
const DONE_MS = 1500;

/**
 * @typedef {import('./chart.js').Line & {isKnown: boolean, description?: string, swatches: HTMLElement[]}} Line
 * @typedef {{text: string, stale: boolean, ageMs: number}|null} Reading null: no value
 * @typedef {(index: number, isAlone: boolean) => void} Switch hide or show that line; isAlone: show it alone
 */

/**
 * What a group says of its lines, and what the machine's parsing knows; how they look comes from styleLines().
 * @param {import('../data/api.js').Group} group @param {Map<string, import('../data/api.js').Field>} fields by name
 * @returns {Line[]}
 */
export function buildLines(group, fields) {
  return group.lines.map(({ field, label, style }) => {
    const { unit, choices, description } = fields.get(field) ?? {};
    const isNamed = Object.keys(choices ?? {}).length > 0;
    return {
      field,
      label: label || field,
      unit: unit ?? '',
      choices: isNamed ? choices : null,
      isStep: style ? style === 'step' : isNamed,
      description,
      isKnown: fields.has(field),
      swatches: [],
    };
  });
}

/**
 * Give lines and their swatches the colours of the theme.
 * @param {Line[]} lines @param {import('../data/api.js').Group} group
 */
export function styleLines(lines, group) {
  lineStyles(group.lines).forEach((style, i) => {
    const { color, dash } = style;
    Object.assign(lines[i], style);
    let at = 0;
    const parts = dash.map((px, k) => `${k % 2 ? 'transparent' : color} ${at}px ${(at += px)}px`);
    const background = dash.length ? `repeating-linear-gradient(90deg, ${parts})` : color;
    for (const swatch of lines[i].swatches) swatch.style.background = background;
  });
}

/** @param {Line} line @returns {HTMLElement} what legend and tip show of it */
function swatchOf(line) {
  const swatch = element('span', { class: 'swatch' });
  line.swatches.push(swatch);
  return swatch;
}

/** A click, or with Ctrl or held for half a second: the line alone. */
function handlers(onSwitch) {
  let timer = 0;
  let isHeld = false;
  const stop = () => clearTimeout(timer);
  const hold = () => {
    isHeld = true;
    onSwitch(true);
  };
  return {
    onpointerdown: ({ button }) => {
      isHeld = false;
      if (!button) timer = setTimeout(hold, LONG_PRESS_MS);
    },
    onpointerup: stop,
    onpointerleave: stop,
    oncontextmenu: () => !isHeld, // a finger that rests would open the menu
    onclick: ({ ctrlKey, metaKey, detail }) => {
      if (!isHeld || detail === 0) onSwitch(ctrlKey || metaKey); // 0: by the keyboard
    },
    onkeydown: ({ key, ctrlKey, metaKey }) => {
      if (key !== 'Enter' || !(ctrlKey || metaKey)) return true;
      onSwitch(true);
      return false;
    },
  };
}

function buildEntry(line, onSwitch) {
  const value = element('span', { class: 'value', 'data-field': line.field }, '–');
  const age = element('span', { class: 'age' });
  const title = `${line.description || line.label}\n${charts.switchHint}`;
  const button = element('button', { type: 'button', class: 'entry', title, ...handlers(onSwitch) }, [
    element('span', { class: 'name' }, [swatchOf(line), element('span', { class: 'label' }, line.label)]),
    element('span', { class: 'reading' }, [value, element('span', { class: 'unit' }, formatUnit(line.unit)), age]),
  ]);
  const statistics = element('span', { class: 'statistics' });
  return { item: element('li', {}, [button, statistics]), button, value, age, statistics };
}

function ageText(reading, { isKnown }, isLive) {
  if (reading) return texts.stale(reading.ageMs);
  if (!isKnown) return texts.unknownField;
  return isLive ? texts.noValue : charts.noValueHere;
}

/** Label, latest value, unit, and age where stale, by line. */
export class Legend {
  #entries;
  #lines;

  /** @param {Line[]} lines @param {Switch} onSwitch */
  constructor(lines, onSwitch) {
    this.#lines = lines;
    this.#entries = lines.map((line, i) => buildEntry(line, (isAlone) => onSwitch(i, isAlone)));
    this.element = element('ul', { class: 'legend' }, this.#entries.map(({ item }) => item));
    this.show(new Set());
  }

  /** @param {Set<string>} hidden fields whose lines are switched off */
  show(hidden) {
    this.#entries.forEach(({ button }, i) => (button.ariaPressed = !hidden.has(this.#lines[i].field)));
  }

  /**
   * @param {Reading[]} readings by line @param {string[]} summaries by line, '' for none
   * @param {boolean} isLive a value that is missing now may come
   */
  update(readings, summaries, isLive) {
    readings.forEach((reading, i) => {
      const { button, value, age, statistics } = this.#entries[i];
      const isStale = !reading || reading.stale;
      button.classList.toggle('stale', isStale);
      button.classList.toggle('none', !reading);
      setText(value, reading?.text ?? '–');
      setText(age, isStale ? ageText(reading, this.#lines[i], isLive) : '');
      setText(statistics, summaries[i]);
      statistics.hidden = !summaries[i];
    });
  }
}

function buildRow(line) {
  const value = element('span', { class: 'tip-value' });
  const label = element('span', { class: 'tip-label' }, line.label);
  return { row: element('div', { class: 'tip-row' }, [swatchOf(line), label, value]), value };
}

/** What the shared cursor shows in one chart: a line, a tip with values, and the stretch that is being marked. */
export class Tip {
  #rows;
  #lines;
  #line = element('div', { class: 'cursor-line' });
  #band = element('div', { class: 'cursor-band' });
  #time = element('span', { class: 'tip-time' });
  #tip;

  /** @param {Line[]} lines @param {() => string} copied what the button copies */
  constructor(lines, copied) {
    this.#lines = lines;
    this.#rows = lines.map(buildRow);
    const copy = element('button', { type: 'button', class: 'tip-copy', onclick: async () => {
      setText(copy, (await copyText(copied())) ? charts.copied : charts.notCopied);
      setTimeout(() => setText(copy, charts.copy), DONE_MS);
    } }, charts.copy);
    const head = element('div', { class: 'tip-head' }, [this.#time, copy]);
    this.#tip = element('div', { class: 'tip' }, [head, ...this.#rows.map(({ row }) => row)]);
    this.elements = [this.#band, this.#line, this.#tip];
    this.hide();
  }

  /**
   * @param {import('./chart.js').Plot} plot @param {import('./cursor.js').Cursor} cursor
   * @param {(t: number) => (string|null)[]} textsAt by line; null: nothing there
   * @param {number} now device ms
   */
  show({ from, to, left, width, fullWidth }, { t, isPinned, band }, textsAt, now) {
    const x = (time) => Math.round(left + Math.min(1, Math.max(0, (time - from) / (to - from))) * width);
    this.#band.hidden = band === null;
    if (band) {
      this.#band.style.left = `${x(band.from)}px`;
      this.#band.style.width = `${x(band.to) - x(band.from)}px`;
    }
    const isInside = t >= from && t <= to; // null is not
    this.#line.hidden = this.#tip.hidden = !isInside;
    if (!isInside) return;
    for (const node of [this.#line, this.#tip]) node.classList.toggle('pinned', isPinned);
    // Beside the line, where there is more room: it never covers the cursor.
    const at = x(t);
    const isLeft = at > fullWidth / 2;
    this.#line.style.left = `${at}px`;
    this.#tip.style.left = isLeft ? 'auto' : `${at + AWAY_PX}px`;
    this.#tip.style.right = isLeft ? `${fullWidth - at + AWAY_PX}px` : 'auto';
    setText(this.#time, formatMoment(t, now, to - from < MS_WINDOW));
    textsAt(t).forEach((text, i) => {
      const { row, value } = this.#rows[i];
      row.hidden = text === null;
      if (text !== null) setText(value, withUnit(text, this.#lines[i].unit));
    });
  }

  hide() {
    for (const node of this.elements) node.hidden = true;
  }
}
