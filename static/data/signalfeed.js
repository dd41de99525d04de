/** All fields of one device and msgType, live: sockets of their own, the last minutes from history, latest values. */
import { getHistory, liveUrl } from './api.js';
import { DeviceClock, localMs } from './clock.js';
import { LiveSocket } from './live.js';
import { createTracker, readTrack, splitNames, trackHistory, trackSample } from './tracker.js';

/** The live service takes 1000 fields in a message of 64 KB; type and brackets need some of that. */
const FIELDS_MAX = 1000;
const BYTES_MAX = 65_000;

export class SignalFeed {
  #stream;
  #sockets;
  #isOpen = false;
  #clock = new DeviceClock();
  #tracker = createTracker();

  /**
   * @param {import('./feed.js').Stream} stream @param {import('./api.js').Field[]} fields
   * @param {(message: string) => void} onError the server complains
   */
  constructor(stream, fields, onError) {
    this.msgType = stream.msgType;
    this.fields = fields;
    this.#stream = stream;
    const lists = splitNames(fields.map((field) => field.name), FIELDS_MAX, BYTES_MAX);
    this.#sockets = lists.map((names) => new LiveSocket(liveUrl(stream), names, {
      onMessage: (message) => this.#take(message),
      onOpen: () => {
        this.#fill(names);
        return {};
      },
      onDown: () => {}, // the page has said it: its charts have a socket to the same server
      onError: (code, message) => onError(message || code),
    }));
  }

  /** Connect, or connect anew. */
  open() {
    this.#isOpen = true;
    for (const socket of this.#sockets) socket.open();
  }

  /** Connect at once where nothing has come lately. */
  wake() {
    for (const socket of this.#sockets) socket.wake();
  }

  close() {
    this.#isOpen = false;
    for (const socket of this.#sockets) socket.close();
  }

  /** @returns {ReturnType<typeof readTrack>[]} by field */
  read() {
    const now = Math.max(this.#clock.now(), this.#tracker.newest ?? 0);
    return this.fields.map((field) => readTrack(this.#tracker, field.name, now));
  }

  #take(sample) {
    if (sample.kind !== 'sample') return;
    trackSample(this.#tracker, sample);
    if (sample.ts === this.#tracker.newest) this.#clock.observe(sample.ts, localMs());
  }

  /** Slow fields are there at once instead of with their next sample. Without it live samples do alone. */
  async #fill(names) {
    let answers;
    try {
      answers = await getHistory(this.#stream, names);
    } catch {
      return;
    }
    if (!this.#isOpen) return;
    for (const answer of answers) {
      this.#clock.guess(answer.to, localMs());
      trackHistory(this.#tracker, answer);
    }
  }
}
