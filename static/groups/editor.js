/** The editor of a tenant's chart groups: a dialog with the list of them and one as a form. */
import { element } from '../base/dom.js';
import { render } from '../base/ui.js';
import { ApiError, getFieldsIfAny } from '../data/api.js';
import { groups as t, page, texts } from '../texts.js';
import { saveBlob } from '../view/takeaway.js';
import { contentOf, exportText, importText, MSG_TYPES } from './model.js';
import { newId, Store } from './store.js';
import { content, toastList } from './views.js';

/** @typedef {import('./store.js').Item} Item */

/** How long “Undo” is there. */
const TOAST_MS = 20_000;
const RETRY_MS = 5000;

export class Editor {
  #options;
  #store;
  #dialog = element('dialog', { class: 'g-editor', 'aria-label': page.edit });
  #body = element('div', { class: 'g-body' });
  /** Stays after the dialog, so that a deletion can still be undone. */
  #toastHost = element('div', { class: 'g-toasts', role: 'status' });
  #toasts = [];
  #selected = null;
  #note = texts.loading;
  #isBusy = false;

  constructor({ tenant, chassisId, groupId, onChange, onClose }) {
    this.#options = { onChange, onClose, groupId };
    this.machine = { tenant, chassisId };
    /** Signals of the machine; null before the groups are there. @type {{msgType: string, fields: Object[]}[]|null} */
    this.lists = null;
    this.#store = new Store(tenant);
    this.#dialog.append(this.#body, this.#toastHost);
    this.#dialog.onclose = () => this.#closed();
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#load();
  }

  close() {
    this.#dialog.close();
  }

