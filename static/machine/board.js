/** What is shown of one machine: its window, cursor, hidden lines and editor, and the part of the URL that says so. */
import { mayOperate } from '../base/account.js';
import { Cursor } from '../charts/cursor.js';
import { DeviceClock } from '../data/clock.js';
import { TimeWindow } from '../view/window.js';
import { openEditor } from '../groups/editor.js';
import { readHidden, writeHidden } from '../view/route.js';
import { Sources } from './sources.js';

/** The editor is open, with no group that was asked for. */
const FIRST = 'charts';

/**
 * @typedef {object} BoardHandlers
 * @property {() => void} onWindow the time window is another one
 * @property {() => void} onChange `params` may be others now
 * @property {() => void} onGroups the groups were edited
 * @property {(msgType: string) => import('../data/feed.js').FeedHandlers} ofFeed
 */

export class Board {
  clock = new DeviceClock();
  cursor = new Cursor();
  showsStatistics = false;
  /** The cards are no groups of the tenant. */
  isBuiltIn = false;
  /** @type {import('../charts/card.js').Card[]} */
  cards = [];
  #handlers;
  /** Fields that are switched off, by group, of groups that are not shown now, too. @type {Map<string, Set<string>>} */
  #hidden = new Map();
  #editing = '';
  #editor = null;

  /** @param {import('../view/route.js').Route} route @param {BoardHandlers} handlers */
  constructor({ tenant, chassisId }, handlers) {
    this.tenant = tenant;
    this.chassisId = chassisId;
    this.#handlers = handlers;
    /** The URL has to follow. */
    this.changed = handlers.onChange;
    /** By msgType. */
    this.sources = new Sources(this, handlers.ofFeed);
    this.window = new TimeWindow(handlers.onWindow);
    this.cursor.watch(() => this.changed());
  }

  /** @returns {number} device ms */
  now() {
    return this.clock.now();
  }

  /** @returns {Map<string, Set<string>>} fields by group */
  get hidden() {
    for (const { group, hidden } of this.cards) this.#hidden.set(group.groupId, hidden);
    return this.#hidden;
  }

  /** @returns {Object<string, string>} what the URL says behind `?` */
  get params() {
    const { isPinned, t } = this.cursor;
    return {
      ...this.window.toParams(),
      ...(isPinned && { t: String(Math.round(t)) }),
      hide: writeHidden(this.hidden),
      edit: this.#editing,
    };
  }

  set params(params) {
    this.window.fromParams(new URLSearchParams(params));
    const t = Number(params.t || NaN);
    this.cursor.pin(Number.isFinite(t) ? t : null);
    this.#hidden = readHidden(params.hide);
    for (const card of this.cards) card.setHidden(this.#hidden.get(card.group.groupId) ?? new Set());
    if (!params.edit || !mayOperate(this.tenant)) this.close();
    else if (params.edit !== this.#editing) this.#edit(params.edit === FIRST ? null : params.edit);
  }

  /** Null where what is shown is built in, or not for this user to change. @returns {((groupId: string|null) => void)|null} */
  get edit() {
    return this.isBuiltIn || !mayOperate(this.tenant) ? null : (groupId) => this.#edit(groupId);
  }

  /** @param {string|null} groupId `new` for a new one, null for the first */
  #edit(groupId) {
    this.close();
    this.#editing = groupId ?? FIRST;
    this.changed();
    const { tenant, chassisId } = this;
    const onClose = () => {
      if (this.#editor !== editor) return; // its close is told late: another one may be open by now
      this.#editor = null;
      this.#editing = '';
      this.changed();
    };
    const editor = openEditor({ tenant, chassisId, groupId, onChange: this.#handlers.onGroups, onClose });
    this.#editor = editor;
  }

  /** Close the editor. */
  close() {
    this.#editing = '';
    this.#editor?.close();
    this.#editor = null;
  }
}
