/** A tenant's groups on the server, and what is not saved of them: kept in this browser from the first keystroke on. */
import { recall, remember } from '../base/storage.js';
import { datasets, request } from '../data/api.js';
import { contentOf, differences, EMPTY, isSame, moved, reorder, toBody, toForm } from './model.js';

/**
 * @typedef {import('../data/api.js').Group} Group
 * @typedef {import('./model.js').Body} Body
 * @typedef {import('./model.js').Form} Form
 * @typedef {{version: number, base: Body, form: Form}} Draft
 *   `version`, `base`: what was changed, version 0 where nothing is on the server
 * @typedef {{id: string, form: Form, group: Group|undefined, isUnsaved: boolean, conflict: string[]|null}} Item
 *   `conflict`: what others changed, where the server has another version than was changed, or none
 */

const isUnsaved = (draft) => draft !== undefined && !isSame(toBody(draft.form), draft.base);

/** @returns {string} for a new group */
export function newId() {
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}

export class Store {
  /** @type {Group[]} in their order */
  groups = [];
  /** @type {Map<string, Draft>} by groupId */
  drafts;
  #key;
  #url;

  /** @param {string} tenant */
  constructor(tenant) {
    this.#key = `drafts.${tenant}`;
    this.#url = `${datasets(tenant)}/_groups`;
    this.drafts = new Map(Object.entries(this.#kept()));
  }

  /** @throws {import('../data/api.js').ApiError} as all that asks the server */
  async load() {
    this.#take((await request(this.#url)).groups);
  }

  /** @param {string} id @returns {Group|undefined} as it is on the server */
  group(id) {
    return this.groups.find((group) => group.groupId === id);
  }

  /** @returns {Item[]} */
  get items() {
    const ids = new Set([...this.groups.map(({ groupId }) => groupId), ...this.drafts.keys()]);
    return [...ids].map((id) => {
      const [group, draft] = [this.group(id), this.drafts.get(id)];
      const isOther = draft && draft.version !== (group?.version ?? 0);
      const conflict = isOther ? differences(draft.base, contentOf(group ?? draft.base)) : null;
      return { id, group, conflict, form: draft?.form ?? toForm(group), isUnsaved: isUnsaved(draft) };
    });
  }

  /** @param {Form} [form] to begin with @returns {string} its id */
  add(form = toForm()) {
    const id = newId();
    this.keep(id, { version: 0, base: EMPTY, form });
    return id;
  }

  /** @param {string} id @param {(form: Form) => void} change */
  edit(id, change) {
    const group = this.group(id);
    const begun = () => ({ version: group.version, base: contentOf(group), form: toForm(group) });
    const draft = structuredClone(this.drafts.get(id) ?? begun());
    change(draft.form);
    this.keep(id, draft.version && !isUnsaved(draft) ? undefined : draft);
  }

  /**
   * The list in the browser is read anew: another page has drafts of its own.
   * @param {string} id @param {Draft} [draft] none: it is forgotten @returns {Draft|undefined} what there was
   */
  keep(id, draft) {
    const before = this.drafts.get(id);
    if (draft) this.drafts.set(id, draft);
    else this.drafts.delete(id);
    const kept = this.#kept();
    // What another page typed since of the same group is not this one's to forget.
    if (isUnsaved(draft)) kept[id] = draft;
    else if (JSON.stringify(kept[id]) === JSON.stringify(before)) delete kept[id];
    remember(this.#key, JSON.stringify(kept));
    return before;
  }

  /** From now on the draft is a change of what the server has. @param {string} id */
  rebase(id) {
    const group = this.group(id);
    this.keep(id, { ...this.drafts.get(id), version: group?.version ?? 0, base: contentOf(group ?? EMPTY) });
  }

  /** @param {string} id @returns {Promise<boolean>} false where there is a conflict now; the draft stays then */
  async save(id) {
    const { form, version } = this.drafts.get(id);
    try {
      await this.put(id, toBody(form), version);
    } catch (error) {
      if (error.status !== 409 && !(error.status === 404 && version)) throw error;
      await this.load();
      // Only its order was changed meanwhile, or the answer to the same request was lost.
      const draft = this.drafts.get(id);
      const isRebased = draft && draft.version !== version && draft.version === this.group(id)?.version;
      return draft ? isRebased && this.save(id) : true;
    }
    // What was typed while the server was asked is not saved.
    if (this.drafts.has(id)) this.rebase(id);
    return true;
  }

  /**
   * @param {string} id @param {Body} body
   * @param {number} [version] that is replaced; 0 makes a new one
   * @param {number} [order] where it stands; by default where it is, a new one at the end
   */
  async put(id, body, version = 0, order = this.group(id)?.order ?? (this.groups.at(-1)?.order ?? -1) + 1) {
    const expected = version ? { 'If-Match': `"${version}"` } : { 'If-None-Match': '*' };
    const group = await request(this.#urlOf(id), {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json', ...expected },
      body: JSON.stringify({ ...body, order }),
    });
    this.#take([...this.#without(id), group]);
  }

  /** @param {Group} group as it is listed here; 409 where another version is there now */
  async remove({ groupId, version }) {
    await request(this.#urlOf(groupId), { method: 'DELETE', headers: { 'If-Match': `"${version}"` } });
    this.#take(this.#without(groupId));
  }

  /** @param {string} id @param {number} by places */
  async move(id, by) {
    const at = this.groups.indexOf(this.group(id));
    const next = moved(this.groups, at, at + by);
    for (const [group, order] of reorder(next)) await this.put(group.groupId, contentOf(group), group.version, order);
  }

  #urlOf(id) {
    return `${this.#url}/${encodeURIComponent(id)}`;
  }

  #without(id) {
    return this.groups.filter(({ groupId }) => groupId !== id);
  }

  /** A draft of a group of which only the order or the number was changed has no conflict. */
  #take(groups) {
    this.groups = [...groups].sort((a, b) => a.order - b.order || (a.groupId < b.groupId ? -1 : 1));
    for (const [id, draft] of this.drafts) {
      const group = this.group(id);
      if (group && isSame(group, toBody(draft.form))) this.keep(id);
      else if (group && isSame(group, draft.base)) this.rebase(id);
      else this.keep(id, draft); // another page of this browser may have overwritten it
    }
  }

  /** @returns {Object<string, Draft>} none where they are not as they were written */
  #kept() {
    try {
      const kept = { ...JSON.parse(recall(this.#key)) };
      return Object.values(kept).every(isUnsaved) ? kept : {};
    } catch {
      return {};
    }
  }
}
