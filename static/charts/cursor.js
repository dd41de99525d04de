/** One cursor over all charts of a machine, and what pointer and keys do with it: move, pin, mark, zoom, pan. */

/** A pointer that moved less meant a click. */
const DRAG_PX = 6;
/** A click that near to the pin takes it away. */
const PIN_PX = 8;
const FAR_POINTS = 10;
const PAN_SHARE = 0.5;
/** Where a scroll takes over, the pointer leaves, too. */
const TYPES = ['pointermove', 'pointerdown', 'pointerup', 'pointerleave', 'dblclick', 'keydown', 'blur'];

/** A time, perhaps pinned, or a stretch of time that is being chosen. */
export class Cursor {
  /** @type {number|null} device ms; null: none */
  t = null;
  isPinned = false;
  /** @type {{from: number, to: number}|null} what a drag has marked so far */
  band = null;
  #watchers = new Set();
  #frame = 0;

  /** Follow the pointer or the keys; a pinned cursor stays. @param {number|null} t device ms */
  move(t) {
    if (this.isPinned || t === this.t) return;
    this.t = t;
    this.#plan();
  }

  /** @param {number|null} t device ms; null: loose, and gone until it is moved again */
  pin(t) {
    this.t = t;
    this.isPinned = t !== null;
    this.#plan();
  }

  /** @param {number|null} from device ms; null: nothing is marked @param {number} [to] */
  mark(from, to = 0) {
    this.band = from === null ? null : { from: Math.min(from, to), to: Math.max(from, to) };
    this.#plan();
  }

  /** @param {() => void} onChange after changes, at most once a frame @returns {() => void} ends it */
  watch(onChange) {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  #plan() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      for (const onChange of this.#watchers) onChange();
    });
  }
}

/**
 * Where a key moves the cursor: along the points of all lines in sight.
 * @param {KeyboardEvent} event @param {number|null} t device ms
 * @param {(import('../data/traces.js').Trace|null)[]} traces @param {import('./chart.js').Plot} plot
 * @returns {number|undefined} undefined: there is none
 */
function keyedTime({ key, shiftKey }, t, traces, { from, to }) {
  const every = new Set(traces.flatMap((trace) => [...(trace?.t ?? [])]));
  const times = [...every].filter((time) => time >= from && time <= to).sort((a, b) => a - b);
  if (key === 'Home') return times[0];
  if (key === 'End' || t === null) return times.at(-1);
  const by = shiftKey ? FAR_POINTS : 1;
  if (key === 'ArrowLeft') return times.filter((time) => time < t).at(-by) ?? times[0];
  return times.filter((time) => time > t)[by - 1] ?? times.at(-1);
}

export class Pointing {
  #surface;
  #board;
  #target;
  /** @type {{x: number, t: number}|null} where the button went down */
  #down = null;
  /** Where the pointer rests, px; null: elsewhere. */
  #x = null;

  /**
   * @param {HTMLElement} surface over the plot @param {import('./card.js').Board} board
   * @param {{plot: import('./chart.js').Plot, traces: (import('../data/traces.js').Trace|null)[],
   *   onKeyed: () => void}} target the chart that is pointed at; onKeyed: a key moved the cursor
   */
  constructor(surface, board, target) {
    this.#surface = surface;
    this.#board = board;
    this.#target = target;
    for (const type of TYPES) surface.addEventListener(type, this);
  }

  /** The browser calls it. @param {Event} event of TYPES: there is a method for each */
  handleEvent(event) {
    this[event.type](event);
  }

  /** The window went on under a pointer that rests. */
  follow() {
    if (this.#x !== null && !this.#down) this.#board.cursor.move(this.#timeAt(this.#x));
  }

  #timeAt(x) {
    const { from, to, left, width } = this.#target.plot;
    return from + (Math.min(width, Math.max(0, x - left)) / width) * (to - from);
  }

  /** @returns {number} the time under the pointer */
  #place({ clientX }) {
    this.#x = clientX - this.#surface.getBoundingClientRect().left;
    return this.#timeAt(this.#x);
  }

  pointermove(event) {
    if (!event.isPrimary) return;
    const { cursor } = this.#board;
    const t = this.#place(event);
    const down = this.#down;
    if (down && (cursor.band || Math.abs(this.#x - down.x) > DRAG_PX)) cursor.mark(down.t, t);
    cursor.move(t);
  }

  pointerdown(event) {
    if (!event.isPrimary || event.button) return;
    const t = this.#place(event);
    this.#down = { x: this.#x, t };
    this.#surface.setPointerCapture(event.pointerId);
  }

  pointerup(event) {
    if (!this.#down || !event.isPrimary) return;
    const { window, cursor } = this.#board;
    const { band } = cursor;
    const end = this.#place(event);
    this.#drop();
    if (band) window.zoom(band.from, band.to, this.#board.now());
    else this.#togglePin(end);
    if (event.pointerType !== 'mouse') this.pointerleave();
  }

  #togglePin(t) {
    const { cursor } = this.#board;
    const { from, to, width } = this.#target.plot;
    const isSame = cursor.isPinned && (Math.abs(cursor.t - t) / (to - from)) * width <= PIN_PX;
    cursor.pin(isSame ? null : t);
    if (isSame) cursor.move(t);
    this.#board.changed();
  }

  /** What a drag marked is not wanted, or is taken. */
  #drop() {
    this.#down = null;
    this.#board.cursor.mark(null);
  }

  pointerleave() {
    this.#x = null;
    this.#drop();
    this.blur();
  }

  blur() {
    this.#board.cursor.move(null);
  }

  dblclick() {
    this.#board.window.back(this.#board.now());
  }

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { window, cursor } = this.#board;
    const now = this.#board.now();
    const step = () => this.#step(event);
    const does = {
      Enter: () => cursor.t !== null && this.#togglePin(cursor.t),
      Escape: () => {
        this.#drop();
        cursor.pin(null);
        this.#board.changed();
      },
      '+': () => window.scale(0.5, now),
      '=': () => window.scale(0.5, now),
      '-': () => window.scale(2, now),
      PageUp: () => window.pan(-PAN_SHARE, now),
      PageDown: () => window.pan(PAN_SHARE, now),
      ArrowLeft: step,
      ArrowRight: step,
      Home: step,
      End: step,
    }[event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    does();
  }

  #step(event) {
    const { cursor } = this.#board;
    const t = keyedTime(event, cursor.t, this.#target.traces, this.#target.plot);
    if (t === undefined) return;
    this.#x = null; // the keys lead now, wherever the pointer rests
    if (cursor.isPinned) cursor.pin(t);
    else cursor.move(t);
    this.#target.onKeyed();
  }
}
