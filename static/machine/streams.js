/** The data of one machine: a feed, what lies before it and their source for each message type, on one clock. */
import { Feed } from '../data/feed.js';
import { Past } from '../data/past.js';
import { Source } from '../data/source.js';

/**
 * @typedef {object} StreamsHandlers
 * @property {(msgType: string, heardAt: number) => void} onData
 * @property {(msgType: string) => void} onChange more than the newest row changed
 * @property {(msgType: string, payload: Object, atLocal: number) => void} onStatus
 * @property {() => void} onUp @property {(retryMs: number|null) => void} onDown
 * @property {(message: string) => void} onError
 */

export class Streams {
  #board;
  #handlers;
  /** What older sources received. */
  #received = 0;

  /** @param {import('./board.js').Board} board has the sources, too @param {StreamsHandlers} handlers */
  constructor(board, handlers) {
    this.#board = board;
    this.#handlers = handlers;
  }

  /** @returns {number} live samples so far */
  get received() {
    let sum = this.#received;
    for (const { feed } of this.#board.sources.values()) sum += feed.received;
    return sum;
  }

  /**
   * Have these fields; what is there already stays. A field that nobody wants any more costs less than a new socket.
   * @param {string} msgType @param {string[]} names @param {Map<string, Object>} known fields by name
   */
  ensure(msgType, names, known) {
    const source = this.#board.sources.get(msgType);
    const held = new Set(source?.feed.fields);
    if (source && names.every((name) => held.has(name))) return;
    if (source) this.#drop(source);
    const all = [...new Set([...held, ...names])];
    this.#board.sources.set(msgType, this.#make(msgType, all, all.filter((name) => known.has(name))));
  }

  /** Connect anew, and go on from what is held. */
  open() {
    for (const { feed } of this.#board.sources.values()) feed.open();
  }

  /** The page was away, or the network changed. */
  wake() {
    for (const { feed } of this.#board.sources.values()) feed.wake();
  }

  close() {
    for (const source of this.#board.sources.values()) this.#drop(source);
  }

  /** The window is this now: what the table does not hold is fetched. @param {number} widthPx of a chart */
  want(widthPx) {
    const { window: view } = this.#board;
    const { isLive, isFull } = view;
    const { from, to } = view.range(this.#board.now());
    for (const { feed, past } of this.#board.sources.values()) {
      feed.holdFrom(isLive ? null : from);
      past.want({ from, to, isLive, widthPx, isFull });
    }
  }

  #drop({ feed, past }) {
    this.#received += feed.received;
    feed.close();
    past.stop();
  }

  #make(msgType, names, known) {
    const { tenant, chassisId, clock } = this.#board;
    const { onData, onChange, onStatus, onUp, onDown, onError } = this.#handlers;
    const stream = { tenant, chassisId, msgType };
    const feed = new Feed(stream, names, {
      onData: (heardAt) => onData(msgType, heardAt),
      onChange: () => onChange(msgType),
      onStatus: (payload, atLocal) => onStatus(msgType, payload, atLocal),
      onUp,
      onDown,
      onError,
    }, clock);
    const past = new Past(stream, known, { table: () => feed.table, onChange: () => onChange(msgType) });
    feed.open();
    return new Source(feed, past);
  }
}
