/** The delay from the machine to this screen. Pure; times are arguments. */
import { median } from '../data/columns.js';

/** The usual one of so many is told. */
const DELAYS = 5;
/** Seconds whose showing is remembered until STATUS tells of them. */
const SEEN = 64;

/** From the end of a second on the machine until the page shows it. */
export class Delay {
  /** When a second was first shown, by local time; NaN for the one that was there at first. @type {Map<number, number>} */
  #seen = new Map();
  /** @type {number[]} the last ones, ms */
  #delays = [];
  #status = null;
  #serverMs;

  /** @param {(local: number) => number} serverMs what the server's clock showed at a local time, as it is known by now */
  constructor(serverMs) {
    this.#serverMs = serverMs;
  }

  /** @param {number} ts device ms of the newest sample that is shown @param {number} local ms now */
  shown(ts, local) {
    if (!this.#seen.has(ts)) this.#seen.set(ts, this.#seen.size ? local : NaN);
    if (this.#seen.size > SEEN) this.#seen.delete(this.#seen.keys().next().value);
    this.#match();
  }

  /** @param {{ts: number|null, server_ts: number, age_ms: number|null, delay_ms: number|null}} payload of STATUS */
  status(payload) {
    this.#status = payload;
    this.#match();
  }

  /** @returns {number|null} ms, usual of the last ones; null where none is known */
  get ms() {
    return this.#delays.length ? median(this.#delays) : null;
  }

  /** Which delays count is known only where both have told of the same second. */
  #match() {
    const { ts, server_ts: serverTs, age_ms: ageMs, delay_ms: delayMs } = this.#status ?? {};
    const delay = this.#serverMs(this.#seen.get(ts)) - (serverTs - ageMs) + delayMs;
    if (!Number.isFinite(delay) || ageMs === null || delayMs === null) return;
    this.#delays = [...this.#delays, delay].slice(-DELAYS);
    this.#status = null;
  }
}
