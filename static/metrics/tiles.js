/** How the App and its computer are: a tile a field with value and judgement. */
import { element, setText } from '../base/dom.js';
import { decimalsOf, formatUnit, formatValue } from '../base/format.js';
import { metrics, texts } from '../texts.js';
import { fieldTitle, judge, TILES } from './health.js';
import { Panel } from './panel.js';

/** How many values tell the decimals that a field needs. */
const NEWEST = 40;
/** Shown as a duration. */
const UPTIME = 'uptime_s';

function buildTile(field, { unit, choices = null, description } = {}) {
  const value = element('span', { class: 'value' });
  const word = element('span', { class: 'age' });
  const node = element('li', { class: 'tile', 'data-metric': field, title: description ?? '' }, [
    element('span', { class: 'name' }, fieldTitle(field)),
    element('span', { class: 'reading' }, [value, element('span', { class: 'unit' }, field === UPTIME ? '' : formatUnit(unit))]),
    word,
  ]);
  return { field, choices, node, value, word };
}

export class HealthTiles extends Panel {
  #tiles;
  /** By tile. @type {import('../data/columns.js').Value[][]} */
  #columns = [];

  /**
   * @param {import('../data/source.js').Source} source @param {Object} board
   * @param {Map<string, Map<string, import('../data/api.js').Field>>} known the machine's fields, by msgType and name
   */
  constructor(source, board, known) {
    super('health', metrics.health, source, board);
    this.#tiles = TILES.map((field) => buildTile(field, known.get(source.msgType)?.get(field)));
    this.element.append(element('ul', { class: 'tiles' }, this.#tiles.map(({ node }) => node)));
  }

  /** Read what the window shows. */
  draw() {
    const { window } = this.board;
    const { from, to } = window.range(this.board.now());
    this.#columns = this.source.rows(TILES, from, window.isLive ? Infinity : to).columns;
  }

  /** The newest values; in a fixed window its last ones. */
  tick() {
    const now = this.board.now();
    const { isLive } = this.board.window;
    this.#tiles.forEach((tile, i) => {
      const values = (this.#columns[i] ?? []).filter((value) => value !== null);
      const shown = values.length ? { value: values.at(-1) } : null;
      show(tile, isLive ? this.source.latest(tile.field, now) : shown, values);
    });
  }
}

/** @param {{value: number, stale?: boolean, ageMs?: number}|null} last @param {number[]} values of the window */
function show({ field, choices, node, value, word }, last, values) {
  const isOld = !last || last.stale;
  const judged = isOld ? null : judge(field, last.value, values);
  setText(value, last ? textOf(field, choices, last.value, values.slice(-NEWEST)) : '–');
  setText(word, last?.stale ? texts.stale(last.ageMs) : (judged?.text ?? ''));
  node.dataset.level = judged?.level ?? '';
  node.classList.toggle('stale', isOld);
}

function textOf(field, choices, value, newest) {
  if (field === UPTIME) return metrics.duration(value);
  return formatValue(value, { choices }, decimalsOf(newest.filter(Number.isFinite), null));
}