  #closed() {
    render(null, this.#body);
    document.body.append(this.#toastHost);
    this.#dialog.remove();
    this.#draw();
    this.#options.onClose();
  }

  /** Groups and signals, until both are there. Without the signals the groups can be edited. */
  async #load() {
    this.#draw();
    const { tenant, chassisId } = this.machine;
    const { groupId } = this.#options;
    try {
      await this.#store.load();
      this.lists = [];
      this.lists = await Promise.all(MSG_TYPES.map(async (msgType) =>
        ({ msgType, fields: await getFieldsIfAny(tenant, chassisId, msgType) })));
      this.#note = '';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#note = texts.notLoaded(this.lists ? page.signals : page.charts, error.message);
      setTimeout(() => this.#dialog.open && this.#load(), RETRY_MS);
    }
    if (!this.lists || this.#selected) return this.#draw();
    if (groupId === 'new') return this.add();
    this.select(groupId ?? this.#store.items[0]?.id);
    return this.#focus('[aria-current=true]');
  }

  #focus(selector) {
    this.#body.querySelector(selector)?.focus();
  }

  /** An empty new group that is left is forgotten. */
  select(selected) {
    for (const { id, group, isUnsaved } of this.#store.items) {
      if (id !== selected && !group && !isUnsaved) this.#store.keep(id);
    }
    this.#selected = selected;
    this.#draw();
  }

  add(form) {
    this.select(this.#store.add(form));
    this.#focus('.g-title input');
  }

  copy({ form }) {
    this.add({ ...structuredClone(form), title: t.copyOf(form.title) });
  }

  /** @param {string} id @param {(form: import('./model.js').Form) => void} change */
  edit(id, change) {
    this.#store.edit(id, change);
    this.#draw();
  }

  /** Say what happened. @param {string} text @param {() => Promise<void>|void} [undo] */
  #say(text, undo) {
    const toast = { text, undo };
    this.#toasts.push(toast);
    // Not from under the hands of who is about to undo it.
    const leave = () => {
      if (this.#toastHost.matches(':hover, :focus-within')) setTimeout(leave, TOAST_MS);
      else this.unsay(toast);
    };
    setTimeout(leave, TOAST_MS);
    this.#draw();
  }

  unsay(toast) {
    this.#toasts = this.#toasts.filter((other) => other !== toast);
    this.#draw();
  }

  /** Ask the server for a change; the page behind follows. @returns {Promise<boolean>} whether it was made */
  async #change(ask) {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    try {
      return (await ask()) !== false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isOld = error.status === 409 || error.status === 404;
      if (isOld) await this.#store.load().catch(() => {});
      this.#say(t.failed(isOld ? t.changedMeanwhile : error.status ? error.message : t.noServer));
      return false;
    } finally {
      this.#isBusy = false;
      this.#options.onChange();
      this.#draw();
    }
  }

  /** What an undo could not do it can be asked to do again. */
  async undo(toast) {
    if (!(await this.#change(toast.undo))) return;
    this.unsay(toast);
    this.#focus('[aria-current=true]');
  }

  /** @param {Item} item */
  async save({ id, form }) {
    if (await this.#change(() => this.#store.save(id))) this.#say(t.saved(form.title));
    else this.#focus('.g-conflict');
  }

  async overwrite(item) {
    this.#store.rebase(item.id);
    await this.save(item);
  }

  /**
   * Undo discards what was typed since, and that can be undone, too.
   * @param {{id: string}} item @param {import('./store.js').Draft} [draft] that takes its place
   */
  discard({ id }, draft) {
    const at = this.#indexOf(id);
    const typed = this.#store.keep(id, draft);
    this.#selectNear(id, at);
    if (typed) this.#say(t.discarded(typed.form.title), () => this.discard({ id }, typed));
  }

  async remove(item) {
    const { id, group } = item;
    if (!group) return this.discard(item);
    const at = this.#indexOf(id);
    if (!(await this.#change(() => this.#store.remove(group)))) return undefined;
    const draft = this.#store.keep(id);
    this.#selectNear(id, at);
    return this.#say(t.deleted(group.title), async () => {
      if (draft) this.#store.keep(id, draft);
      await this.#store.put(id, contentOf(group), 0, group.order);
      this.select(id);
    });
  }

  #indexOf(id) {
    return this.#store.items.findIndex((item) => item.id === id);
  }

  /** Where it is gone, what has come to its place. */
  #selectNear(id, at) {
    const { items } = this.#store;
    this.select(this.#store.group(id) ? id : (items[at] ?? items.at(-1))?.id);
    this.#focus('[aria-current=true]');
  }

  async move({ id }, by) {
    await this.#change(() => this.#store.move(id, by));
  }

  /** @param {import('../data/api.js').Group[]} groups all of them by default */
  export(groups = this.#store.groups) {
    saveBlob(new Blob([exportText(groups)], { type: 'application/json' }), 'charts.json');
  }

  /** One that the server refuses ends it; those before it are there then, and can be taken back. */
  async import(file) {
    const bodies = importText(await file.text());
    if (!bodies) return this.#say(t.notImported(file.name));
    const ids = [];
    await this.#change(async () => {
      for (const body of bodies) {
        const id = newId();
        await this.#store.put(id, body);
        ids.push(id);
      }
    });
    const undo = async () => {
      for (const group of ids.map((id) => this.#store.group(id))) if (group) await this.#store.remove(group);
    };
    return this.#say(t.imported(ids.length, bodies.length), ids.length ? undo : undefined);
  }

  #draw() {
    render(toastList(this.#toasts, this), this.#toastHost);
    if (!this.#dialog.isConnected) {
      if (!this.#toasts.length) this.#toastHost.remove();
      return;
    }
    const focused = document.activeElement;
    const home = focused.closest('fieldset, section, nav');
    const { items } = this.#store;
    render(content(this, items, items.find(({ id }) => id === this.#selected), this.#note), this.#body);
    // A row that was moved, or a button that has done its work, does not take the focus with it.
    if (focused.isConnected && !focused.disabled) focused.focus();
    else if (home?.isConnected) home.querySelector('button:enabled, input')?.focus();
  }
}

/**
 * @param {{tenant: string, chassisId: string, groupId: string|'new'|null, onChange: () => void,
 *   onClose: () => void}} options `onChange` after each change on the server
 * @returns {{close: () => void}}
 */
export function openEditor(options) {
  return new Editor(options);
}
