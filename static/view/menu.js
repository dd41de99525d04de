/** Buttons, and buttons that unfold something below themselves. */
import { element } from '../base/dom.js';

/** @param {string} text @param {string} title '' for none @param {(button: HTMLElement) => void} onClick */
export function button(text, title, onClick) {
  const node = element('button', { type: 'button', class: 'quiet', ...(title && { title }) }, text);
  node.addEventListener('click', () => onClick(node));
  return node;
}

/**
 * Esc, a click elsewhere or leaving it by Tab folds it again.
 * @param {string} title @param {Node[]} content @param {AbortSignal} signal ends what it listens to
 * @param {() => void} [onOpen]
 * @returns {{element: HTMLDetailsElement, summary: HTMLElement, close: () => void}} close gives the focus back
 */
export function menu(title, content, signal, onOpen = () => {}) {
  const summary = element('summary', { class: 'quiet', title });
  const details = element('details', { class: 'menu' }, [summary, element('div', { class: 'menu-body' }, content)]);
  const fold = () => {
    details.open = false;
  };
  const close = () => {
    const isInside = details.contains(document.activeElement);
    fold();
    if (isInside) summary.focus();
  };
  details.addEventListener('toggle', () => details.open && onOpen());
  details.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !details.open) return;
    event.stopPropagation();
    close();
  });
  // Looked at when the focus has come to rest: copying takes it away for a moment.
  const look = () => details.contains(document.activeElement) || fold();
  details.addEventListener('focusout', () => details.open && setTimeout(look)); // by then another key may have opened it
  document.addEventListener('pointerdown', ({ target }) => details.contains(target) || fold(), { signal });
  return { element: details, summary, close };
}
