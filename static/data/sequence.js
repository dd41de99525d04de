/**
 * One machine's samples as the live service gives them: over any number of connections one table, each sample once,
 * and what to ask for next. Pure: local time is an argument; times of samples are Unix ms of the device's clock.
 */
import { KEEP_MS, createTable, insertSample, newestSeq, newestTs, trim } from './columns.js';

/** Holes that are asked for again; more than these and the oldest are left as they are. */
const HOLES_MAX = 64;
/** A step back of so many seqs is no stray sample. */
const ANEW = 600;
/** What a fixed window holds of the table at most. */
export const HELD_MS = 900_000;

const NOTHING = { isNew: false, isLive: false, isCaughtUp: false, heardAt: null };

/**
 * @typedef {import('./live.js').Message} Message
 * @typedef {object} Outcome
 * @property {boolean} isNew a sample that was not held
 * @property {boolean} isLive it came as it was sent, and stands last
 * @property {boolean} isCaughtUp with this message everything from before is there
 * @property {number|null} heardAt local ms: when the server had its newest sample, as far as this message tells
 */
export class Sequence {
  /** What the window held before this page came is known. */
  hasHistory = false;
  #historyS;
  /** Seqs that the server named as left out, first and last. @type {[number, number][]} */
  #holes = [];
  /** On this connection: the seq that everything in order comes after. @type {number|null} */
  #passed = null;
  /** Where what lies before now ends; null once past it. @type {{seq: number|null, ts: number|null, at: number}|null} */
  #end = null;
  /** Device time from which on rows are held longer than usual. @type {number|null} */
  #heldFrom = null;
  /** The server does not know the position that was asked from. */
  #isDoubted = false;

  /** @param {string[]} fields @param {number} historyS what is asked for, and what counts as lacking */
  constructor(fields, historyS) {
    this.fields = fields;
    this.table = createTable(fields);
    this.#historyS = historyS;
  }

  /** A fixed window holds its rows, up to HELD_MS. @param {number|null} ts device ms of its start; null where it is live */
  holdFrom(ts) {
    this.#heldFrom = ts;
  }

  /**
   * A connection is there: what to ask for. It goes on from the newest sample, or from before the first hole, as the
   * server fills holes on the connection only that it named them on.
   * @returns {{history: number, last: true, since?: number}} options of INIT_FIELD_LIST
   */
  begin() {
    const newest = newestSeq(this.table);
    this.#end = this.#passed = null;
    this.#isDoubted = false;
    const options = { history: this.#historyS, last: true };
    if (newest === null) return options;
    this.#holes = this.#holes.filter((hole) => this.#firstLacking(hole, newest) !== null);
    this.#passed = Math.min(newest, ...this.#holes.map((hole) => this.#firstLacking(hole, newest) - 1));
    return { ...options, since: this.#passed };
  }

  /**
   * Take a message of the connection that `begin` was for.
   * @param {Message} message @param {number} localMs when it came
   * @returns {Outcome}
   */
  take(message, localMs) {
    const { type, seq, ts } = message;
    if (type === 'LIVE_DATA') return this.#sample(message, localMs);
    if (type === 'FILL') return { ...NOTHING, isNew: this.#insert(message) };
    if (type === 'LAST_KNOWN') return this.#known(seq, ts, localMs - message.ageMs, message.ageMs);
    if (type === 'GAP') {
      if (message.reason === 'unknown') this.#isDoubted = true;
      if (message.from !== null) this.#addHole(message.from, message.to);
      return this.#reach(message.to, null);
    }
    return NOTHING;
  }

  /** The first seq of a hole that is not held and not too old to be asked for. A machine sends one a second at most. */
  #firstLacking([from, to], newest) {
    for (let seq = Math.max(from, newest - this.#historyS); seq <= to; seq++) if (!this.table.seq.includes(seq)) return seq;
    return null;
  }

  #addHole(from, to) {
    if (this.#holes.some(([first, last]) => first <= from && to <= last)) return;
    this.#holes.push([from, to]);
    if (this.#holes.length > HOLES_MAX) this.#holes.shift();
  }

  /** @returns {boolean} whether it was not held */
  #insert(sample) {
    const { table } = this;
    const isNew = insertSample(table, sample) >= 0;
    const heldMs = newestTs(table) - (this.#heldFrom ?? Infinity);
    trim(table, Math.min(HELD_MS, Math.max(KEEP_MS, heldMs)));
    return isNew;
  }

  /** It comes before anything else: where the past ends, which is then sent as what is live is. */
  #known(seq, ts, at, ageMs) {
    const isHeld = seq !== null && this.#passed !== null && this.#passed >= seq;
    if (ts !== null && !isHeld && ageMs < this.#historyS * 1000) {
      this.#end = { seq, ts, at };
      return NOTHING;
    }
    this.hasHistory = true;
    return { ...NOTHING, isCaughtUp: true, heardAt: ts === null ? null : at };
  }

  /** Past the end of what lies before now: from here on what comes is live. */
  #reach(seq, ts) {
    const end = this.#end;
    const isPast = end && ((seq !== null && end.seq !== null && seq >= end.seq) || (ts !== null && ts >= end.ts));
    if (!isPast) return NOTHING;
    this.#end = null;
    this.hasHistory = true;
    return { ...NOTHING, isCaughtUp: true, heardAt: end.at };
  }

  /**
   * Everything comes in order, so a seq that stands before those that have passed is one of a machine that lost its
   * memory. A single stray one is none.
   */
  #isBegunAnew(seq, ts) {
    const { table } = this;
    const passed = this.#passed;
    if (seq === null || passed === null || seq > passed || !table.ts.length || table.seq.includes(seq)) return false;
    return this.#isDoubted || ts > newestTs(table) || passed - seq >= ANEW;
  }

  #sample(sample, localMs) {
    const { seq, ts } = sample;
    if (this.#isBegunAnew(seq, ts)) {
      this.table = createTable(this.fields, this.table.revision + 1);
      this.#holes = [];
      this.#passed = null;
    }
    const isNew = this.#insert(sample);
    this.#isDoubted = false;
    if (seq !== null) this.#passed = Math.max(this.#passed ?? seq, seq);
    if (this.#end) return { ...this.#reach(seq, ts), isNew };
    this.hasHistory = true;
    const { table } = this;
    const isLast = table.seq.at(-1) === seq && newestTs(table) === ts;
    return { isNew, isLive: isNew && isLast, isCaughtUp: false, heardAt: localMs };
  }
}
