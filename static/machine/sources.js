/** The data of one machine: for each message type a feed and what lies before it, on one clock. */
import { Feed } from '../data/feed.js';
import { Past } from '../data/past.js';
import { Source } from '../data/source.js';

/** By msgType. @extends {Map<string, Source>} */
export class Sources extends Map {
  #board;
  #handlersOf;
  /** Of which fields each is made: all, and those with a history. @type {Map<string, string>} */
  #made = new Map();
  /** What older sources received. */
  #received = 0;

  /**
   * @param {import('./board.js').Board} board
   * @param {(msgType: string) => import('../data/feed.js').FeedHandlers} handlersOf its onChange also tells of what was fetched
   */
  constructor(board, handlersOf) {
    super();
    this.#board = board;
    this.#handlersOf = handlersOf;
  }

  /** @returns {number} live samples so far */
  get received() {
    let sum = this.#received;
    for (const { feed } of this.values()) sum += feed.received;
    return sum;
  }

  /**
   * Have these fields; what is there already stays. A field that nobody wants any more costs less than a new socket.
   * @param {string} msgType @param {Iterable<string>} names @param {Map<string, Object>} known fields by name
   */
  ensure(msgType, names, known) {
    const source = this.get(msgType);
    const all = [...new Set([...(source?.feed.fields ?? []), ...names])];
    const stored = all.filter((name) => known.has(name));
    const made = `${all}\n${stored}`;
    if (this.#made.get(msgType) === made) return;
    this.#made.set(msgType, made);
    if (source) this.#drop(source);
    const { tenant, chassisId, clock } = this.#board;
    const stream = { tenant, chassisId, msgType };
    const handlers = this.#handlersOf(msgType);
    const feed = new Feed(stream, all, handlers, clock);
    const before = { table: () => feed.table, onChange: handlers.onChange };
    this.set(msgType, new Source(feed, new Past(stream, stored, before)));
    feed.open();
  }

  /** Connect anew, and go on from what is held. */
  open() {
    for (const { feed } of this.values()) feed.open();
  }

  /** The page was away, or the network changed. */
  wake() {
    for (const { feed } of this.values()) feed.wake();
  }

  close() {
    for (const source of this.values()) this.#drop(source);
  }

  /** The window is this now: what the tables do not hold is fetched. @param {number} widthPx of a chart */
  want(widthPx) {
    const { window: view } = this.#board;
    const { isLive, isFull } = view;
    const { from, to } = view.range(this.#board.now());
    for (const { feed, past } of this.values()) {
      feed.holdFrom(isLive ? null : from);
      past.want({ from, to, isLive, widthPx, isFull });
    }
  }

  #drop({ feed, past }) {
    this.#received += feed.received;
    feed.close();
    past.stop();
  }
}
