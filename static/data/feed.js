/** The data of one device and msgType: the live service's one sequence, in a table, with the device's clock; all signals. */
import { inParts, liveUrl } from './api.js';
import { DeviceClock, localMs, serverClock } from './clock.js';
import { latest, limitOf, newestTs, tableSeries } from './columns.js';
import { LiveSocket } from './live.js';
import { Sequence } from './sequence.js';

/** What a feed asks for of the time before it. */
export const WINDOW_MS = 120_000;
/** Beside the last value of each second. */
const STATS = ['min', 'max'];
/** Of one connection: the live service takes 2000, in a message of 64 KB, and a name may be long. */
const FIELDS_MAX = 400;
/** A field that the machine has not sent for so long, while it sent others, is no longer listed. */
const LISTED_MS = 60_000;

/**
 * @typedef {{tenant: string, chassisId: string, msgType: string}} Stream
 * @typedef {object} FeedHandlers each may be left out
 * @property {(heardAt: number) => void} onData the machine was heard, in local ms
 * @property {() => void} onChange more of the table changed than its newest row
 * @property {() => void} onUp the socket is there
 * @property {(retryMs: number|null) => void} onDown the socket is lost
 * @property {(message: string) => void} onError the server complains
 * @property {(payload: Object<string, unknown>, atLocal: number) => void} onStatus STATUS, every two seconds
 */

export class Feed extends Sequence {
  received = 0;
  #socket;
  #handlers;

  /**
   * @param {Stream} stream @param {string[]} fields @param {Partial<FeedHandlers>} handlers
   * @param {DeviceClock} [clock] of the device; its feeds share one
   */
  constructor(stream, fields, handlers, clock = new DeviceClock()) {
    super(fields, WINDOW_MS / 1000);
    this.stream = stream;
    this.clock = clock;
    this.#handlers = handlers;
    this.#socket = new LiveSocket(liveUrl(stream), fields, {
      onOpen: () => {
        handlers.onUp?.();
        return { ...this.begin(), stats: STATS };
      },
      onMessage: (message) => this.#take(message),
      onDown: (retryMs) => handlers.onDown?.(retryMs),
    });
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

  /** @returns {number} the device's time now */
  now() {
    return Math.max(this.clock.now(), newestTs(this.table));
  }

  #take(message) {
    const { onStatus, onError, onChange, onData } = this.#handlers;
    const { type, payload } = message;
    const at = localMs();
    if (type === 'ERROR') onError?.(String(payload.message || payload.code));
    if (type === 'STATUS') {
      serverClock.heard(payload.server_ts, at);
      onStatus?.(payload, at);
    }
    // The newest sample is that old: what the device's clock shows now, before anything comes live.
    if (type === 'LAST_KNOWN' && message.ts !== null) this.clock.reach(message.ts + message.ageMs, at);
    const { isNew, isLive, isCaughtUp, heardAt } = this.take(message, at);
    if (isNew) this.received++;
    if (isLive) this.clock.observe(message.ts, at);
    if (isCaughtUp || (isNew && type === 'FILL')) onChange?.();
    if (heardAt !== null) onData?.(heardAt);
  }
}

/**
 * The newest value of a field at device time `now`. A silent machine keeps its readings, and they grow old; a field
 * that is missing while the machine sends others is listed for a minute, a slow one for three of its periods.
 * @param {import('./columns.js').Table} table @param {string} field @param {number} now
 * @returns {(import('./columns.js').Reading & {seen: () => import('./columns.js').Value[]})|null} null where it is not
 *   listed; seen: the values that are held
 */
export function readSignal(table, field, now) {
  const series = tableSeries(table, field);
  const found = latest(series, now);
  if (!found || newestTs(table) - found.ts > Math.max(LISTED_MS, limitOf(series))) return null;
  return { ...found, seen: () => series.v.filter((value) => value !== null) };
}

export class SignalFeed {
  #feeds;

  /**
   * @param {Stream} stream @param {import('./api.js').Field[]} fields
   * @param {(message: string) => void} onError the server complains; that it is away, others say
   */
  constructor(stream, fields, onError) {
    this.msgType = stream.msgType;
    this.fields = fields;
    const names = fields.map(({ name }) => name);
    this.#feeds = inParts(names, FIELDS_MAX).map((part) => new Feed(stream, part, { onError }));
  }

  /** Connect, or connect anew. */
  open() {
    for (const feed of this.#feeds) feed.open();
  }

  /** Connect at once where nothing has come lately. */
  wake() {
    for (const feed of this.#feeds) feed.wake();
  }

  close() {
    for (const feed of this.#feeds) feed.close();
  }

  /** @returns {ReturnType<typeof readSignal>[]} by field */
  read() {
    return this.#feeds.flatMap((feed) => feed.fields.map((field) => readSignal(feed.table, field, feed.now())));
  }
}
