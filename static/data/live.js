/** One WebSocket to the live service that comes back by itself. Knows nothing of charts, tables or the page. */
import { localMs, serverClock } from './clock.js';

/** The first time after a loss at least: soon, yet not all the pages of a restarted server together. */
const FIRST_MS = 200;
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 15_000;
/** A connection attempt that hangs is given up. */
const CONNECT_MS = 10_000;
const CLOSE_NOT_ALLOWED = 1008;
/** How often STATUS comes; a socket on which nothing comes for three times that is dead. */
const STATUS_S = 2;
const DEAD_MS = 6000;
/** Looked at anew, a socket must have said something more lately. */
const WAKE_MS = 3000;
/** A connection that lasts so long is good. */
const GOOD_MS = 5000;

/**
 * @typedef {object} Message as docs/live.md has it; each type has its own of these
 * @property {string} type LIVE_DATA, FILL (it was named as left out before), GAP, LAST_KNOWN, STATUS, ERROR
 * @property {Object<string, unknown>} payload
 * @property {number|null} seq @property {number|null} ts null where nothing is known
 * @property {Object<string, number>} [tsOf] @property {Object<string, {min: number, max: number}>} [spans]
 * @property {number} [ageMs] @property {number|null} from of a gap, as `to` included @property {number|null} to
 * @property {string} [reason]
 * @typedef {object} LiveHandlers
 * @property {() => Object<string, unknown>} onOpen each time the socket is up; gives what to ask for beside the fields
 * @property {(message: Message) => void} onMessage
 * @property {(retryMs: number|null) => void} onDown null: it will not try again
 */

/** @param {number} attempt 0, 1, … @param {number} random 0…1 @returns {number} ms to wait */
export function backoff(attempt, random) {
  if (attempt === 0) return FIRST_MS * (1 + random);
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (attempt - 1));
  // Half of it at random, so that the pages of a restarted server do not come back at once together.
  return Math.max(BACKOFF_MIN_MS, full * (0.5 + random / 2));
}

const seqOrNull = (value) => (Number.isSafeInteger(value) ? value : null);

/**
 * @param {string} text
 * @param {number} now Unix ms, for a message that has no time of its own
 * @returns {Message|null} null for what is none
 */
export function parseMessage(text, now) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  const { type, payload, ts, ts_of: tsOf, stats: spans, age_ms: ageMs, reason } = message ?? {};
  const [seq, from, to] = [message?.seq, message?.from, message?.to].map(seqOrNull);
  if (type === 'GAP' ? to === null : !payload || typeof payload !== 'object') return null;
  const ownTs = type === 'LAST_KNOWN' ? null : now;
  return { type, payload, seq, ts: Number.isFinite(ts) ? ts : ownTs, tsOf, spans, ageMs, from, to, reason };
}

export class LiveSocket {
  #url;
  #fields;
  #handlers;
  /** @type {WebSocket|null} */
  #socket = null;
  #timer = 0;
  #attempt = 0;
  #isWanted = false;
  #openedAt = 0;
  #heardAt = 0;

  /** @param {string} url @param {string[]} fields @param {LiveHandlers} handlers */
  constructor(url, fields, handlers) {
    this.#url = url;
    this.#fields = fields;
    this.#handlers = handlers;
  }

  /** Connect now; an old socket is dropped. */
  open() {
    this.#drop();
    this.#isWanted = true;
    this.#heardAt = localMs();
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket), CONNECT_MS);
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#received(socket, event.data);
    socket.onclose = (event) => this.#lost(socket, event.code);
  }

  /** Disconnect and stay so. */
  close() {
    this.#isWanted = false;
    this.#drop();
  }

  /** The page is looked at again, or the network is another: do not wait for what may be dead or for the next attempt. */
  wake() {
    if (this.#isWanted && (!this.#socket || localMs() - this.#heardAt > WAKE_MS)) this.open();
  }

  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #opened(socket) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    const options = this.#handlers.onOpen();
    socket.send(JSON.stringify({ type: 'INIT_FIELD_LIST', payload: this.#fields, ...options }));
    socket.send(JSON.stringify({ type: 'STATUS', every_s: STATUS_S }));
    this.#openedAt = this.#heardAt = localMs();
    this.#guard(socket);
  }

  /** A connection may die without a word; then nothing comes any more, not even STATUS. */
  #guard(socket) {
    const left = this.#heardAt + DEAD_MS - localMs();
    if (left > 0) {
      this.#timer = setTimeout(() => this.#guard(socket), left);
      return;
    }
    this.#handlers.onDown(0);
    this.open();
  }

  #received(socket, data) {
    if (socket !== this.#socket) return;
    this.#heardAt = localMs();
    const message = parseMessage(data, serverClock.now());
    if (message === null) return;
    // Only data or time shows that the connection is good: a server may accept and close at once.
    if (message.type === 'LIVE_DATA' || this.#heardAt - this.#openedAt > GOOD_MS) this.#attempt = 0;
    this.#handlers.onMessage(message);
  }

  #lost(socket, code) {
    if (socket !== this.#socket) return;
    this.#drop();
    if (code === CLOSE_NOT_ALLOWED) {
      this.#isWanted = false;
      this.#handlers.onDown(null);
      return;
    }
    const wait = backoff(this.#attempt++, Math.random());
    this.#timer = setTimeout(() => this.open(), wait);
    this.#handlers.onDown(wait);
  }
}
