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
  let row = newest;
  while (row >= 0 && columns.every((column) => (column[row] ?? null) === null)) row--;
  if (row < 0) return true;
  return table.ts[newest] - table.ts[row] > windowMs && (newest - row) * SAMPLE_MS >= windowMs;
}

/** @param {import('../data/feed.js').Feed} feed @returns {boolean} whether enough came to tell */
export function isKnown(feed) {
  return feed.hasHistory && feed.received >= SAMPLES_MIN && feed.table.ts.length >= SAMPLES_MIN;
}

/** The line below the grid, for the cards of one machine. */
export class Folding {
  #cards = [];
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
    byId('folded-toggle').onclick = null;
  }

  /** @param {import('./card.js').Card} card */
  add(card) {
    this.#cards.push(card);
  }

  update() {
    const folded = this.#cards.filter((card) => card.isWithoutValues);
    for (const { element, isWithoutValues: isFolded } of this.#cards) {
      const isHidden = isFolded && !this.#areShown;
      if (element.hidden !== isHidden) element.hidden = isHidden;
    }
    byId('folded').hidden = folded.length === 0;
    if (!folded.length) return;
    setText(byId('folded-text'), foldedText(folded.map((card) => card.title)));
    setText(byId('folded-toggle'), this.#areShown ? texts.foldAgain : texts.unfold);
    byId('folded-toggle').setAttribute('aria-expanded', String(this.#areShown));
  }
}
