/** All fields of one device and msgType, live: their latest values, from as many feeds as the live service needs. */
import { inParts } from './api.js';
import { latest, limitOf, newestTs, tableSeries } from './columns.js';
import { Feed } from './feed.js';

/** Of one connection: the live service takes 1000, in a message of 64 KB, and a name may be long. */
const FIELDS_MAX = 400;
/** A field that the machine has not sent for so long, while it sent others, is no longer listed. */
const LISTED_MS = 60_000;

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
   * @param {import('./feed.js').Stream} stream @param {import('./api.js').Field[]} fields
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
