/** A chart in its frame: lines over limits and spans, the shared cursor, pointer and keys. */
import { element, setText } from '../base/dom.js';
import { charts } from '../texts.js';
import { LineChart } from './chart.js';
import { Pointing } from './pointer.js';
import { Tip } from './tip.js';
import { Underlay } from './underlay.js';

/** A live chart that would move by less is not drawn. */
const MOVE_PX = 0.5;
const KEYS_ID = 'chart-keys';

/** What the keys do, once for all charts. @returns {string} its id */
function keysId() {
  if (!document.getElementById(KEYS_ID)) document.body.append(element('p', { id: KEYS_ID, hidden: '' }, charts.keys));
  return KEYS_ID;
}

/**
 * @typedef {object} Shown what a card gives to its frame
 * @property {import('../data/api.js').Group} group
 * @property {import('./lines.js').Line[]} lines
 * @property {Set<string>} hidden fields whose lines are switched off
 * @property {import('./readings.js').Readings} readings
 * @property {import('./card.js').Board} board
 * @property {() => string} copied what the tip's button copies
 * @property {() => string} said time and values at the cursor, for a screen reader
 */

export class Frame {
  /** How often the chart was drawn. */
  drawn = 0;
  #shown;
  #chart = null;
  #underlay = new Underlay();
  #tip;
  #pointing;
  #canvas = element('div', { class: 'lines', 'aria-hidden': 'true' });
  #status = element('p', { class: 'unseen', role: 'status' });
  #isInSight = false;
  #unwatch = () => {};

  /** @param {Shown} shown @param {HTMLElement} overlay what is said where there is nothing to draw */
  constructor(shown, overlay) {
    this.#shown = shown;
    this.#tip = new Tip(shown.lines, () => shown.copied());
    const label = charts.chart(shown.group.title, shown.lines.map((line) => line.label));
    const surface = element('div', {
      class: 'plot surface', tabindex: '0', role: 'application', 'aria-label': label, 'aria-describedby': keysId(),
    });
    this.#pointing = new Pointing(surface, shown.board, {
      plot: () => this.#chart.plot,
      traces: () => this.#traces().filter(Boolean),
      onKeyed: () => setText(this.#status, shown.said()),
    });
    const layers = [this.#underlay.canvas, this.#canvas, surface, ...this.#tip.elements, overlay, this.#status];
    this.element = element('div', { class: 'frame' }, layers);
  }

  /** ECharts measures its element, which must be in the page by then. @param {() => void} onResize draw it anew */
  mount(onResize) {
    this.#chart = new LineChart(this.#canvas, this.#shown.lines, this.#shown.group.axes ?? [], onResize);
    this.#unwatch = this.#shown.board.cursor.watch(() => this.showCursor());
  }

  /** Whether it can be seen: what nobody sees is not drawn. */
  get isInSight() {
    return this.#isInSight;
  }

  set isInSight(isInSight) {
    this.#isInSight = isInSight;
    if (isInSight) this.showCursor();
    else this.#tip.hide();
  }

  /** Draw the window, if it or its data changed. @param {boolean} isForced by however little */
  draw(isForced) {
    const { readings, board, group, lines } = this.#shown;
    const { isLive } = board.window;
    const { from, to } = board.window.range(board.now());
    if (!this.#chart?.hasPlace || (!isForced && isLive && this.#isStill(from, to))) return;
    readings.update(from, to, isLive);
    const traces = this.#traces();
    if (!this.#chart.draw(traces, from, to)) return;
    this.drawn++;
    this.#underlay.draw(this.#chart.plot, this.#chart.axes, group.limits ?? [], lines, traces);
    this.#pointing.follow();
    this.showCursor();
  }

  #isStill(from, to) {
    const { plot } = this.#chart;
    const span = plot.to - plot.from;
    const movedPx = ((from - plot.from) / span) * plot.width;
    return Math.abs(to - from - span) < 1 && movedPx >= 0 && movedPx < MOVE_PX;
  }

  /** Of each line that is shown. @returns {(import('../data/traces.js').Trace|null)[]} by line */
  #traces() {
    const { lines, hidden, readings } = this.#shown;
    return lines.map(({ field }, i) => (hidden.has(field) ? null : readings.traces[i] ?? null));
  }

  showCursor() {
    if (!this.#isInSight || !this.#chart) return;
    const { board, readings } = this.#shown;
    this.#tip.show(this.#chart.plot, board.cursor, (t) => readings.textsAt(t, this.#shown.hidden), board.now());
  }

  /** The lines have other colours now, and have to be drawn anew. */
  restyle() {
    this.#tip.restyle(this.#shown.lines);
    this.#chart?.restyle(this.#shown.lines);
  }

  /** @returns {{layers: HTMLCanvasElement[], width: number, height: number}} the lowest first; px on the page */
  get picture() {
    const layers = [this.#underlay.canvas, this.#chart?.canvas].filter((canvas) => canvas?.width);
    return { layers, width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
  }

  dispose() {
    this.#unwatch();
    this.#chart?.dispose();
  }
}
