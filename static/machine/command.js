/** Real-time upload of one device: on while this page shows it. */
import { ApiError, setRealTimeUpload } from '../data/api.js';
import { localMs } from '../data/clock.js';

const HEARTBEAT_MS = 60_000;

/** `crypto.randomUUID` exists in secure contexts only; a page by plain HTTP from another machine is none. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** One a page: the server counts who watches. */
export const viewerId = newId();

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
  /** Who only watches asks the machine for nothing. */
  isViewer;
  /** When the machine was last asked with success, by localMs. @type {number|null} */
  lastBeatAt = null;

  /** @param {string} chassisId @param {CommandHandlers} handlers @param {boolean} isViewer */
  constructor(chassisId, handlers, isViewer) {
    this.isViewer = isViewer;
    this.#chassisId = chassisId;
    this.#handlers = handlers;
  }

  /** Ask now, and go on asking as a heartbeat. Not after the user's stop. */
  start() {
    if (this.isStopped || this.isViewer) return;
    this.#send('start');
    this.#timer = setInterval(() => this.#ask('start'), HEARTBEAT_MS);
  }

  /** The user wants no more of it, or wants it again. The machine goes on where others watch it. */
  toggle() {
    this.isStopped = !this.isStopped;
    if (!this.isStopped) this.start();
    else this.#send('stop');
  }

  /** Leave. The request outlives the page; nobody waits for its answer. */
  stop() {
    if (this.isViewer) return;
    clearInterval(this.#timer);
    this.#asked++;
    setRealTimeUpload(this.#chassisId, this.#command('stop'), true).catch(() => {});
  }

  #send(action) {
    clearInterval(this.#timer);
    this.#handlers.onAsk();
    this.#ask(action);
  }

  #command(action) {
    return { action, commandId: newId(), viewerId };
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
