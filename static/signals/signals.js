/** The section "All signals" of one machine. It costs nothing while it is collapsed or the tab is hidden. */
import { ApiError, getFieldsIfAny } from '../data/api.js';
import { byId, setText } from '../base/dom.js';
import { SignalFeed } from '../data/signalfeed.js';
import { SignalTable } from './signaltable.js';
import { recall, remember } from '../base/storage.js';
import { signalsText, texts } from '../texts.js';

const KEY = 'signals';
const MSG_TYPES = ['vehicle_can', 'client_raw_data'];
const UPDATE_MS = 500;
const RETRY_MS = 5000;

export class Signals {
  #tenant;
  #chassisId;
  #onError;
  #table = new SignalTable();
  /** @type {SignalFeed[]} none before the fields are known */
  #feeds = [];
  #isExpanded = recall(KEY) === 'open';
  #isRunning = false;
  #isClosed = false;
  #timer = 0;
  #retry = 0;
  /** An answer to a question asked before the last change is not used. */
  #asked = 0;
  #sync = () => {
    const isWanted = this.#isExpanded && !this.#isClosed && !document.hidden;
    if (isWanted !== this.#isRunning) (isWanted ? this.#run() : this.#pause());
  };

  /**
   * @param {string} tenant @param {string} chassisId
   * @param {(message: string) => void} onError the server complains
   */
  constructor(tenant, chassisId, onError) {
    this.#tenant = tenant;
    this.#chassisId = chassisId;
    this.#onError = onError;
  }

  start() {
    byId('signals').hidden = false;
    byId('signals-toggle').onclick = () => this.#toggle();
    byId('signals-search').oninput = () => this.#search();
    document.addEventListener('visibilitychange', this.#sync);
    this.#search();
    this.#showExpanded();
    this.#sync();
  }

  stop() {
    this.#isClosed = true;
    document.removeEventListener('visibilitychange', this.#sync);
    this.#sync();
    this.#table.clear();
    byId('signals').hidden = true;
    byId('signals-toggle').onclick = byId('signals-search').oninput = null;
  }

  /** New sockets, where there are any. */
  refresh() {
    if (this.#isRunning) for (const feed of this.#feeds) feed.open();
  }

  /** The page was away, or the network changed. */
  wake() {
    if (this.#isRunning) for (const feed of this.#feeds) feed.wake();
  }

  #toggle() {
    this.#isExpanded = !this.#isExpanded;
    remember(KEY, this.#isExpanded ? 'open' : 'closed');
    this.#showExpanded();
    this.#sync();
    if (this.#isExpanded) return;
    this.#feeds = [];
    this.#table.clear();
  }

  #showExpanded() {
    byId('signals-toggle').setAttribute('aria-expanded', String(this.#isExpanded));
    byId('signals-body').hidden = !this.#isExpanded;
    setText(byId('signals-count'), this.#isExpanded ? '' : texts.signalsHint);
    byId('signals-note').hidden = false;
    setText(byId('signals-note'), texts.signalsLoading);
  }

  #search() {
    this.#table.search(byId('signals-search').value);
    if (this.#isRunning) this.#update();
  }

  #run() {
    this.#isRunning = true;
    this.#timer = setInterval(() => this.#update(), UPDATE_MS);
    if (!this.#feeds.length) this.#load();
    for (const feed of this.#feeds) feed.open();
  }

  #pause() {
    this.#isRunning = false;
    this.#asked++;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    for (const feed of this.#feeds) feed.close();
  }

  async #load() {
    const mine = ++this.#asked;
    try {
      const lists = await Promise.all(MSG_TYPES.map((m) => getFieldsIfAny(this.#tenant, this.#chassisId, m)));
      if (mine === this.#asked) this.#build(lists);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine !== this.#asked) return;
      setText(byId('signals-note'), texts.signalsFailed(error.message));
      this.#retry = setTimeout(() => this.#load(), RETRY_MS);
    }
  }

  #build(lists) {
    this.#feeds = MSG_TYPES.map((msgType, i) => {
      const stream = { tenant: this.#tenant, chassisId: this.#chassisId, msgType };
      return new SignalFeed(stream, lists[i], this.#onError);
    });
    this.#table.build(this.#feeds);
    for (const feed of this.#feeds) feed.open();
    setText(byId('signals-note'), texts.waiting);
  }

  /** Ages grow without any event. */
  #update() {
    if (!this.#feeds.length) return;
    const counts = this.#table.update(this.#feeds);
    setText(byId('signals-count'), signalsText(counts, this.#table.isSearching));
    const isEmpty = counts.shown === 0;
    byId('signals-note').hidden = !isEmpty;
    if (isEmpty) setText(byId('signals-note'), counts.found ? texts.signalsNotFound : texts.signalsNone);
  }
}
