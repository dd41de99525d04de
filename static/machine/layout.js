/** What the page of a machine consists of: the tenant's groups, the machine's fields, the view; and streams and cards for them. */
import { getFieldsIfAny, getGroups } from '../data/api.js';
import { healthGroups } from '../metrics/health.js';
import { Deck } from './deck.js';
import { metricFields, metricItems, MSG_TYPES } from './metrics.js';
import { Streams } from './streams.js';

const METRICS = 'metrics';

/** @typedef {import('../data/api.js').Group} Group */

/** @param {Group[]} groups @returns {Map<string, Set<string>>} every field once, by msgType */
export function fieldsByMsgType(groups) {
  const union = new Map();
  for (const { msgType, lines } of groups) {
    const names = union.get(msgType) ?? new Set();
    for (const { field } of lines) names.add(field);
    union.set(msgType, names);
  }
  return union;
}

export class Layout {
  #board;
  /** As they are shown; null before they are known. @type {Group[]|null} */
  #groups = null;
  /** @type {Map<string, Map<string, import('../data/api.js').Field>>} by msgType and name */
  #fields = new Map();
  /** The metrics view was shown: its fields are held from then on. */
  #hasMetrics = false;
  /** An answer to a question asked before the last one is not used. */
  #asked = 0;

  /** @param {import('./board.js').Board} board @param {import('./streams.js').StreamsHandlers} handlers */
  constructor(board, handlers) {
    this.#board = board;
    this.deck = new Deck(board);
    this.streams = new Streams(board, handlers);
  }

  /** There is nothing to chart, so nothing is missing. */
  get isBare() {
    return this.#groups?.length === 0 && !this.#board.isBuiltIn;
  }

  get isKnown() {
    return this.#groups !== null;
  }

  /**
   * Ask for the groups, and show what they are now: cards and streams change only where the groups did.
   * @param {'live'|'metrics'} view @returns {Promise<boolean>} whether it is shown; false where more was asked meanwhile
   * @throws {import('../data/api.js').ApiError}
   */
  async load(view) {
    const mine = ++this.#asked;
    const groups = await getGroups(this.#board.tenant);
    const hasMetrics = this.#hasMetrics || view === METRICS;
    const isNew = JSON.stringify(groups) !== JSON.stringify(this.#groups);
    const msgTypes = new Set([...fieldsByMsgType(groups).keys(), ...(hasMetrics ? MSG_TYPES : [])]);
    const missing = [...msgTypes].filter((msgType) => isNew || !this.#fields.has(msgType));
    const { tenant, chassisId } = this.#board;
    const lists = await Promise.all(missing.map((msgType) => getFieldsIfAny(tenant, chassisId, msgType)));
    if (mine !== this.#asked) return false;
    missing.forEach((msgType, i) => this.#fields.set(msgType, new Map(lists[i].map((field) => [field.name, field]))));
    this.#groups = groups;
    this.#hasMetrics = hasMetrics;
    this.#arrange(view === METRICS);
    return true;
  }

  close() {
    this.#asked++;
    this.streams.close();
    this.deck.close();
  }

  #arrange(isMetrics) {
    const wanted = fieldsByMsgType(this.#groups);
    for (const [msgType, names] of this.#hasMetrics ? metricFields(this.#fields) : []) {
      wanted.set(msgType, new Set([...(wanted.get(msgType) ?? []), ...names]));
    }
    for (const [msgType, names] of wanted) this.streams.ensure(msgType, [...names], this.#fields.get(msgType));
    this.#board.isBuiltIn = isMetrics;
    if (isMetrics) this.deck.show(healthGroups(), this.#fields, metricItems(this.#board));
    else this.deck.show(this.#groups, this.#fields, []);
  }
}
