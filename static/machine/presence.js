/** Whether a machine sends: from when each of its message types was heard, and what the server says of them. Pure. */

export const OFFLINE_MS = 10_000;

/** @typedef {'connecting'|'live'|'offline'} State */

/** All times are local ms. */
export class Presence {
  /** When each message type was heard last. @type {Map<string, number>} */
  #heard = new Map();
  /** Message types of which the server says that nothing comes, and how it calls that. @type {Map<string, string>} */
  #denied = new Map();
  #openedAt;

  /** @param {number} now */
  constructor(now) {
    this.#openedAt = now;
  }

  /** From now on the page waits anew. @param {number} now */
  reopen(now) {
    this.#openedAt = now;
    this.#denied.clear();
  }

  /** @param {string} msgType @param {number} at when the machine was heard, by the local clock */
  hear(msgType, at) {
    if (at <= (this.#heard.get(msgType) ?? -Infinity)) return;
    this.#heard.set(msgType, at);
    this.#denied.delete(msgType);
  }

  /** @param {string} msgType @param {string} stream of the server's STATUS: live, silent, waiting, away */
  tell(msgType, stream) {
    if (stream === 'live') this.#denied.delete(msgType);
    else this.#denied.set(msgType, stream);
  }

  /** @param {string[]} msgTypes @returns {string|undefined} the first one that comes; where none does, the first */
  best(msgTypes) {
    return msgTypes.find((msgType) => !this.#denied.has(msgType)) ?? msgTypes[0];
  }

  /** @returns {number|null} when any data came last */
  get lastAt() {
    return this.#heard.size ? Math.max(...this.#heard.values()) : null;
  }

  /** @returns {number} when it counts as offline, if nothing comes */
  get dueAt() {
    return Math.max(this.#openedAt, ...this.#heard.values()) + OFFLINE_MS;
  }

  /** @param {number} now @returns {State} */
  state(now) {
    if (now >= this.dueAt) return 'offline';
    const said = new Set();
    for (const [msgType, at] of this.#heard) {
      if (now - at >= OFFLINE_MS) continue;
      if (!this.#denied.has(msgType)) return 'live';
      said.add(this.#denied.get(msgType));
    }
    // The server has heard nothing for ten seconds: what this page got meanwhile was old.
    return said.has('silent') ? 'offline' : 'connecting';
  }
}
