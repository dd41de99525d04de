/** The data of one device and msgType: the live service's one sequence, in a table, with the device's clock. */
import { liveUrl } from './api.js';
import { DeviceClock } from './clock.js';
import { newestTs } from './columns.js';
import { LiveSocket } from './live.js';
import { createSequence, openSequence, takeMessage } from './sequence.js';

export const WINDOW_MS = 120_000;

/**
 * @typedef {{tenant: string, chassisId: string, msgType: string}} Stream
 * @typedef {object} FeedHandlers
 * @property {(heardAt: number) => void} onData the machine was heard, by the local clock
 * @property {() => void} onChange more of the table changed than its newest row
 * @property {() => void} onUp the socket is there
 * @property {(retryMs: number|null) => void} onDown the socket is lost
 * @property {(message: string) => void} onError the server complains
 */

export class Feed {
  #socket;
  #handlers;
  #sequence;

  /** @param {Stream} stream @param {string[]} fields @param {FeedHandlers} handlers */
  constructor(stream, fields, handlers) {
    this.stream = stream;
    this.fields = fields;
    this.clock = new DeviceClock();
    this.received = 0;
    this.#sequence = createSequence(fields, WINDOW_MS / 1000);
    this.#handlers = handlers;
    this.#socket = new LiveSocket(liveUrl(stream), fields, {
      onOpen: () => {
        handlers.onUp();
        return openSequence(this.#sequence);
      },
      onMessage: (message) => this.#take(message),
      onDown: handlers.onDown,
      onError: (code, message) => handlers.onError(message || code),
    });
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

  /** @returns {number} the device's time now */
  now() {
    return Math.max(this.clock.now(Date.now()), newestTs(this.table) ?? 0);
  }

  #take(message) {
    const localMs = Date.now();
    // The newest sample is that old: what the device's clock shows now, before anything comes live.
    if (message.kind === 'known' && message.ts !== null) this.clock.guess(message.ts + message.ageMs, localMs);
    const { isNew, isLive, isCaughtUp, heardAt } = takeMessage(this.#sequence, message, localMs);
    if (isNew) this.received++;
    if (isLive) this.clock.observe(message.ts, localMs);
    if (isCaughtUp || (isNew && message.kind === 'fill')) this.#handlers.onChange();
    if (heardAt !== null) this.#handlers.onData(heardAt);
  }
}
