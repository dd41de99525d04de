/** A section of index.html that can be folded, and works only while it is open and the tab is seen. */
import { byId } from '../base/dom.js';

export class Section {
  #details;
  #change;
  isSeen = false;
  #listening = new AbortController();

  /** @param {string} id of its `details` @param {(isSeen: boolean) => void} change called when that is another */
  constructor(id, change) {
    this.#details = byId(id);
    this.#change = change;
  }

  start() {
    const { signal } = this.#listening;
    const sync = () => this.#set(this.#details.open && !document.hidden);
    this.#details.hidden = false;
    this.#details.addEventListener('toggle', sync, { signal });
    document.addEventListener('visibilitychange', sync, { signal });
    sync();
  }

  stop() {
    this.#listening.abort();
    this.#set(false);
    this.#details.hidden = true;
  }

  #set(isSeen) {
    if (isSeen === this.isSeen) return;
    this.isSeen = isSeen;
    this.#change(isSeen);
  }
}
