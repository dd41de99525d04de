/** A tenant's groups on the server, and what is not saved of them: kept in this browser from the first keystroke on. */
import { recall, remember } from '../base/storage.js';
import { datasets, request } from '../data/api.js';
import { serverClock } from '../data/clock.js';
import { contentOf, differences, isSame, moved, reorder, toBody, toForm } from './model.js';

/**
 * @typedef {import('../data/api.js').Group} Group
 * @typedef {{at: number, version: number, base: import('./model.js').Body, form: import('./model.js').Form}} Draft
 *   `at`: Unix ms of the last change; `version`, `base`: what was changed, version 0 where nothing is on the server
 */

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, '0')).join('');
}

/** Drafts have a key a group, and their ids one of the tenant. */
export class Store {
  /** @type {Group[]} in their order */
  groups = [];
  /** @type {Map<string, Draft>} by groupId */
  drafts = new Map();
  /** How many changes the server took. */
  changes = 0;
  #tenant;
  #url;

  /** @param {string} tenant */
  constructor(tenant) {
    this.#tenant = tenant;
    this.#url = `${datasets(tenant)}/_groups`;
    for (const id of this.#storedIds()) {
      const text = recall(this.#key(id));
      if (text) this.drafts.set(id, JSON.parse(text));
    }
  }

  /** @throws {import('../data/api.js').ApiError} as all that asks the server */
  async load() {
    this.#take((await request(this.#url)).groups);
  }

  /** @param {string} id @returns {Group|undefined} as it is on the server */
  group(id) {
    return this.groups.find((group) => group.groupId === id);
  }

  /** @returns {{id: string, form: import('./model.js').Form, group: Group|undefined, draft: Draft|undefined}[]} */
  get items() {
    const ids = new Set([...this.groups.map(({ groupId }) => groupId), ...this.drafts.keys()]);
    return [...ids].map((id) => {
      const [group, draft] = [this.group(id), this.drafts.get(id)];
      return { id, group, draft, form: draft?.form ?? toForm(group), isUnsaved: this.#isUnsaved(draft) };
    });
  }

  /** @param {import('./model.js').Form} [form] to begin with @returns {string} its id */
  add(form = toForm()) {
    const id = newId();
    this.drafts.set(id, { at: serverClock.now(), version: 0, base: toBody(toForm()), form });
    this.#keep(id);
    return id;
  }

  /** @param {string} id @param {(form: import('./model.js').Form) => void} change */
  edit(id, change) {
    const group = this.group(id);
    const begun = () => ({ version: group.version, base: contentOf(group), form: toForm(group) });
    const draft = structuredClone(this.drafts.get(id) ?? begun());
    change(draft.form);
    this.restore(id, { ...draft, at: serverClock.now() });
    if (draft.version && isSame(draft.base, toBody(draft.form))) this.discard(id);
  }

  /** @param {string} id @returns {Draft|undefined} for `restore` */
  discard(id) {
    const draft = this.drafts.get(id);
    this.drafts.delete(id);
    this.#keep(id);
    return draft;
  }

  /** @param {string} id @param {Draft|undefined} draft */
  restore(id, draft) {
    if (!draft) return;
    this.drafts.set(id, draft);
    this.#keep(id);
  }

  /** @param {string} id @returns {{said: string[]}|null} where the server has another version than was changed, or none */
  conflict(id) {
    const draft = this.drafts.get(id);
    const theirs = this.group(id);
    if (!draft || draft.version === (theirs?.version ?? 0)) return null;
    return { said: theirs ? differences(draft.base, contentOf(theirs)) : [] };
  }

  /** From now on the draft is a change of what the server has. @param {string} id */
  rebase(id) {
    const theirs = this.group(id);
    this.restore(id, { ...this.drafts.get(id), version: theirs?.version ?? 0, base: contentOf(theirs ?? {}) });
  }

  /** @param {string} id @returns {Promise<boolean>} false where there is a conflict now; the draft stays then */
  async save(id) {
    const { form, version } = this.drafts.get(id);
    try {
      await this.put(id, toBody(form), version);
    } catch (error) {
      if (error.status !== 409 && !(error.status === 404 && version)) throw error;
      if (error.body?.group) this.#replace(id, error.body.group);
      else await this.load();
      // Only its order was changed meanwhile, or the answer to the same request was lost.
      const draft = this.drafts.get(id);
      return !draft || (!this.conflict(id) && draft.version !== version && this.save(id));
    }
    // What was typed while the server was asked is not saved.
    const draft = this.drafts.get(id);
    if (draft && isSame(toBody(draft.form), toBody(form))) this.discard(id);
    else if (draft) this.rebase(id);
    return true;
  }

  /**
   * @param {string} id @param {import('./model.js').Body} body
   * @param {number} version that is replaced; 0 makes a new one
   * @param {number} [order] where it stands; by default where it is, a new one at the end
   */
  async put(id, body, version, order = this.group(id)?.order ?? this.#last + 1) {
    const expected = version ? { 'If-Match': `"${version}"` } : { 'If-None-Match': '*' };
    const group = await request(this.#urlOf(id), {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json', ...expected },
      body: JSON.stringify({ ...body, order }),
    });
    this.changes++;
    this.#replace(id, group);
  }

  /** @param {Group} group as it is listed here; 409 where another version is there now */
  async remove({ groupId, version }) {
    await request(this.#urlOf(groupId), { method: 'DELETE', headers: { 'If-Match': `"${version}"` } });
    this.changes++;
    this.#take(this.groups.filter((group) => group.groupId !== groupId));
  }

  /** @param {string} id @param {number} by places */
  async move(id, by) {
    const at = this.groups.findIndex(({ groupId }) => groupId === id);
    const next = moved(this.groups, at, at + by);
    for (const [group, order] of reorder(next)) await this.put(group.groupId, contentOf(group), group.version, order);
  }

  /** @param {import('./model.js').Body[]} bodies new groups at the end */
  async addAll(bodies) {
    for (const body of bodies) await this.put(newId(), body, 0);
  }

  get #last() {
    return Math.max(-1, ...this.groups.map(({ order }) => order));
  }

  #urlOf(id) {
    return `${this.#url}/${encodeURIComponent(id)}`;
  }

