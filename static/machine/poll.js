/** Asks the server again and again; an answer to a question asked before the last one is not used. */
import { ApiError } from '../data/api.js';

/** After an error it is asked again so soon. */
const RETRY_MS = 5000;

/**
 * @template T
 */
export class Poll {
  #ask;
  #handlers;
  #everyMs;
  #asked = 0;
  #timer = 0;

  /**
   * @param {() => Promise<T>} ask
   * @param {{onAnswer: (answer: T) => void, onError: (error: ApiError) => void}} handlers
   * @param {number} [everyMs] after an answer
   */
  constructor(ask, handlers, everyMs = RETRY_MS) {
    this.#ask = ask;
    this.#handlers = handlers;
    this.#everyMs = everyMs;
  }

  /** Ask now, and then again. */
  async run() {
    this.stop();
    const mine = this.#asked;
    let waitMs = this.#everyMs;
    try {
      const answer = await this.#ask();
      if (mine === this.#asked) this.#handlers.onAnswer(answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      waitMs = RETRY_MS;
      if (mine === this.#asked) this.#handlers.onError(error);
    }
    const again = () => mine === this.#asked && this.run();
    // What nobody sees waits until it is seen.
    const due = () => (document.hidden ? document.addEventListener('visibilitychange', again, { once: true }) : again());
    if (mine === this.#asked) this.#timer = setTimeout(due, waitMs);
  }

  stop() {
    this.#asked++;
    clearTimeout(this.#timer);
  }
}
