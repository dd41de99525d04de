/** Text to the clipboard. Its API is missing where the page came without TLS, on any host but this one. */
import { element } from '../base/dom.js';

/** @param {string} text @returns {Promise<boolean>} whether it is there */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The old way: what a text field has selected. The focus goes back to where it was.
    const before = document.activeElement;
    const area = element('textarea', { class: 'sr-only', 'aria-hidden': 'true' }, text);
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand('copy');
    area.remove();
    before.focus();
    return isCopied;
  }
}
