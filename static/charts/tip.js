/** What the shared cursor shows in one chart: a line, a tip with values, and the stretch that is being marked. */
import { element, setText } from '../base/dom.js';
import { formatMoment, formatUnit } from '../base/format.js';
import { charts } from '../texts.js';
import { copyText } from './copy.js';
import { paintSwatch } from './lines.js';

/** In windows below this the time has milliseconds. */
const MS_WINDOW = 20_000;
const AWAY_PX = 14;
/** A width that changes with every move would lay the tip out anew. */
const ROOM_STEP_PX = 30;
const DONE_MS = 1500;

/** Write a style only where it changes. */
function put(node, name, value) {
  if (node.style.getPropertyValue(name) !== value) node.style.setProperty(name, value);
}

function buildRow(line) {
  const value = element('span', { class: 'tip-value' });
  const swatch = element('span', { class: 'swatch' });
  const label = element('span', { class: 'tip-label' }, line.label);
  const row = element('div', { class: 'tip-row' }, [swatch, label, value]);
  return { row, value, swatch };
}

export class Tip {
  #rows;
  #line = element('div', { class: 'cursor-line', hidden: '' });
  #band = element('div', { class: 'cursor-band', hidden: '' });
  #time = element('span', { class: 'tip-time' });
  #copy = element('button', { type: 'button', class: 'tip-copy' }, charts.copy);
  #tip;
  #lines;

  /** @param {import('./lines.js').Line[]} lines @param {() => string} copied what the button copies */
  constructor(lines, copied) {
    this.#lines = lines;
    this.#rows = lines.map(buildRow);
    const head = element('div', { class: 'tip-head' }, [this.#time, this.#copy]);
    this.#tip = element('div', { class: 'tip', hidden: '' }, [head, ...this.#rows.map(({ row }) => row)]);
    this.elements = [this.#band, this.#line, this.#tip];
    this.#copy.addEventListener('click', async () => {
      setText(this.#copy, (await copyText(copied())) ? charts.copied : charts.notCopied);
      setTimeout(() => setText(this.#copy, charts.copy), DONE_MS);
    });
  }

  /** @param {import('./lines.js').Line[]} lines in other colours */
  restyle(lines) {
    this.#rows.forEach(({ swatch }, i) => paintSwatch(swatch, lines[i]));
  }

  /**
   * @param {import('./chart.js').Plot} plot @param {import('./cursor.js').Cursor} cursor
   * @param {(t: number) => (string|null)[]} valuesAt texts by line; null: nothing there
   * @param {number} now device ms
   */
  show(plot, { t, isPinned, band }, valuesAt, now) {
    const x = (time) => ((time - plot.from) / (plot.to - plot.from)) * plot.width;
    this.#showBand(plot, band, x);
    const isInside = t !== null && t >= plot.from && t <= plot.to;
    this.#line.hidden = !isInside;
    this.#tip.hidden = !isInside;
    if (!isInside) return;
    const at = plot.left + x(t);
    put(this.#line, 'transform', `translateX(${at.toFixed(1)}px)`);
    this.#line.classList.toggle('pinned', isPinned);
    this.#tip.classList.toggle('pinned', isPinned);
    this.#place(at, plot);
    setText(this.#time, formatMoment(t, now, plot.to - plot.from < MS_WINDOW));
    valuesAt(t).forEach((text, i) => {
      this.#rows[i].row.hidden = text === null;
      if (text !== null) setText(this.#rows[i].value, withUnit(text, this.#lines[i].unit));
    });
  }

  hide() {
    for (const node of this.elements) node.hidden = true;
  }

  /** Beside the line, where there is more room: it never covers the cursor, and nothing has to be measured. */
  #place(at, { fullWidth }) {
    const isLeft = at > fullWidth / 2;
    const room = (isLeft ? at : fullWidth - at) - AWAY_PX;
    const to = isLeft ? `calc(${(at - AWAY_PX).toFixed(1)}px - 100%)` : `${(at + AWAY_PX).toFixed(1)}px`;
    put(this.#tip, 'transform', `translateX(${to})`);
    put(this.#tip, 'max-width', `${Math.floor(room / ROOM_STEP_PX) * ROOM_STEP_PX}px`);
  }

  #showBand({ left, width }, band, x) {
    this.#band.hidden = band === null;
    if (!band) return;
    const from = Math.max(0, x(band.from));
    const to = Math.min(width, x(band.to));
    put(this.#band, 'transform', `translateX(${(left + from).toFixed(1)}px)`);
    put(this.#band, 'width', `${Math.max(0, to - from).toFixed(1)}px`);
  }
}

/** @param {string} text @param {string|null} unit as the field has it @returns {string} */
export function withUnit(text, unit) {
  const shown = formatUnit(unit);
  return shown ? `${text}\u2009${shown}` : text;
}
