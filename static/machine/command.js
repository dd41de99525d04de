/** Real-time upload of one device: on while this page shows it. */
import { ApiError, setRealTimeUpload } from '../data/api.js';
import { localMs } from '../data/clock.js';

const HEARTBEAT_MS = 60_000;

/** `crypto.randomUUID` exists in secure contexts only; a page by plain HTTP from another machine is none. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** One a page: the server counts who watches. */
export const viewerId = uuid();

/**
 * @typedef {{realtime: boolean, ts: number, source: string, status: number}} Answer
 * @typedef {object} CommandHandlers
 * @property {() => void} onAsk
 * @property {(answer: Answer) => void} onAnswer
 * @property {(error: ApiError) => void} onError
 */

export class RealTime {
  #chassisId;
  #handlers;
  #timer = 0;
  #asked = 0;
  /** The user stopped it: this page sends no more heartbeats until the user starts again. */
  isStopped = false;
  /** When the machine was last asked with success, by localMs. @type {number|null} */
  lastBeatAt = null;

  /** @param {string} chassisId @param {CommandHandlers} handlers */
  constructor(chassisId, handlers) {
    this.#chassisId = chassisId;
    this.#handlers = handlers;
  }

  /** Ask now, and go on asking as a heartbeat. Not after the user's stop. */
  start() {
    if (this.isStopped) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#ask('start'), HEARTBEAT_MS);
    this.#handlers.onAsk();
    this.#ask('start');
  }

  /** The user wants it again. */
  startByUser() {
    this.isStopped = false;
    this.start();
  }

  /** The user wants no more of it. The machine goes on where others watch it. */
  stopByUser() {
    clearInterval(this.#timer);
    this.isStopped = true;
    this.#handlers.onAsk();
    this.#ask('stop');
  }

  /** Leave. The request outlives the page; nobody waits for its answer. */
  stop() {
    clearInterval(this.#timer);
    this.#asked++;
    setRealTimeUpload(this.#chassisId, this.#command('stop'), true).catch(() => {});
  }

  #command(action) {
    return { action, commandId: uuid(), viewerId };
  }

  async #ask(action) {
    const mine = ++this.#asked;
    const at = localMs();
    try {
      const { status, payload } = await setRealTimeUpload(this.#chassisId, this.#command(action));
      if (action === 'start' && status === 200) this.lastBeatAt = at;
      if (mine === this.#asked) this.#handlers.onAnswer({ ...payload, status });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine === this.#asked) this.#handlers.onError(error);
    }
  }
}
