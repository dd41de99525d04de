/** Charts without values: out of the grid, into one line below it, and back as soon as a value comes. */
import { byId, setText } from '../base/dom.js';
import { foldedText, texts } from '../texts.js';

/** So many live samples tell what a machine sends. */
const SAMPLES_MIN = 3;
const SAMPLE_MS = 1000;
/** So long without a value is long enough, whatever window is shown. */
const WINDOW_MS = 120_000;

/**
 * Whether none of the fields had a value in the window that ends with the newest sample. A machine that is silent
 * keeps its charts, and a hole in the samples is no silence of a field.
 * @param {import('../data/columns.js').Table} table @param {string[]} fields @param {number} [windowMs]
 */
export function isWithoutValues(table, fields, windowMs = WINDOW_MS) {
  const columns = fields.map((field) => table.fields.get(field) ?? []);
  const newest = table.ts.length - 1;
  const row = table.ts.findLastIndex((_, k) => columns.some((column) => (column[k] ?? null) !== null));
  return row < 0 || (table.ts[newest] - table.ts[row] > windowMs && (newest - row) * SAMPLE_MS >= windowMs);
}

/** @param {import('../data/feed.js').Feed} feed @returns {boolean} whether enough came to tell */
export function isKnown(feed) {
  return feed.hasHistory && feed.received >= SAMPLES_MIN && feed.table.ts.length >= SAMPLES_MIN;
}

/** The line below the grid, for the cards of one machine. */
export class Folding {
  #cards = [];
  /** Known only after a while; a card stays where it is until then. */
  #folded = new WeakSet();
  #areShown = false;

  start() {
    byId('folded-toggle').onclick = () => {
      this.#areShown = !this.#areShown;
      this.update();
    };
    this.update();
  }

  stop() {
    this.#cards = [];
    this.update();
  }

  /** @param {import('./card.js').Card} card */
  add(card) {
    this.#cards.push(card);
  }

  update() {
    for (const card of this.#cards) {
      const { source: { feed }, lines, element } = card;
      if (isKnown(feed)) {
        const isFolded = isWithoutValues(feed.table, lines.map(({ field }) => field));
        this.#folded[isFolded ? 'add' : 'delete'](card);
      }
      element.hidden = this.#folded.has(card) && !this.#areShown;
    }
    const titles = this.#cards.flatMap((card) => (this.#folded.has(card) ? [card.title] : []));
    const toggle = byId('folded-toggle');
    byId('folded').hidden = !titles.length;
    setText(byId('folded-text'), foldedText(titles));
    setText(toggle, this.#areShown ? texts.foldAgain : texts.unfold);
    toggle.ariaExpanded = this.#areShown;
  }
}
