/** What pointer and keys do over a chart: move, pin and loosen the cursor, mark a range, zoom and pan. */
import { nearest } from '../data/traces.js';

/** A pointer that moved less meant a click. */
const DRAG_PX = 6;
/** A click that near to the pin takes it away. */
const PIN_PX = 8;
const FAR_POINTS = 10;
const PAN_SHARE = 0.5;

/**
 * @typedef {import('./card.js').Board} Board
 * @typedef {object} Target the chart that is pointed at
 * @property {() => import('./chart.js').Plot} plot
 * @property {() => import('../data/traces.js').Trace[]} traces of the lines that are shown
 * @property {() => void} onKeyed the cursor was moved by a key
 */

/** The points of a trace inside a window. @returns {[number, number]} first and last index, first > last where none */
function inside({ n, t }, { from, to }) {
  let first = 0;
  let last = n - 1;
  while (first < n && t[first] < from) first++;
  while (last >= 0 && t[last] > to) last--;
  return [first, last];
}

/** Of the lines that are shown, the one that has a point nearest to the cursor; the first where there is none. */
function lineAt(traces, t) {
  let best = traces.find((trace) => trace.n > 0) ?? null;
  let least = Infinity;
  for (const trace of t === null ? [] : traces) {
    const i = nearest(trace, t);
    const away = i < 0 ? Infinity : Math.abs(trace.t[i] - t);
    if (away < least) [best, least] = [trace, away];
  }
  return best;
}

/** @returns {number|null} the time that a key moves the cursor to; null: it does not */
function keyedTime({ key, shiftKey }, t, traces, plot) {
  const trace = lineAt(traces, t);
  if (!trace) return null;
  const [first, last] = inside(trace, plot);
  if (first > last) return null;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[key] * (shiftKey ? FAR_POINTS : 1);
  if (key === 'Home') return trace.t[first];
  if (key === 'End' || t === null) return trace.t[last];
  let i = first;
  while (i < last && Math.abs(trace.t[i + 1] - t) <= Math.abs(trace.t[i] - t)) i++;
  return trace.t[Math.min(last, Math.max(first, i + by))];
}

export class Pointing {
  #surface;
  #board;
  #target;
  /** @type {{x: number, t: number, isDrag: boolean}|null} where the button went down */
  #down = null;
  /** Where the pointer rests, px; null: elsewhere. */
  #x = null;

  /** @param {HTMLElement} surface over the plot @param {Board} board @param {Target} target */
  constructor(surface, board, target) {
    this.#surface = surface;
    this.#board = board;
    this.#target = target;
    const on = (type, handle) => surface.addEventListener(type, handle);
    on('pointermove', (event) => this.#move(event));
    on('pointerdown', (event) => this.#press(event));
    on('pointerup', (event) => this.#release(event));
    on('pointercancel', () => this.#leave());
    on('pointerleave', () => this.#leave());
    on('dblclick', () => board.window.back(board.now()));
    on('keydown', (event) => this.#key(event));
    on('blur', () => board.cursor.move(null));
  }

  /** The window went on under a pointer that rests. */
  follow() {
    if (this.#x !== null && !this.#down) this.#board.cursor.move(this.#timeAt(this.#x));
  }

  #timeAt(x) {
    const { from, to, left, width } = this.#target.plot();
    return from + (Math.min(width, Math.max(0, x - left)) / width) * (to - from);
  }

  #place(event) {
    return event.clientX - this.#surface.getBoundingClientRect().left;
  }

  #move(event) {
    if (!event.isPrimary) return;
    const { cursor } = this.#board;
    this.#x = this.#place(event);
    const t = this.#timeAt(this.#x);
    if (this.#down && (this.#down.isDrag ||= Math.abs(this.#x - this.#down.x) > DRAG_PX)) cursor.mark(this.#down.t, t);
    cursor.move(t);
  }

  #press(event) {
    if (!event.isPrimary || event.button !== 0) return;
    this.#x = this.#place(event);
    this.#down = { x: this.#x, t: this.#timeAt(this.#x), isDrag: false };
    this.#surface.setPointerCapture(event.pointerId);
  }

  #release(event) {
    if (!this.#down || !event.isPrimary) return;
    const { t, isDrag } = this.#down;
    const end = this.#timeAt(this.#place(event));
    this.#drop();
    if (isDrag) this.#board.window.zoom(Math.min(t, end), Math.max(t, end), this.#board.now());
    else this.#togglePin(end);
    if (event.pointerType !== 'mouse') this.#leave();
  }

  #togglePin(t) {
    const { cursor } = this.#board;
    const { from, to, width } = this.#target.plot();
    const isSame = cursor.isPinned && (Math.abs(cursor.t - t) / (to - from)) * width <= PIN_PX;
    cursor.pin(isSame ? null : t);
    if (isSame) cursor.move(t);
    this.#board.changed();
  }

  #loosen() {
    this.#drop();
    this.#board.cursor.pin(null);
    this.#board.changed();
  }

  #drop() {
    this.#down = null;
    if (this.#board.cursor.band) this.#board.cursor.mark(null);
  }

  #leave() {
    this.#x = null;
    this.#drop();
    this.#board.cursor.move(null);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { window, cursor } = this.#board;
    const now = this.#board.now();
    const does = {
      Enter: () => cursor.t !== null && this.#togglePin(cursor.t),
      Escape: () => this.#loosen(),
      '+': () => window.scale(0.5, now),
      '=': () => window.scale(0.5, now),
      '-': () => window.scale(2, now),
      PageUp: () => window.pan(-PAN_SHARE, now),
      PageDown: () => window.pan(PAN_SHARE, now),
    };
    for (const key of ['ArrowLeft', 'ArrowRight', 'Home', 'End']) does[key] = () => this.#step(event);
    if (!Object.hasOwn(does, event.key)) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    does[event.key]();
  }

  #step(event) {
    const { cursor } = this.#board;
    const t = keyedTime(event, cursor.t, this.#target.traces(), this.#target.plot());
    if (t === null) return;
    this.#x = null; // the keys lead now, wherever the pointer rests
    if (cursor.isPinned) cursor.pin(t);
    else cursor.move(t);
    this.#target.onKeyed();
  }
}
