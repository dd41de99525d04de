/** The time window of all charts: live, with its right edge at the device's now, or fixed. Pure: now is an argument. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What the bar offers, ms. */
export const SPANS_MS = [
  30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR,
];
export const DEFAULT_SPAN_MS = 2 * MINUTE;
const LIVE_MIN_MS = SPANS_MS[0];
/** Frames come a fraction of a millisecond apart; below this a chart has nothing more to tell. */
const FIXED_MIN_MS = 100;
const MAX_MS = SPANS_MS.at(-1);
/** The longest window of single frames. */
export const FULL_MAX_MS = 6 * HOUR;
/** How many zooms can be taken back. */
const BACK_MAX = 50;

const between = (value, min, max) => Math.min(max, Math.max(min, value));

/** @typedef {{from: number, to: number}} Range device ms, from < to */

/** @returns {Range} at least 100 ms, at most 24 h, around the same middle, whole ms */
function fit(a, b) {
  const middle = (a + b) / 2;
  const span = between(Math.abs(b - a), FIXED_MIN_MS, MAX_MS);
  const from = Math.round(middle - span / 2);
  return { from, to: from + Math.round(span) };
}

/** The same length, not beyond `limit` on the right. @returns {Range} */
function notBeyond({ from, to }, limit) {
  const over = Math.max(0, Math.ceil(to - limit));
  return { from: from - over, to: to - over };
}

export class TimeWindow {
  #onChange;
  #span = DEFAULT_SPAN_MS;
  /** @type {Range|null} */
  #fixed = null;
  #isFull = false;
  /** What zooms came from; null: live. @type {{span: number, fixed: Range|null}[]} */
  #before = [];

  /** @param {() => void} onChange after every change of what is shown */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get isLive() {
    return this.#fixed === null;
  }

  /** Every single frame is wanted, where the window is not longer than FULL_MAX_MS. */
  get isFull() {
    return this.#isFull;
  }

  set isFull(isFull) {
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#onChange();
  }

  /** @param {number} now device ms @returns {Range} */
  range(now) {
    return this.#fixed ?? { from: now - this.#span, to: now };
  }

  /** @returns {number} ms */
  spanMs() {
    return this.#fixed ? this.#fixed.to - this.#fixed.from : this.#span;
  }

  /** @param {number} now device ms @returns {number} ms that the right edge is behind; 0 while live */
  behindMs(now) {
    return this.#fixed ? Math.max(0, now - this.#fixed.to) : 0;
  }

  /** Another length; a fixed window keeps its right edge. @param {number} ms */
  setSpan(ms) {
    this.#span = between(ms, LIVE_MIN_MS, MAX_MS);
    this.#show(this.#fixed && { from: this.#fixed.to - this.#span, to: this.#fixed.to });
  }

  /** Stand still where the window is. @param {number} now device ms */
  pause(now) {
    if (this.isLive) this.#show(fit(now - this.#span, now));
  }

  /** Back to now, with the last live length. */
  goLive() {
    this.#before = [];
    this.#isFull = false;
    this.#show(null);
  }

  /** Show exactly this; `back` takes it back. @param {number} from device ms @param {number} to */
  zoom(from, to) {
    this.#before.push({ span: this.#span, fixed: this.#fixed });
    if (this.#before.length > BACK_MAX) this.#before.shift();
    this.#show(fit(from, to));
  }

  get canBack() {
    return this.#before.length > 0;
  }

  /** Take the last zoom back. */
  back() {
    const before = this.#before.pop();
    if (!before) return;
    this.#span = before.span;
    if (!before.fixed) this.#isFull = false;
    this.#show(before.fixed);
  }

  /** Move by a share of the length, not beyond now. @param {number} share -0.5: half a window back @param {number} now */
  pan(share, now) {
    const { from, to } = this.range(now);
    const by = share * (to - from);
    const limit = Math.max(now, to); // a window that lies in the future stays reachable
    const moved = notBeyond(fit(from + by, to + by), limit);
    if (!this.isLive || by < 0) this.#show(moved);
  }

  /** Longer or shorter: live up to now, fixed around the middle. @param {number} factor 2: twice as long @param {number} now */
  scale(factor, now) {
    if (!this.#fixed) {
      this.setSpan(Math.round(this.#span * factor));
      return;
    }
    const { from, to } = this.#fixed;
    const by = ((to - from) * (factor - 1)) / 2;
    this.#show(notBeyond(fit(from - by, to + by), Math.max(now, to)));
  }

  /** @returns {Object<string, string>} for the URL: `w` in seconds, or `from` and `to`, and `full`; empty for the usual window */
  toParams() {
    const full = this.#isFull && { full: '1' };
    if (!this.#fixed) return { ...(this.#span !== DEFAULT_SPAN_MS && { w: String(this.#span / SECOND) }), ...full };
    const { from, to } = this.#fixed;
    return { from: String(from), to: String(to), ...full };
  }

  /** What a URL asks for; what is no time in it counts as not there. @param {URLSearchParams} params */
  fromParams(params) {
    const was = JSON.stringify([this.#span, this.#fixed, this.#isFull]);
    const number = (name) => Number(params.get(name) || NaN);
    const [w, from, to] = ['w', 'from', 'to'].map(number);
    this.#span = w > 0 ? between(Math.round(w * SECOND), LIVE_MIN_MS, MAX_MS) : DEFAULT_SPAN_MS;
    this.#fixed = from < to && Math.abs(from) + Math.abs(to) < 1.6e16 ? fit(from, to) : null;
    this.#isFull = params.get('full') === '1';
    this.#before = [];
    if (JSON.stringify([this.#span, this.#fixed, this.#isFull]) !== was) this.#onChange();
  }

  /** @param {Range|null} fixed null: live */
  #show(fixed) {
    this.#fixed = fixed;
    this.#onChange();
  }
}
