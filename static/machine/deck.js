/** The cards of one machine: made from groups, and made anew only where a group or its data changed. */
import { Card } from '../charts/card.js';
import { Folding } from '../charts/folding.js';
import { Painter } from '../charts/painter.js';
import { byId } from '../base/dom.js';

export const painter = new Painter();

/** @typedef {import('../data/api.js').Group} Group */

export class Deck {
  /** By group. @type {Map<string, {card: Card, key: string, source: Object}>} */
  #entries = new Map();
  #folding = new Folding();
  #board;
  /** What stands before the cards: map, health. @type {Object[]} */
  #extras = [];
  #mounted = new WeakSet();

  /** @param {import('./board.js').Board} board has the cards, too */
  constructor(board) {
    this.#board = board;
  }

  /**
   * @param {Group[]} groups in their order @param {Map<string, Map<string, Object>>} fields by msgType and name
   * @param {Object[]} extras that stand before them
   */
  show(groups, fields, extras) {
    const { hidden } = this.#board;
    const before = this.#items;
    const old = this.#entries;
    const entryOf = (group) => this.#entryOf(group, fields.get(group.msgType), old.get(group.groupId));
    this.#entries = new Map(groups.map((group) => [group.groupId, entryOf(group)]));
    this.#extras = extras;
    this.#board.cards = [...this.#entries.values()].map(({ card }) => card);
    const kept = new Set(this.#items);
    for (const item of before) if (!kept.has(item)) this.#remove(item);
    this.#items.forEach((item, i) => this.#place(item, i));
    for (const [id, entry] of this.#entries) {
      if (old.get(id) !== entry && hidden.get(id)?.size) entry.card.setHidden(hidden.get(id));
    }
    this.#folding.stop();
    for (const card of this.#board.cards) this.#folding.add(card);
    this.#folding.start();
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
    for (const card of this.#board.cards) if (card.group.msgType === msgType) painter.drawOnce(card);
    for (const extra of this.#extras) painter.drawOnce(extra);
  }

  close() {
    for (const item of this.#items) this.#remove(item);
    this.#folding.stop();
  }

  get #items() {
    return [...this.#extras, ...this.#board.cards];
  }

  #entryOf(group, known, old) {
    const source = this.#board.sources.get(group.msgType);
    const key = JSON.stringify([group, group.lines.map(({ field }) => known.get(field))]);
    if (old?.key === key && old.source === source) return old;
    return { key, source, card: new Card(group, known, source, this.#board) };
  }

  /** Moved only where it stands wrong, so that focus and scroll stay. */
  #place(item, i) {
    const cards = byId('cards');
    if (cards.children[i] !== item.element) cards.insertBefore(item.element, cards.children[i] ?? null);
    if (this.#mounted.has(item)) return;
    this.#mounted.add(item);
    item.mount();
    painter.add(item);
  }

  #remove(item) {
    painter.remove(item);
    item.dispose();
  }
}
