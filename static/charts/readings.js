/** The lines of one chart in numbers: traces of the window, and what they read at a time. No DOM. */
import { decimalsOf, formatValue } from '../base/format.js';
import { toNumber } from '../data/columns.js';
import { nearest, summary } from '../data/traces.js';

/** Values looked at to find how many decimals a field needs. */
const DECIMALS_OF_LAST = 40;
/** A live window goes on over the same traces for so long, while no data comes: they begin earlier, out of sight. */
const SLIDE_MS = 1000;

/**
 * @typedef {import('../data/source.js').Source} Source
 * @typedef {import('../data/traces.js').Trace} Trace
 */

/** @param {Trace} a @param {Trace} b @returns {boolean} */
function isSame(a, b) {
  const same = (x, y) => x === y || (x?.length === y?.length && x.every((value, i) => Object.is(value, y[i])));
  return ['t', 'v', 'joined', 'lo', 'hi'].every((name) => same(a[name], b[name]));
}

export class Readings {
  /** @type {Trace[]} by line */
  traces = [];
  #source;
  #lines;
  /** Of what data and window the traces are. */
  #made = '';
  /** By line, until the traces are others: the same for all that is shown of a line, so that no text jumps. */
  #decimals = [];

  /** @param {Source} source @param {import('./legend.js').Line[]} lines */
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
    const made = [revision, isLive ? Math.floor(from / SLIDE_MS) : from, Math.round(to - from)].join();
    if (made === this.#made) return;
    this.#made = made;
    this.#decimals = [];
    this.traces = this.#lines.map(({ field, choices }, i) => {
      const next = this.#source.trace(field, choices, from, to);
      const held = this.traces[i];
      return held && isSame(held, next) ? held : next;
    });
  }

  /**
   * @param {number} i of a line @param {import('../data/columns.js').Value} value
   * @returns {string} as it is shown everywhere
   */
  text(i, value) {
    const { choices, unit } = this.#lines[i];
    const shown = this.traces[i]?.n ? this.traces[i].v : [toNumber(value, choices)];
    this.#decimals[i] ??= decimalsOf(shown.slice(-DECIMALS_OF_LAST), unit);
    return formatValue(value, this.#lines[i], this.#decimals[i]);
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
    const { t = [], v } = this.traces[i] ?? {};
    const k = t.findLastIndex((time) => time <= to);
    return t[k] >= from ? { text: this.text(i, v[k]), stale: false, ageMs: 0 } : null;
  }

  /** @param {number} now device ms @returns {import('./legend.js').Reading} the newest there is, and how old it is */
  latest(i, now) {
    const found = this.#source.latest(this.#lines[i].field, now);
    return found && { ...found, text: this.text(i, found.value) };
  }

  /** @returns {{min: string, mean: string|null, max: string}|null} of the points inside; null where there are none */
  summary(i, from, to) {
    const found = this.traces[i] && summary(this.traces[i], from, to);
    if (!found) return null;
    const [min, mean, max] = [found.min, found.mean, found.max].map((value) => this.text(i, value));
    return { min, mean: this.#lines[i].choices || Number.isNaN(found.mean) ? null : mean, max };
  }
}