  #replace(id, group) {
    this.#take([...this.groups.filter(({ groupId }) => groupId !== id), group]);
  }

  /** A draft of a group of which only the order or the number was changed has no conflict. */
  #take(groups) {
    this.groups = [...groups].sort((a, b) => a.order - b.order || (a.groupId < b.groupId ? -1 : 1));
    for (const [id, { base, form }] of this.drafts) {
      const group = this.group(id);
      if (group && isSame(contentOf(group), base)) this.rebase(id);
      if (group && isSame(contentOf(group), toBody(form))) this.discard(id);
      this.#keep(id); // another page of this browser may have overwritten it
    }
  }

  #isUnsaved(draft) {
    return draft !== undefined && !isSame(toBody(draft.form), draft.base);
  }

  #key(id) {
    return `draft.${this.#tenant}.${id}`;
  }

  #storedIds() {
    return (recall(`drafts.${this.#tenant}`) ?? '').split(',').filter(Boolean);
  }

  /** Write what is in memory of a draft. The list of ids is read anew: another page has drafts of its own. */
  #keep(id) {
    const draft = this.drafts.get(id);
    const isKept = this.#isUnsaved(draft);
    if (isKept || recall(this.#key(id))) remember(this.#key(id), isKept ? JSON.stringify(draft) : '');
    const ids = new Set(this.#storedIds());
    if (isKept === ids.has(id)) return;
    if (isKept) ids.add(id);
    else ids.delete(id);
    remember(`drafts.${this.#tenant}`, [...ids].join(','));
  }
}
