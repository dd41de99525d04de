/** Keys that work everywhere on the page, and the list of all keys. */
import { byId, element } from './dom.js';
import { page, view } from '../texts.js';

/** @param {KeyboardEvent} event @returns {boolean} whether the key is meant for a field, a dialog or the browser */
export function isTaken(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  return document.querySelector('dialog[open]') !== null || event.target.matches?.('input, select, textarea');
}

function buildList([place, keys]) {
  const rows = keys.flatMap(([key, does]) => [element('dt', {}, element('kbd', {}, key)), element('dd', {}, does)]);
  return element('section', {}, [element('h3', {}, place), element('dl', {}, rows)]);
}

/** A dialog, made when it is wanted; the browser keeps the focus in it and gives it back. */
export function showKeys() {
  const dialog = element('dialog', {
    class: 'keys', 'aria-labelledby': 'keys-title', onclose: () => dialog.remove(),
    onclick: ({ target }) => target === dialog && dialog.close(),
  }, [
    element('header', {}, [
      element('h2', { id: 'keys-title' }, page.keys),
      element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, page.close),
    ]),
    element('div', { class: 'key-lists' }, [...page.keyLists, [view.bar, view.keys]].map(buildList)),
  ]);
  document.body.append(dialog);
  dialog.showModal();
}

/** `/` goes to the search, `?` shows the keys. */
export function initKeys() {
  byId('keys').onclick = showKeys;
  addEventListener('keydown', (event) => {
    if (isTaken(event)) return;
    if (event.key === '?') showKeys();
    else if (event.key === '/') byId('filter').focus();
    else return;
    event.preventDefault();
  });
}
