/** What the page of a machine consists of: the tenant's groups, the machine's fields, the view; and cards and streams for them. */
import { getFieldsIfAny, getGroups } from '../data/api.js';
import { byId } from '../base/dom.js';
import { Card } from '../charts/card.js';
import { Folding } from '../charts/folding.js';
import { Painter } from '../charts/painter.js';
import { healthGroups, METRIC_FIELDS } from '../metrics/health.js';
import { MapCard } from '../metrics/map.js';
import { HealthTiles } from '../metrics/tiles.js';

const RAW = 'client_raw_data';

export const painter = new Painter();

/** @typedef {import('../data/api.js').Group} Group */

/** @param {Group[]} groups @param {boolean} isMetrics @returns {Map<string, string[]>} fields that are shown, by msgType */
function wantedOf(groups, isMetrics) {
  const wanted = new Map(isMetrics ? [[RAW, METRIC_FIELDS]] : []);
  for (const { msgType, lines } of groups) {
    wanted.set(msgType, [...(wanted.get(msgType) ?? []), ...lines.map(({ field }) => field)]);
  }
  return wanted;
}

export class Layout {
  #board;
  /** As they are shown; null before they are known. @type {Group[]|null} */
  #groups = null;
  /** @type {Map<string, Map<string, import('../data/api.js').Field>>} by msgType and name */
  #fields = new Map();
  /** By group. @type {Map<string, {card: Card, key: string, source: Object}>} */
  #entries = new Map();
  #folding = new Folding();
  /** Map and tiles: before the cards of the metrics view, and kept for it. */
  #metrics = { source: null, items: [] };
  /** All that is shown, in its order. */
  #items = [];

  /** @param {import('./board.js').Board} board has the cards and the sources, too */
  constructor(board) {
    this.#board = board;
  }

  /** There is nothing to chart, so nothing is missing. */
  get isBare() {
    return this.#groups?.length === 0 && !this.#board.isBuiltIn;
  }

  get isKnown() {
    return this.#groups !== null;
  }

  /**
   * Ask for the groups, and for the fields where one of theirs is not known: the machine's parsing may have it by now.
   * @param {boolean} isMetrics the metrics view is shown
   * @throws {import('../data/api.js').ApiError}
   */
  async ask(isMetrics) {
    const { tenant, chassisId } = this.#board;
    const groups = await getGroups(tenant);
    const isNew = JSON.stringify(groups) !== JSON.stringify(this.#groups);
    const wanted = wantedOf(groups, isMetrics);
    const isMissing = ([msgType, names]) => isNew || names.some((name) => !this.#fields.get(msgType)?.has(name));
    const missing = [...wanted].filter(isMissing).map(([msgType]) => msgType);
    const lists = await Promise.all(missing.map((msgType) => getFieldsIfAny(tenant, chassisId, msgType)));
    const fields = missing.map((msgType, i) => [msgType, new Map(lists[i].map((field) => [field.name, field]))]);
    return { isMetrics, groups, wanted, fields };
  }

  /** Show what they are now: cards and streams change only where the groups did. @param {Object} answer of ask() */
  show({ isMetrics, groups, wanted, fields }) {
    this.#groups = groups;
    this.#fields = new Map([...this.#fields, ...fields]);
    this.#board.isBuiltIn = isMetrics;
    // Sources keep what they have: what the other view asked for goes on coming.
    for (const [msgType, names] of wanted) this.#board.sources.ensure(msgType, names, this.#fields.get(msgType));
    this.#arrange(isMetrics ? healthGroups() : groups, isMetrics ? this.#metricItems() : []);
  }

  /** Ages grow without any event. */
  tick() {
    for (const item of this.#items) item.tick();
    this.#folding.update();
  }

  restyle() {
    for (const item of this.#items) item.restyle();
  }

  /** All that shows it is drawn once, even out of sight. @param {string} msgType */
  changed(msgType) {
    for (const item of this.#items) if ((item.group?.msgType ?? msgType) === msgType) painter.drawOnce(item);
  }

  close() {
    this.#folding.stop();
    for (const item of this.#items) this.#remove(item);
  }

  #metricItems() {
    const source = this.#board.sources.get(RAW);
    if (this.#metrics.source !== source) {
      const items = [MapCard, HealthTiles].map((Item) => new Item(source, this.#board, this.#fields));
      this.#metrics = { source, items };
    }
    return this.#metrics.items;
  }

  #arrange(groups, extras) {
    const { hidden } = this.#board;
    const old = this.#entries;
    this.#entries = new Map(groups.map((group) => [group.groupId, this.#entryOf(group, old.get(group.groupId))]));
    const cards = [...this.#entries.values()].map(({ card }) => card);
    const items = [...extras, ...cards];
    for (const item of this.#items) if (!items.includes(item)) this.#remove(item);
    this.#items = items;
    this.#board.cards = cards;
    items.forEach((item, i) => this.#place(item, i));
    for (const [id, entry] of this.#entries) {
      if (old.get(id) !== entry && hidden.get(id)?.size) entry.card.setHidden(hidden.get(id));
    }
    this.#folding.stop();
    for (const card of cards) this.#folding.add(card);
    this.#folding.start();
  }

  /** A card is made anew only where its group, its fields or its data changed. */
  #entryOf(group, old) {
    const source = this.#board.sources.get(group.msgType);
    const known = this.#fields.get(group.msgType);
    const key = JSON.stringify([group, group.lines.map(({ field }) => known.get(field))]);
    if (old?.key === key && old.source === source) return old;
    return { key, source, card: new Card(group, known, source, this.#board) };
  }

  /** Moved only where it stands wrong, so that focus and scroll stay. */
  #place(item, i) {
    const cards = byId('cards');
    const isNew = !item.element.parentNode;
    if (cards.children[i] !== item.element) cards.insertBefore(item.element, cards.children[i] ?? null);
    if (!isNew) return;
    item.mount();
    painter.add(item);
  }

  #remove(item) {
    painter.remove(item);
    item.dispose();
  }
}
