/** What stands around the form: the list of groups, a conflict, saving, what happened. Draws from what it is given. */
import { html } from '../base/ui.js';
import { formatMoment } from '../base/format.js';
import { serverClock } from '../data/clock.js';
import { groups as t, msgTypeName } from '../texts.js';
import { button, GroupForm, onAltArrow } from './form.js';
import { validate } from './model.js';

/** ↑ and ↓ go through the list. */
function onArrow(event) {
  const next = { ArrowUp: 'previousElementSibling', ArrowDown: 'nextElementSibling' }[event.key];
  if (event.altKey || !next) return;
  event.preventDefault();
  event.target.closest('li')[next]?.firstElementChild.focus();
}

function entry(item, selected, editor) {
  const { id, form, group, isUnsaved } = item;
  const isCurrent = id === selected?.id;
  const move = (by) => {
    editor.select(id);
    editor.move(item, by);
  };
  return html`<li key=${id}>
    <button type="button" aria-current=${isCurrent ? 'true' : undefined} onClick=${() => editor.select(id)}
      onKeyDown=${(event) => { onAltArrow(move)(event); onArrow(event); }}>
      <span>${form.title || t.unnamed}</span> <small>${msgTypeName(form.msgType)}</small>
      ${(isUnsaved || !group) && html` <small class="g-unsaved">${t.unsaved}</small>`}
    </button></li>`;
}

/** @param {{items: Object[], selected: Object|undefined, editor: Object}} properties */
function List({ items, selected, editor }) {
  const stored = items.filter(({ group }) => group);
  const at = stored.indexOf(selected);
  const title = selected?.form.title ?? '';
  const onFile = async ({ target }) => {
    if (target.files[0]) await editor.import(target.files[0]);
    target.value = ''; // the same file can be chosen again
  };
  return html`<nav class="g-list" aria-label=${t.list}>
    <div class="g-tools">
      ${button(t.add, '', () => editor.add())}
      ${button('↑', t.moveUp(title), () => editor.move(selected, -1), at < 0)}
      ${button('↓', t.moveDown(title), () => editor.move(selected, 1), at < 0)}
      ${button(t.copy, '', () => editor.copy(selected), !selected)}
      ${button(t.delete, '', () => editor.remove(selected), !selected)}
    </div>
    <ul>${items.map((item) => entry(item, selected, editor))}</ul>
    <div class="g-tools">
      <label class="quiet g-import">${t.import}<input type="file" accept=".json,application/json" onChange=${onFile} /></label>
      ${button(t.export, '', () => editor.export([selected.group]), at < 0)}
      ${button(t.exportAll, '', () => editor.export(), !stored.length)}
    </div>
  </nav>`;
}

/**
 * Somebody else saved, or deleted, what is changed here.
 * @param {{item: Object, said: string[], editor: Object}} properties
 */
function Conflict({ item, said, editor }) {
  const isInvalid = validate(item.form).size > 0;
  return html`<div class="g-conflict" role="alert" tabindex="-1">
    <b>${item.group ? t.conflict : t.conflictGone}</b>
    ${item.group && html`<p>${t.theirs(formatMoment(item.group.changed, serverClock.now()))}</p><ul>${said.map((text) => html`<li>${text}</li>`)}</ul>`}
    <div class="g-tools">
      ${button(item.group ? t.keepMine : t.saveAsNew, '', () => editor.overwrite(item), isInvalid)}
      ${button(item.group ? t.takeTheirs : t.letGo, '', () => editor.discard(item))}
      ${item.group && button(t.saveCopy, '', () => editor.saveCopy(item), isInvalid)}
    </div>
  </div>`;
}

/** @param {{item: Object, isConflict: boolean, editor: Object}} properties */
function Foot({ item, isConflict, editor }) {
  const { draft, form } = item;
  const [place, what] = [...validate(form)][0] ?? [];
  const reason = place ? t.wrongAt(place, what) : isConflict ? t.decide : draft ? '' : t.nothingChanged;
  const since = draft && item.isUnsaved ? t.unsavedSince(formatMoment(draft.at, serverClock.now())) : '';
  return html`<footer>
    <p id="g-why">${[since, reason].filter(Boolean).join(' ')}</p>
    ${since && !isConflict && button(t.discard, '', () => editor.discard(item))}
    <button type="button" class="g-save" aria-describedby="g-why" disabled=${Boolean(reason)}
      onClick=${() => editor.save(item)}>${t.save}</button>
  </footer>`;
}

/** @param {{toasts: {text: string, undo: Function|null}[], editor: Object}} properties */
export function Toasts({ toasts, editor }) {
  return toasts.map((toast) => html`<div class="g-toast" key=${toast}><span>${toast.text}</span>
    ${toast.undo && button(t.undo, '', () => editor.undo(toast))}
    ${button('✕', t.dismiss, () => editor.unsay(toast))}</div>`);
}

/**
 * What the dialog shows.
 * @param {{editor: import('./editor.js').Editor, items: Object[], item: Object|undefined, state: string,
 *   conflict: {said: string[]}|null}} properties `state`: why there is no list
 */
export function Sheet({ editor, items, item, state, conflict }) {
  return html`<header><h2>${t.heading}</h2>${button(t.close, '', () => editor.close())}</header>
    ${state && html`<p class="g-note">${state} ${state !== t.loading && button(t.again, '', () => editor.load())}</p>`}
    ${!state && html`<div class="g-columns"><${List} items=${items} selected=${item} editor=${editor} />
      ${!item && html`<p class="g-note">${t.none}</p>`}
      ${item && html`<section class="g-form" key=${item.id} aria-label=${item.form.title || t.unnamed}>
        ${conflict && html`<${Conflict} item=${item} said=${conflict.said} editor=${editor} />`}
        <${GroupForm} form=${item.form} machine=${editor.machine} lists=${editor.lists}
          edit=${(change) => editor.edit(item.id, change)} />
        <${Foot} item=${item} isConflict=${Boolean(conflict)} editor=${editor} />
      </section>`}</div>`}`;
}
