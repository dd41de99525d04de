/** The editor of a tenant's chart groups: a dialog with the list of them and one as a form. */
import { element } from '../base/dom.js';
import { html, render } from '../base/ui.js';
import { ApiError, getFieldsIfAny } from '../data/api.js';
import { groups as t } from '../texts.js';
import { saveBlob } from '../view/takeaway.js';
import { contentOf, exportText, importText, MSG_TYPES } from './model.js';
import { Store } from './store.js';
import { Sheet, Toasts } from './views.js';

/** How long “Undo” is there. */
const TOAST_MS = 20_000;

function copyOf(form) {
  return { ...structuredClone(form), title: t.copyOf(form.title) };
}

class Editor {
  #options;
  #store;
  #dialog = element('dialog', { class: 'g-editor', 'aria-label': t.heading });
  #body = element('div', { class: 'g-body' });
  /** Stays after the dialog, so that a deletion can still be undone. */
  #toastHost = element('div', { class: 'g-toasts', role: 'status' });
  #toasts = [];
  #selected = null;
  #state = '';
  #isBusy = false;
  #restyle = () => this.#draw();

  constructor({ tenant, chassisId, groupId, onChange, onClose }) {
    this.#options = { onChange, onClose, groupId };
    this.machine = { tenant, chassisId };
    /** Signals of the machine. @type {{msgType: string, fields: Object[]}[]} */
    this.lists = [];
    this.#store = new Store(tenant);
    this.#dialog.append(this.#body, this.#toastHost);
    this.#dialog.addEventListener('close', () => this.#closed());
    this.#dialog.addEventListener('keydown', (event) => this.#key(event));
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    addEventListener('themechange', this.#restyle);
    this.load();
  }

  close() {
    this.#dialog.close();
  }

  #closed() {
    removeEventListener('themechange', this.#restyle);
    render(null, this.#body);
    document.body.append(this.#toastHost);
    this.#dialog.remove();
    this.#draw();
    this.#options.onClose();
  }

  async load() {
    this.#state = t.loading;
    this.#draw();
    try {
      const { tenant, chassisId } = this.machine;
      const fields = MSG_TYPES.map((msgType) => getFieldsIfAny(tenant, chassisId, msgType));
      await this.#store.load();
      const lists = await Promise.all(fields);
      this.lists = MSG_TYPES.map((msgType, i) => ({ msgType, fields: lists[i] }));
      this.#state = '';
      this.#open(this.#options.groupId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#state = t.loadFailed(error.message);
      this.#draw();
    }
  }

  #open(groupId) {
    if (groupId === 'new') return this.add();
    const isKnown = this.#store.items.some(({ id }) => id === groupId);
    if (groupId && !isKnown) this.#say(t.unknownGroup);
    this.select(isKnown ? groupId : this.#store.items[0]?.id);
    return this.#focus('[aria-current]');
  }

  #focus(selector) {
    this.#body.querySelector(selector)?.focus();
  }

  /** An empty new group that is left is forgotten. */
  select(id = null) {
    for (const item of this.#store.items) {
      if (item.id !== id && !item.group && !item.isUnsaved) this.#store.discard(item.id);
    }
    this.#selected = id;
    this.#draw();
  }

  add(form) {
    this.select(this.#store.add(form));
    this.#focus('.g-title input');
  }

  #key(event) {
    if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.#body.querySelector('.g-save:enabled')?.click();
  }

  /** Say what happened. @param {string} text @param {(() => Promise<void>|void)|null} [undo] */
  #say(text, undo = null) {
    const toast = { text, undo };
    this.#toasts.push(toast);
    toast.timer = setTimeout(() => this.unsay(toast), TOAST_MS);
    this.#draw();
  }

  unsay(toast) {
    clearTimeout(toast.timer);
    this.#toasts = this.#toasts.filter((other) => other !== toast);
    this.#draw();
  }

  /** Ask the server for a change; the page behind follows. @returns {Promise<boolean>} whether it was made */
  async #change(ask, whatFailed) {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    const { changes } = this.#store;
    try {
      return (await ask()) !== false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isOld = error.status === 409 || error.status === 404;
      if (isOld) await this.#store.load().catch(() => {});
      this.#say(whatFailed(isOld ? t.changedMeanwhile : error.status ? error.message : t.noServer));
      return false;
    } finally {
      this.#isBusy = false;
      if (this.#store.changes > changes) this.#options.onChange();
      this.#draw();
    }
  }

  /** What an undo could not do it can be asked to do again. */
  async undo(toast) {
    if (await this.#change(toast.undo, t.undoFailed)) this.unsay(toast);
  }

  async save({ id, form }) {
    if (await this.#change(() => this.#store.save(id), t.saveFailed)) this.#say(t.saved(form.title));
    else if (this.#store.conflict(id)) this.#focus('.g-conflict');
  }

  discard({ id, form }) {
    const draft = this.#store.discard(id);
    this.select(this.#store.group(id) ? id : this.#store.groups[0]?.groupId);
    this.#say(t.discarded(form.title), () => {
      this.#store.restore(id, draft);
      this.select(id);
    });
  }

  async remove(item) {
    const { id, group } = item;
    if (!group) return this.discard(item);
    const at = this.#store.groups.indexOf(group);
    if (!(await this.#change(() => this.#store.remove(group), t.removeFailed))) return undefined;
    const draft = this.#store.discard(id);
    this.select((this.#store.groups[at] ?? this.#store.groups.at(-1))?.groupId);
    this.#focus('[aria-current]');
    return this.#say(t.removed(group.title), async () => {
      this.#store.restore(id, draft);
      await this.#store.put(id, contentOf(group), 0, group.order);
      this.select(id);
    });
  }

  async move({ id, group }, by) {
    if (group) await this.#change(() => this.#store.move(id, by), t.moveFailed);
    this.#focus('[aria-current]');
  }

  async overwrite(item) {
    const theirs = this.#store.group(item.id);
    this.#store.rebase(item.id);
    if (!(await this.#change(() => this.#store.save(item.id), t.saveFailed)) || !theirs) return;
    this.#say(t.kept(item.form.title), () =>
      this.#store.put(item.id, contentOf(theirs), this.#store.group(item.id).version));
  }

  async saveCopy({ id, form }) {
    const copy = this.#store.add(copyOf(form));
    const isSaved = await this.#change(() => this.#store.save(copy), t.saveFailed);
    this.#store.discard(isSaved ? id : copy);
    this.select(isSaved ? copy : id);
    if (isSaved) this.#say(t.saved(this.#store.group(copy).title));
  }

  copy({ form }) {
    this.add(copyOf(form));
  }

  /** @param {import('../data/api.js').Group[]} groups all of them by default */
  export(groups = this.#store.groups) {
    const name = groups.length === 1 ? groups[0].title : `charts-${this.machine.tenant}`;
    saveBlob(new Blob([exportText(groups)], { type: 'application/json' }), `${name.replace(/[^\w-]+/g, '-')}.json`);
  }

  async import(file) {
    const { bodies, errors } = importText(await file.text());
    if (errors.length) return this.#say(t.notImported(file.name, errors));
    const { changes } = this.#store;
    const count = () => this.#store.changes - changes;
    await this.#change(() => this.#store.addAll(bodies), (message) => t.importFailed(bodies[count()].title, message));
    return this.#say(t.imported(count(), bodies.length));
  }

  /** @param {string} id @param {(form: import('./model.js').Form) => void} change */
  edit(id, change) {
    this.#store.edit(id, change);
    this.#draw();
  }

  #draw() {
    render(html`<${Toasts} toasts=${this.#toasts} editor=${this} />`, this.#toastHost);
    if (!this.#dialog.isConnected) {
      if (!this.#toasts.length) this.#toastHost.remove();
      return;
    }
    const focused = document.activeElement;
    const home = focused.closest('fieldset, section, nav');
    const { items } = this.#store;
    const item = items.find(({ id }) => id === this.#selected);
    const conflict = item && this.#store.conflict(item.id);
    const sheet = html`<${Sheet} editor=${this} items=${items} item=${item} state=${this.#state} conflict=${conflict} />`;
    render(sheet, this.#body);
    // A row that was moved, or a button that has done its work, does not take the focus with it.
    if (focused.isConnected && !focused.disabled) focused.focus();
    else if (home?.isConnected) home.querySelector('button:enabled, input')?.focus();
  }
}

/**
 * @param {{tenant: string, chassisId: string, groupId: string|'new'|null, onChange: () => void, onClose: () => void}} options
 *   `onChange` after each change on the server
 * @returns {{close: () => void}}
 */
export function openEditor(options) {
  const editor = new Editor(options);
  return { close: () => editor.close() };
}
