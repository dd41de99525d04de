/** One cursor over all charts of a machine: a time, perhaps pinned, or a stretch of time that is being chosen. */

export class Cursor {
  /** @type {number|null} device ms; null: none */
  t = null;
  isPinned = false;
  /** @type {{from: number, to: number}|null} what a drag has marked so far */
  band = null;
  #watchers = new Set();
  #frame = 0;

  /** Follow the pointer or the keys; a pinned cursor stays. @param {number|null} t device ms */
  move(t) {
    if (this.isPinned || t === this.t) return;
    this.t = t;
    this.#plan();
  }

  /** @param {number|null} t device ms; null: loose, and gone until it is moved again */
  pin(t) {
    this.t = t;
    this.isPinned = t !== null;
    this.#plan();
  }

  /** @param {number|null} from device ms; null: nothing is marked @param {number} [to] */
  mark(from, to = 0) {
    this.band = from === null ? null : { from: Math.min(from, to), to: Math.max(from, to) };
    this.#plan();
  }

  /** @param {() => void} onChange after changes, at most once a frame @returns {() => void} ends it */
  watch(onChange) {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  #plan() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      for (const onChange of this.#watchers) onChange();
    });
  }
}
