/** The section "All signals" of one machine. It costs nothing while it is folded or the tab is hidden. */
import { getFieldsIfAny } from '../data/api.js';
import { byId, setText, tell } from '../base/dom.js';
import { recall, remember } from '../base/storage.js';
import { render } from '../base/ui.js';
import { SignalFeed } from '../data/feed.js';
import { Poll } from '../machine/poll.js';
import { page, texts } from '../texts.js';
import { Section } from './section.js';
import { SignalTable } from './signaltable.js';

const KEY = 'signals';
const MSG_TYPES = ['vehicle_can', 'client_raw_data'];
const UPDATE_MS = 500;

export class Signals {
  /** One a msgType; none before the fields are known. @type {SignalTable[]} */
  #tables = [];
  #section = new Section(KEY, (isSeen) => (isSeen ? this.#run() : this.#pause()));
  #timer = 0;
  #poll;

  /** @param {{tenant: string, chassisId: string}} machine @param {(message: string) => void} onError the server complains */
  constructor({ tenant, chassisId }, onError) {
    const ask = () => Promise.all(MSG_TYPES.map((msgType) => getFieldsIfAny(tenant, chassisId, msgType)));
    const feedOf = (fields, i) => new SignalFeed({ tenant, chassisId, msgType: MSG_TYPES[i] }, fields, onError);
    this.#poll = new Poll(ask, {
      onAnswer: (lists) => {
        this.#poll.stop(); // they stay
        this.#tables = lists.map((fields, i) => new SignalTable(feedOf(fields, i)));
        tell('signals-note', texts.waiting);
        this.refresh();
      },
      onError: ({ message }) => tell('signals-note', texts.notLoaded(page.signals, message)),
    });
  }

  start() {
    const details = byId(KEY);
    details.open = recall(KEY) === 'open';
    details.ontoggle = () => remember(KEY, details.open ? 'open' : 'closed');
    byId('signals-search').oninput = () => this.#update();
    this.#forget();
    this.#section.start();
  }

  stop() {
    this.#section.stop();
    this.#forget();
  }

  /** New sockets, where there are any. */
  refresh() {
    if (this.#section.isSeen) for (const { feed } of this.#tables) feed.open();
  }

  /** The page was away, or the network changed. */
  wake() {
    if (this.#section.isSeen) for (const { feed } of this.#tables) feed.wake();
  }

  #run() {
    this.#timer = setInterval(() => this.#update(), UPDATE_MS);
    if (this.#tables.length) this.refresh();
    else this.#poll.run();
  }

  #pause() {
    this.#poll.stop();
    clearInterval(this.#timer);
    for (const { feed } of this.#tables) feed.close();
    if (!byId(KEY).open) this.#forget();
  }

  #forget() {
    this.#tables = [];
    this.#draw();
    setText(byId('signals-count'), texts.signalsHint);
    tell('signals-note', texts.loading);
  }

  /** Ages grow without any event. */
  #update() {
    if (!this.#tables.length) return;
    const search = byId('signals-search').value.trim();
    const counts = this.#draw(search);
    setText(byId('signals-count'), page.signalCounts(counts, search !== ''));
    tell('signals-note', counts.shown ? '' : counts.found ? texts.signalsNotFound : texts.signalsNone);
  }

  /** @returns {{shown: number, found: number, total: number}} rows after the search, rows, signals */
  #draw(search) {
    const counts = { shown: 0, found: 0, total: 0 };
    render(this.#tables.map((table) => table.rows(search, counts)), byId('signals-rows'));
    byId('signals-table').hidden = counts.shown === 0;
    return counts;
  }
}
