/** Elements without innerHTML: what comes from outside is always text. */

/**
 * @param {string} tag
 * @param {Object<string, string|Function>} [attributes] functions are handlers: `onclick`, …
 * @param {string|Node|Node[]} [content]
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, content = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node[name] = value;
    else node.setAttribute(name, value);
  }
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

/**
 * Make a canvas empty and sharp on this screen.
 * @param {HTMLCanvasElement} canvas @param {number} [width] px on the page; its own where it stands there
 * @param {number} [height]
 * @returns {{pen: CanvasRenderingContext2D, width: number, height: number}} the pen draws in px of the page
 */
export function blank(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  canvas.width = Math.round(width * devicePixelRatio); // setting it clears
  canvas.height = Math.round(height * devicePixelRatio);
  const pen = canvas.getContext('2d');
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.font = '11px system-ui, sans-serif';
  return { pen, width, height };
}

/** A place of index.html that is there only while it has something to say. @param {string} id @param {string} text '' takes it away */
export function tell(id, text) {
  byId(id).hidden = text === '';
  setText(byId(id), text);
}

/** Give the elements of index.html their words. @param {Object<string, unknown>} words by `data-text`, `-label`, `-hint`, `-title` */
export function fillTexts(words) {
  for (const node of document.querySelectorAll('[data-text], [data-label], [data-hint], [data-title]')) {
    const { text, label, hint, title } = node.dataset;
    if (text) setText(node, words[text]);
    if (label) node.ariaLabel = words[label];
    if (hint) node.placeholder = words[hint];
    if (title) node.title = words[title];
  }
}
