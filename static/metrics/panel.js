/** A card of the metrics view: what map and tiles have in common. */
import { element } from '../base/dom.js';
import { msgTypeName } from '../texts.js';

export class Panel {
  /**
   * @param {string} name also its class @param {string} title
   * @param {import('../data/source.js').Source} source of client_raw_data @param {Object} board of docs/page.md
   */
  constructor(name, title, source, board) {
    this.source = source;
    this.board = board;
    const id = `${name}-title`;
    this.element = element('section', { class: `card ${name}`, 'aria-labelledby': id }, element('header', {}, [
      element('h2', { id }, title),
      element('span', { class: 'tag' }, msgTypeName(source.msgType)),
    ]));
  }

  mount() {
    this.tick();
  }

  restyle() {
    this.draw();
  }

  /** It may be mounted again. */
  dispose() {
    this.element.remove();
  }
}
