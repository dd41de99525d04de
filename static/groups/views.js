/** What stands around the form: the list of groups, a conflict, saving, what happened. Draws from what it is given. */
import { html } from '../base/ui.js';
import { groups as t, msgTypeName, page } from '../texts.js';
import { button, groupForm } from './form.js';
import { validate } from './model.js';

/**
 * @typedef {import('./editor.js').Editor} Editor
 * @typedef {import('./store.js').Item} Item
 */

function entry({ id, form, group, isUnsaved }, selected, editor) {
  return html`<li key=${id}>
    <button type="button" aria-current=${id === selected?.id} onClick=${() => editor.select(id)}>
      <span>${form.title || t.unnamed}</span> <small>${msgTypeName(form.msgType)}</small>
      ${(isUnsaved || !group) && html` <small class="g-unsaved">${t.unsaved}</small>`}
    </button></li>`;
}

function list(items, selected, editor) {
  const title = selected?.form.title ?? '';
  const onFile = async ({ target }) => {
    if (target.files[0]) await editor.import(target.files[0]);
    target.value = ''; // the same file can be chosen again
  };
  return html`<nav class="g-list" aria-label=${page.charts}>
    <div class="g-tools">
      ${button(t.add, '', () => editor.add())}
      ${button('↑', t.moveUp(title), () => editor.move(selected, -1), !selected?.group)}
      ${button('↓', t.moveDown(title), () => editor.move(selected, 1), !selected?.group)}
      ${button(t.copy, '', () => editor.copy(selected), !selected)}
      ${button(t.delete, '', () => editor.remove(selected), !selected)}
    </div>
    <ul>${items.map((item) => entry(item, selected, editor))}</ul>
    <div class="g-tools">
      <label class="quiet g-import">${t.import}<input type="file" accept=".json" onChange=${onFile} /></label>
      ${button(t.export, '', () => editor.export([selected.group]), !selected?.group)}
      ${button(t.exportAll, '', () => editor.export())}
    </div>
  </nav>`;
}

/** Somebody else saved, or deleted, what is changed here. */
function conflictOf(item, isWrong, editor) {
  return html`<div class="g-conflict" role="alert" tabindex="-1">
    <b>${item.group ? t.conflict : t.conflictGone}</b>
    <ul>${item.conflict.map((text) => html`<li>${text}</li>`)}</ul>
    <div class="g-tools">
      ${button(t.keepMine, '', () => editor.overwrite(item), isWrong)}
      ${button(t.discardMine, '', () => editor.discard(item))}
    </div>
  </div>`;
}

/** @param {Item} item @param {Editor} editor */
function sheet(item, editor) {
  const { id, form, isUnsaved, conflict } = item;
  const [[place, what] = []] = validate(form);
  const reason = place ? `${t[place.split('.')[0]]}: ${what}` : conflict ? t.decide : isUnsaved ? '' : t.nothingChanged;
  return html`<section class="g-form" key=${id} aria-label=${form.title || t.unnamed}>
    ${conflict && conflictOf(item, Boolean(place), editor)}
    ${groupForm(form, editor, (change) => editor.edit(id, change))}
    <footer>
      <p id="g-why">${reason}</p>
      ${isUnsaved && !conflict && button(t.discard, '', () => editor.discard(item))}
      <button type="button" class="g-save" aria-describedby="g-why" disabled=${Boolean(reason)}
        onClick=${() => editor.save(item)}>${t.save}</button>
    </footer>
  </section>`;
}

/** @param {{text: string, undo: Function|undefined}[]} toasts @param {Editor} editor */
export function toastList(toasts, editor) {
  return toasts.map((toast) => html`<div class="g-toast" key=${toast}><span>${toast.text}</span>
    ${toast.undo && button(t.undo, '', () => editor.undo(toast))}
    ${button('✕', t.dismiss, () => editor.unsay(toast))}</div>`);
}

/**
 * What the dialog shows.
 * @param {Editor} editor @param {Item[]} items @param {Item|undefined} item @param {string} note what is not there
 */
export function content(editor, items, item, note) {
  return html`<header><h2>${page.edit}</h2>${button(t.close, '', () => editor.close())}</header>
    ${note && html`<p class="g-note">${note}</p>`}
    ${editor.lists && html`<div class="g-columns">${list(items, item, editor)}
      ${item ? sheet(item, editor) : html`<p class="g-note">${t.none}</p>`}</div>`}`;
}
