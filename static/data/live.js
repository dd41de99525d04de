/** One WebSocket to the live service that comes back by itself. Knows nothing of charts, tables or the page. */
import { localMs, serverClock } from './clock.js';

/** The first time after a loss: soon, yet not all the pages of a restarted server together. */
const FIRST_MIN_MS = 200;
const FIRST_MAX_MS = 500;
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 15_000;
/** A connection attempt that hangs is given up. */
const CONNECT_MS = 10_000;
const CLOSE_NOT_ALLOWED = 1008;
/** How often STATUS comes unless told otherwise; a socket on which nothing comes for three times that is dead. */
const STATUS_S = 5;
const DEAD_PERIODS = 3;
/** Looked at anew, a socket must have said something more lately. */
const WAKE_MS = 3000;
/** A connection that lasts so long is good. */
const GOOD_MS = 5000;

/**
 * @typedef {{seq: number|null, ts: number, payload: Object<string, unknown>, tsOf?: Object<string, number>,
 *   spans?: Object<string, {min: unknown, max: unknown}>}} LiveSample
 * @typedef {{kind: 'sample'|'fill'} & LiveSample} SampleMessage fill: it was named as left out before
 * @typedef {{kind: 'gap', from: number|null, to: number, reason: string}} GapMessage both included
 * @typedef {{kind: 'known', seq: number|null, ts: number|null, ageMs: number}} KnownMessage of the newest sample
 * @typedef {{kind: 'status', payload: Object<string, unknown>}} StatusMessage as docs/live.md has it
 * @typedef {{kind: 'error', code: string, message: string}} ErrorMessage
 * @typedef {SampleMessage|GapMessage|KnownMessage|StatusMessage|ErrorMessage} Message
 * @typedef {object} LiveHandlers
 * @property {() => Object<string, unknown>} onOpen each time the socket is up; gives what to ask for beside the fields
 * @property {(message: SampleMessage|GapMessage|KnownMessage|StatusMessage) => void} onMessage
 * @property {(retryMs: number|null) => void} onDown null: it will not try again
 * @property {(code: string, message: string) => void} onError an ERROR message of the server
 */

/** @param {number} attempt 0, 1, … @param {number} random 0…1 @returns {number} ms to wait */
export function backoff(attempt, random) {
  if (attempt === 0) return FIRST_MIN_MS + (FIRST_MAX_MS - FIRST_MIN_MS) * random;
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (attempt - 1));
  // Half of it at random, so that the pages of a restarted server do not come back at once together.
  return Math.max(BACKOFF_MIN_MS, full * (0.5 + random / 2));
}

const seqOrNull = (value) => (Number.isSafeInteger(value) ? value : null);

const isObject = (value) => value !== null && typeof value === 'object';

function readSample(kind, { seq, ts, payload, ts_of: given, stats }, now) {
  const sample = { kind, seq: seqOrNull(seq), ts: Number.isFinite(ts) ? ts : now, payload };
  if (isObject(given)) sample.tsOf = Object.fromEntries(Object.entries(given).filter(([, at]) => Number.isFinite(at)));
  if (isObject(stats)) sample.spans = stats;
  return sample;
}

function readKnown({ seq, ts, age_ms: age }) {
  const isWhole = Number.isFinite(ts) && Number.isFinite(age);
  return { kind: 'known', seq: isWhole ? seqOrNull(seq) : null, ts: isWhole ? ts : null, ageMs: isWhole ? age : 0 };
}

function readGap({ from, to, reason }) {
  const last = seqOrNull(to);
  return last === null ? null : { kind: 'gap', from: seqOrNull(from), to: last, reason: String(reason) };
}

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
  if (message?.type === 'GAP') return readGap(message);
  const payload = message?.payload;
  if (!isObject(payload)) return null;
  switch (message.type) {
    case 'LIVE_DATA':
      return readSample('sample', message, now);
    case 'FILL':
      return readSample('fill', message, now);
    case 'LAST_KNOWN':
      return readKnown(message);
    case 'STATUS':
      return { kind: 'status', payload };
    case 'ERROR':
      return { kind: 'error', code: String(payload.code), message: String(payload.message) };
    default:
      return null;
  }
}

/** A live stream of fields. `open` may be called again at any time and makes a new socket. */
export class LiveSocket {
  #url;
  #fields;
  #handlers;
  #statusS;
  /** @type {WebSocket|null} */
  #socket = null;
  #timer = 0;
  #attempt = 0;
  #isWanted = false;
  #openedAt = 0;
  #heardAt = 0;

  /** @param {string} url @param {string[]} fields @param {LiveHandlers} handlers @param {number} [statusS] between STATUS */
  constructor(url, fields, handlers, statusS = STATUS_S) {
    this.#url = url;
    this.#fields = fields;
    this.#handlers = handlers;
    this.#statusS = statusS;
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
    socket.send(JSON.stringify({ type: 'STATUS', every_s: this.#statusS }));
    this.#openedAt = this.#heardAt = localMs();
    this.#guard(socket);
  }

  /** A connection may die without a word; then nothing comes any more, not even STATUS. */
  #guard(socket) {
    const left = this.#heardAt + DEAD_PERIODS * this.#statusS * 1000 - localMs();
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
    if (message.kind === 'error') {
      this.#handlers.onError(message.code, message.message);
      return;
    }
    // Only data or time shows that the connection is good: a server may accept and close at once.
    if (message.kind === 'sample' || this.#heardAt - this.#openedAt > GOOD_MS) this.#attempt = 0;
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
