/** The data of one device and msgType: history and live samples joined into one table without hole or double. */
import { getHistory, liveUrl } from './api.js';
import { DeviceClock } from './clock.js';
import { KEEP_MS, createTable, insertSample, isGap, isWhole, mergeHistory, newestTs, trim } from './columns.js';
import { LiveSocket } from './live.js';

export const WINDOW_MS = 120_000;
/** The store lags a live sample by up to 2 s, so what fell between history and socket is asked for again; last comes
 * what a machine sent late. Each wait follows the one before it. */
const REPAIR_MS = [250, 350, 500, 1500, 6000];
/** A history request that failed is tried again after this. */
const RETRY_MS = 5000;
/** Samples on their way are newer than what is known as now. */
const AHEAD_MS = 5000;

/**
 * @typedef {{tenant: string, chassisId: string, msgType: string}} Stream
 * @typedef {object} FeedHandlers
 * @property {() => void} onData a live sample came
 * @property {() => void} onChange the table is another
 * @property {() => void} onUp the socket is there
 * @property {(retryMs: number|null) => void} onDown the socket is lost
 * @property {(message: string) => void} onError the server complains
 */

export class Feed {
  #socket;
  #handlers;
  #isOpen = false;
  /** Since the socket opened: whether history came, and the device time of the first live sample. */
  #isFilled = false;
  #firstLive = null;
  #isJoined = false;
  /** Where the next history request starts; undefined: the server's default. */
  #from = undefined;
  #repairs = 0;
  #timer = 0;

  /** @param {Stream} stream @param {string[]} fields @param {FeedHandlers} handlers */
  constructor(stream, fields, handlers) {
    this.stream = stream;
    this.fields = fields;
    this.table = createTable(fields);
    this.clock = new DeviceClock();
    this.received = 0;
    /** From the first answer on: what the window held before this page came is known. */
    this.hasHistory = false;
    this.#handlers = handlers;
    this.#socket = new LiveSocket(liveUrl(stream), fields, {
      onSample: (sample) => this.#insert(sample),
      onOpen: () => {
        handlers.onUp();
        this.#fill();
      },
      onDown: handlers.onDown,
      onError: (code, message) => handlers.onError(message || code),
    });
  }

  /** Connect, or connect anew and fill up from the last held sample. */
  open() {
    this.#isOpen = true;
    this.#socket.open();
  }

  close() {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  /** @returns {number} the device's time now */
  now() {
    return Math.max(this.clock.now(Date.now()), newestTs(this.table) ?? 0);
  }

  /**
   * The socket is up first, then history is asked for: what comes meanwhile is in the table already and the answer
   * is merged around it.
   */
  #fill() {
    this.#isFilled = this.#isJoined = false;
    this.#firstLive = null;
    this.#repairs = 0;
    this.#from = newestTs(this.table) ?? undefined;
    this.#fetch();
  }

  /** By the device's clock, which may be wrong; not further back than the window, as more is not shown. */
  #range() {
    if (this.#from === undefined) return undefined;
    const now = this.now();
    return { from: Math.max(this.#from, now - WINDOW_MS), to: now + AHEAD_MS };
  }

  async #fetch() {
    clearTimeout(this.#timer);
    const range = this.#range();
    let answers;
    try {
      answers = await getHistory(this.stream, this.fields, range);
    } catch {
      if (this.#isOpen) this.#timer = setTimeout(() => this.#fetch(), RETRY_MS);
      return;
    }
    if (!this.#isOpen) return;
    for (const answer of answers) {
      if (!range) this.clock.guess(answer.to, Date.now());
      mergeHistory(this.table, answer);
    }
    trim(this.table, KEEP_MS);
    this.#isFilled = this.hasHistory = true;
    this.#join();
    this.#handlers.onChange();
  }

  #insert(sample) {
    const before = newestTs(this.table);
    const row = insertSample(this.table, sample);
    this.received++;
    if (row >= 0 && row === this.table.ts.length - 1) this.clock.observe(sample.ts, Date.now());
    trim(this.table, KEEP_MS);
    if (this.#firstLive === null) {
      this.#firstLive = sample.ts;
      this.#join();
    } else if (this.#isJoined && row > 0 && isGap(this.table, row)) {
      this.#repair(before);
    }
    this.#handlers.onData();
  }

  /** Once both are there, see whether history reaches up to the first live sample. */
  #join() {
    if (this.#isJoined || !this.#isFilled || this.#firstLive === null) return;
    this.#isJoined = true;
    const earlier = this.table.ts.findLast((ts) => ts < this.#firstLive);
    // The server's last 2 min may be other ones than those of a device whose clock is wrong.
    this.#repair(earlier ?? this.#firstLive - WINDOW_MS);
  }

  /** Ask history until no hole is left, or the last try shows that it is a gap. */
  #repair(from) {
    if (isWhole(this.table, from)) return;
    const isBusy = this.#repairs > 0;
    this.#repairs = REPAIR_MS.length;
    if (isBusy) return;
    this.#from = from;
    this.#repairNext();
  }

  #repairNext() {
    const wait = REPAIR_MS[REPAIR_MS.length - this.#repairs];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      await this.#fetch();
      if (isWhole(this.table, this.#from)) this.#repairs = 0;
      else this.#repairs--;
      if (this.#repairs > 0 && this.#isOpen) this.#repairNext();
    }, wait);
  }
}
