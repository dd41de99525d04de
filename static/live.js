/** One WebSocket to the live service that comes back by itself. Knows nothing of charts, tables or the page. */

const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 15_000;
/** A connection attempt that hangs is given up. */
const CONNECT_MS = 10_000;
const CLOSE_NOT_ALLOWED = 1008;

/**
 * @typedef {{seq: number|null, ts: number, payload: Object<string, unknown>}} LiveSample
 * @typedef {object} LiveHandlers
 * @property {(sample: LiveSample) => void} onSample
 * @property {() => void} onOpen each time the socket is up and the fields are asked for
 * @property {(retryMs: number|null) => void} onDown null: it will not try again
 * @property {(code: string, message: string) => void} onError an ERROR message of the server
 */

/** @param {number} attempt 0, 1, … @param {number} random 0…1 @returns {number} ms to wait */
export function backoff(attempt, random) {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** attempt);
  // Half of it at random, so that the pages of a restarted server do not come back at once together.
  return Math.max(BACKOFF_MIN_MS, full * (0.5 + random / 2));
}

/**
 * @param {string} text
 * @param {number} now local Unix ms, for a message that has no time of its own
 * @returns {{sample?: LiveSample, error?: {code: string, message: string}}}
 */
export function parseMessage(text, now) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return {};
  }
  const payload = message?.payload;
  if (payload === null || typeof payload !== 'object') return {};
  if (message.type === 'ERROR') {
    return { error: { code: String(payload.code), message: String(payload.message) } };
  }
  if (message.type !== 'LIVE_DATA') return {};
  const ts = Number.isFinite(message.ts) ? message.ts : now;
  return { sample: { seq: message.seq ?? null, ts, payload } };
}

/** A live stream of fields. `open` may be called again at any time and makes a new socket. */
export class LiveSocket {
  #url;
  #fields;
  #handlers;
  /** @type {WebSocket|null} */
  #socket = null;
  #timer = 0;
  #attempt = 0;

  /** @param {string} url @param {string[]} fields @param {LiveHandlers} handlers */
  constructor(url, fields, handlers) {
    this.#url = url;
    this.#fields = fields;
    this.#handlers = handlers;
  }

  /** Connect now; an old socket is dropped. */
  open() {
    this.close();
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket), CONNECT_MS);
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#received(socket, event.data);
    socket.onclose = (event) => this.#lost(socket, event.code);
  }

  /** Disconnect and stay so. */
  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #opened(socket) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    socket.send(JSON.stringify({ type: 'INIT_FIELD_LIST', payload: this.#fields }));
    this.#handlers.onOpen();
  }

  #received(socket, data) {
    if (socket !== this.#socket) return;
    const { sample, error } = parseMessage(data, Date.now());
    if (error) this.#handlers.onError(error.code, error.message);
    if (!sample) return;
    // Only data shows that the connection is good: a server may accept and close at once.
    this.#attempt = 0;
    this.#handlers.onSample(sample);
  }

  #lost(socket, code) {
    if (socket !== this.#socket) return;
    this.close();
    if (code === CLOSE_NOT_ALLOWED) {
      this.#handlers.onDown(null);
      return;
    }
    const wait = backoff(this.#attempt++, Math.random());
    this.#timer = setTimeout(() => this.open(), wait);
    this.#handlers.onDown(wait);
  }
}
