/** The data of one device and msgType: the live service's one sequence, in a table, with the device's clock. */
import { liveUrl } from './api.js';
import { DeviceClock, localMs, serverClock } from './clock.js';
import { newestTs } from './columns.js';
import { LiveSocket } from './live.js';
import { createSequence, holdFrom, openSequence, takeMessage } from './sequence.js';

/** What a feed asks for of the time before it. */
export const WINDOW_MS = 120_000;
/** Beside the last value of each second. */
const STATS = ['min', 'max'];
/** The feed that has somebody for STATUS asks for it so often. */
const STATUS_S = 2;

/**
 * @typedef {{tenant: string, chassisId: string, msgType: string}} Stream
 * @typedef {object} FeedHandlers
 * @property {(heardAt: number) => void} onData the machine was heard, in local ms
 * @property {() => void} onChange more of the table changed than its newest row
 * @property {() => void} onUp the socket is there
 * @property {(retryMs: number|null) => void} onDown the socket is lost
 * @property {(message: string) => void} onError the server complains
 * @property {(payload: Object<string, unknown>, atLocal: number) => void} [onStatus] STATUS, every two seconds where it is wanted
 */

export class Feed {
  #socket;
  #handlers;
  #sequence;

  /**
   * @param {Stream} stream @param {string[]} fields @param {FeedHandlers} handlers
   * @param {DeviceClock} [clock] of the device; its feeds share one
   */
  constructor(stream, fields, handlers, clock = new DeviceClock()) {
    this.stream = stream;
    this.fields = fields;
    this.clock = clock;
    this.received = 0;
    this.#sequence = createSequence(fields, WINDOW_MS / 1000);
    this.#handlers = handlers;
    this.#socket = new LiveSocket(liveUrl(stream), fields, {
      onOpen: () => {
        handlers.onUp();
        return { ...openSequence(this.#sequence), stats: STATS };
      },
      onMessage: (message) => this.#take(message),
      onDown: handlers.onDown,
      onError: (code, message) => handlers.onError(message || code),
    }, handlers.onStatus && STATUS_S);
  }

  /** @returns {import('./columns.js').Table} */
  get table() {
    return this.#sequence.table;
  }

  /** What the window held before this page came is known. @returns {boolean} */
  get hasHistory() {
    return this.#sequence.hasHistory;
  }

  /** Connect, or connect anew and go on from what is held. */
  open() {
    this.#socket.open();
  }

  close() {
    this.#socket.close();
  }

  /** After sleep, a hidden tab or another network: connect at once where nothing has come lately. */
  wake() {
    this.#socket.wake();
  }

  /** A fixed window holds its rows, up to HELD_MS. @param {number|null} ts device ms of its start; null where it is live */
  holdFrom(ts) {
    holdFrom(this.#sequence, ts);
  }

  /** @returns {number} rows that the fixed window has lost since it is fixed */
  get dropped() {
    return this.#sequence.dropped;
  }

  /** @returns {number} the device's time now */
  now() {
    return Math.max(this.clock.now(), newestTs(this.table) ?? 0);
  }

  #take(message) {
    const at = localMs();
    if (message.kind === 'status') {
      serverClock.heard(message.payload.server_ts, at);
      this.#handlers.onStatus?.(message.payload, at);
      return;
    }
    // The newest sample is that old: what the device's clock shows now, before anything comes live.
    if (message.kind === 'known' && message.ts !== null) this.clock.reach(message.ts + message.ageMs, at);
    const { isNew, isLive, isCaughtUp, heardAt } = takeMessage(this.#sequence, message, at);
    if (isNew) this.received++;
    if (isLive) this.clock.observe(message.ts, at);
    if (isCaughtUp || (isNew && message.kind === 'fill')) this.#handlers.onChange();
    if (heardAt !== null) this.#handlers.onData(heardAt);
  }
}
