/** The lines of one chart in numbers: traces of the window, and what they read at a time. No DOM. */
import { decimalsOf, formatValue } from '../base/format.js';
import { toNumber } from '../data/columns.js';
import { nearest, summary } from '../data/traces.js';

/** Values looked at to find how many decimals a field needs. */
const DECIMALS_OF_LAST = 40;
/** A live window that went on by less, over the same data, keeps its traces: they begin earlier, out of sight. */
const SLIDE_MS = 1000;

/**
 * @typedef {import('../data/source.js').Source} Source
 * @typedef {import('../data/traces.js').Trace} Trace
 */

/** @param {Trace} a @param {Trace} b @returns {boolean} */
function isSame(a, b) {
  if (a.n !== b.n || a.lo !== b.lo && !(a.lo && b.lo)) return false;
  for (let i = 0; i < a.n; i++) {
    if (a.t[i] !== b.t[i] || a.v[i] !== b.v[i] || a.joined[i] !== b.joined[i]) return false;
    if (a.lo && (!Object.is(a.lo[i], b.lo[i]) || !Object.is(a.hi[i], b.hi[i]))) return false;
  }
  return true;
}

export class Readings {
  /** @type {Trace[]} by line */
  traces = [];
  #source;
  #lines;
  #made = { revision: -1, from: 0, to: 0 };
  #decimals = { revision: -1, by: [] };

  /** @param {Source} source @param {import('./lines.js').Line[]} lines */
  constructor(source, lines) {
    this.#source = source;
    this.#lines = lines;
  }

  /**
   * Bring the traces to a window. A trace that did not change stays the same object.
   * @param {number} from device ms @param {number} to device ms @param {boolean} isLive
   */
  update(from, to, isLive) {
    const { revision } = this.#source;
    const made = this.#made;
    const slid = from - made.from;
    const isHeld = slid >= 0 && slid <= (isLive ? SLIDE_MS : 0) && Math.abs(to - made.to - slid) < 1;
    if (isHeld && revision === made.revision) return;
    this.#made = { revision, from, to };
    this.traces = this.#lines.map(({ field, choices }, i) => {
      const next = this.#source.trace(field, choices, from, to);
      const held = this.traces[i];
      return held && isSame(held, next) ? held : next;
    });
    this.#decimals.revision = -1;
  }

  /** @param {number} i of a line @returns {number} the same for all that is shown of it, so that no text jumps */
  decimals(i) {
    const { revision } = this.#source;
    if (revision !== this.#decimals.revision) this.#decimals = { revision, by: [] };
    this.#decimals.by[i] ??= decimalsOf(this.#newest(i), this.#lines[i].unit);
    return this.#decimals.by[i];
  }

  #newest(i) {
    const trace = this.traces[i];
    if (trace?.n) return trace.v.subarray(Math.max(0, trace.n - DECIMALS_OF_LAST), trace.n);
    const { field, choices } = this.#lines[i];
    const numbers = this.#source.recent(field, DECIMALS_OF_LAST).map((value) => toNumber(value, choices));
    return numbers.filter((number) => !Number.isNaN(number));
  }

  /** @returns {string} a value of the line as it is shown everywhere */
  text(i, value) {
    return formatValue(value, this.#lines[i], this.decimals(i));
  }

  /**
   * @param {number} t device ms @param {Set<string>} hidden fields
   * @returns {(string|null)[]} by line; null for one that is hidden, or not there at t
   */
  textsAt(t, hidden) {
    return this.#lines.map(({ field, isStep }, i) => {
      const trace = this.traces[i];
      let k = trace && !hidden.has(field) ? nearest(trace, t) : -1;
      // A step holds until the next point, so that one does not count yet.
      if (isStep && trace?.t[k] > t && trace.joined[k] && k > 0) k--;
      return k < 0 ? null : this.text(i, trace.v[k]);
    });
  }

  /** @param {number} i @param {number} from @param {number} to @returns {import('./legend.js').Reading} last inside */
  last(i, from, to) {
    const trace = this.traces[i];
    let k = (trace?.n ?? 0) - 1;
    while (k >= 0 && trace.t[k] > to) k--;
    return k < 0 || trace.t[k] < from ? null : { text: this.text(i, trace.v[k]), stale: false, ageMs: 0 };
  }

  /** @param {number} now device ms @returns {import('./legend.js').Reading} the newest there is, and how old it is */
  latest(i, now) {
    const found = this.#source.latest(this.#lines[i].field, now);
    return found && { text: this.text(i, found.value), stale: found.stale, ageMs: found.ageMs };
  }

  /** @returns {{min: string, mean: string|null, max: string}|null} of the points inside; null where there are none */
  summary(i, from, to) {
    const trace = this.traces[i];
    const found = trace ? summary(trace, from, to) : null;
    if (!found) return null;
    const { min, mean, max } = found;
    const hasMean = this.#lines[i].choices === null;
    return { min: this.text(i, min), mean: hasMean ? this.text(i, mean) : null, max: this.text(i, max) };
  }
}
