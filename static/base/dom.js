/** Elements without innerHTML: what comes from outside is always text. */

/**
 * @param {string} tag
 * @param {Object<string, string>} [attributes]
 * @param {string|Node|Node[]} [content]
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, content = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...(Array.isArray(content) ? content : [content]));
  return node;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return document.getElementById(id);
}

/** Write only what changed: screen readers announce every write to a status. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Give the elements of index.html their words. @param {Object<string, unknown>} words by `data-text`, `data-label`, `data-hint` */
export function fillTexts(words) {
  for (const node of document.querySelectorAll('[data-text], [data-label], [data-hint]')) {
    const { text, label, hint } = node.dataset;
    if (text) setText(node, words[text]);
    if (label) node.setAttribute('aria-label', words[label]);
    if (hint) node.placeholder = words[hint];
  }
}
