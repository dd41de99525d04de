/** One machine on the screen: its command, its feeds, its cards, and whether data comes. */
import { ApiError, getFieldsIfAny, getGroups } from '../data/api.js';
import { Card } from '../charts/card.js';
import { RealTime } from './command.js';
import { Commands } from './commands.js';
import { byId } from '../base/dom.js';
import { Feed } from '../data/feed.js';
import { Folding } from '../charts/folding.js';
import { Painter } from '../charts/painter.js';
import { Signals } from '../signals/signals.js';

const OFFLINE_MS = 10_000;
const LEGEND_MS = 500;
const RETRY_MS = 5000;

const painter = new Painter();

/** @param {import('../data/api.js').Group[]} groups @returns {Map<string, string[]>} every field once, by msgType */
export function fieldsByMsgType(groups) {
  const union = new Map();
  for (const { msgType, lines } of groups) {
    const names = union.get(msgType) ?? new Set();
    for (const { field } of lines) names.add(field);
    union.set(msgType, names);
  }
  return new Map([...union].map(([msgType, names]) => [msgType, [...names]]));
}

/**
 * @typedef {'connecting'|'live'|'offline'} State
 * @typedef {object} SessionHandlers
 * @property {(state: State, lastDataAt: number|null) => void} onState called again and again
 * @property {(message: string) => void} onNotice '' takes it away
 * @property {(isEmpty: boolean) => void} onGroups
 */

export class Session {
  /** @type {Map<string, Feed>} */
  feeds = new Map();
  #cards = [];
  #folding = new Folding();
  #signals;
  #commands;
  #handlers;
  #realTime;
  #isClosed = false;
  #timer = 0;
  #retry = 0;
  #openedAt = Date.now();
  #lastDataAt = null;
  /** Data counts from the last opening on: after Refresh the page waits anew. */
  #isFresh = false;
  /** Nothing to chart, so nothing is asked for and nothing is missing. */
  #isBare = false;
  #wasDown = false;
  #restyle = () => {
    for (const card of this.#cards) card.restyle();
  };

  /**
   * @param {string} tenant @param {string} chassisId
   * @param {SessionHandlers} handlers @param {import('./command.js').CommandHandlers} commandHandlers
   */
  constructor(tenant, chassisId, handlers, commandHandlers) {
    this.tenant = tenant;
    this.chassisId = chassisId;
    this.#handlers = handlers;
    this.#signals = new Signals(tenant, chassisId, (message) => this.#complain(message));
    this.#commands = new Commands(tenant, chassisId);
    const { onAsk, onAnswer, onError } = commandHandlers;
    const reloading = (handle) => (result) => {
      handle(result);
      this.#commands.reload();
    };
    this.#realTime = new RealTime(chassisId, { onAsk, onAnswer: reloading(onAnswer), onError: reloading(onError) });
  }

  open() {
    addEventListener('themechange', this.#restyle);
    this.#timer = setInterval(() => this.#tick(), LEGEND_MS);
    this.#realTime.start();
    this.#load();
    this.#folding.start();
    this.#signals.start();
    this.#commands.start();
    this.#tick();
  }

  /** New sockets, a new command; what is held stays, and the rest comes. */
  refresh() {
    this.#openedAt = Date.now();
    this.#isFresh = false;
    this.#wasDown = false;
    this.#handlers.onNotice('');
    this.#realTime.start();
    for (const feed of this.feeds.values()) feed.open();
    this.#signals.refresh();
    if (!this.feeds.size) this.#load();
    this.#tick();
  }

  /** A server that was away may have started anew, and its machines with it. One command for all sockets. */
  #askAfterLoss() {
    if (this.#wasDown) this.#realTime.start();
    this.#wasDown = false;
  }

  /** The machine came back: ask it at once. */
  ask() {
    this.#realTime.start();
  }

  close() {
    this.#isClosed = true;
    removeEventListener('themechange', this.#restyle);
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    this.#realTime.stop();
    for (const feed of this.feeds.values()) feed.close();
    for (const card of this.#cards) {
      painter.remove(card);
      card.dispose();
    }
    this.#folding.stop();
    this.#signals.stop();
    this.#commands.stop();
  }

  /** @returns {number} live samples so far */
  get received() {
    let sum = 0;
    for (const feed of this.feeds.values()) sum += feed.received;
    return sum;
  }

  async #load() {
    clearTimeout(this.#retry);
    try {
      const groups = await getGroups(this.tenant);
      const msgTypes = [...fieldsByMsgType(groups).keys()];
      const lists = await Promise.all(msgTypes.map((m) => getFieldsIfAny(this.tenant, this.chassisId, m)));
      if (this.#isClosed || this.feeds.size) return;
      this.#handlers.onNotice('');
      this.#isBare = groups.length === 0;
      this.#handlers.onGroups(this.#isBare);
      this.#build(groups, new Map(msgTypes.map((m, i) => [m, lists[i]])));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.#isClosed) return;
      this.#handlers.onNotice(`Charts could not be loaded: ${error.message}`);
      this.#retry = setTimeout(() => this.#load(), RETRY_MS);
    }
  }

  #build(groups, fieldLists) {
    for (const [msgType, names] of fieldsByMsgType(groups)) {
      this.feeds.set(msgType, this.#openFeed(msgType, names));
    }
    for (const group of groups) {
      const fields = new Map(fieldLists.get(group.msgType).map((field) => [field.name, field]));
      const card = new Card(group, fields, this.feeds.get(group.msgType));
      byId('cards').append(card.element);
      card.mount();
      this.#cards.push(card);
      this.#folding.add(card);
      painter.add(card);
    }
    this.#tick();
  }

  #openFeed(msgType, names) {
    const stream = { tenant: this.tenant, chassisId: this.chassisId, msgType };
    const feed = new Feed(stream, names, {
      onData: (heardAt) => {
        this.#lastDataAt = Math.max(this.#lastDataAt ?? heardAt, heardAt);
        // What was sent long ago is history, and says nothing about now.
        if (Date.now() - heardAt < OFFLINE_MS) this.#isFresh = true;
      },
      onChange: () => {
        this.#tick();
        for (const card of this.#cards) painter.drawOnce(card);
      },
      onUp: () => this.#askAfterLoss(),
      onDown: (retryMs) => {
        this.#wasDown = true;
        if (retryMs === null) this.#handlers.onNotice('The server does not allow this page to see live data.');
      },
      onError: (message) => this.#complain(message),
    });
    feed.open();
    return feed;
  }

  #complain(message) {
    this.#handlers.onNotice(`The server says: ${message}`);
  }

  #tick() {
    if (this.#isBare) return;
    const since = this.#isFresh ? this.#lastDataAt : this.#openedAt;
    const isSilent = Date.now() - since >= OFFLINE_MS;
    const state = isSilent ? 'offline' : this.#isFresh ? 'live' : 'connecting';
    this.#handlers.onState(state, this.#lastDataAt);
    if (document.hidden) return;
    for (const card of this.#cards) card.tick();
    this.#folding.update();
  }
}
