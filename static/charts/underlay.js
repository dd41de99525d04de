/** What lies under the lines: limits of the group, and between which values each line was. A canvas of its own. */
import { inks } from '../base/theme.js';

const FONT = '10px system-ui, sans-serif';
const LABEL_PX = 13;
const BAND_ALPHA = 0.1;
const SPAN_ALPHA = 0.22;

/**
 * @typedef {import('./chart.js').Plot} Plot
 * @typedef {import('../data/traces.js').Trace} Trace
 * @typedef {{unit: string, from: number|null, to: number|null, label: string|null, level: 'info'|'warn'|'bad'}} Limit
 *   from equals to: a threshold; null: open
 */

/** @returns {(v: number) => number} px from the top; never so far off that canvas loses it */
function yOf({ top, height }, { min, max }) {
  return (v) => Math.min(top + 2 * height, Math.max(top - height, top + ((max - v) / (max - min)) * height));
}

/** Between the ends of points a to b, which the line joins: along the upper ones and back along the lower ones. */
function addSpan(path, { t, lo, hi }, [a, b], x, y, isStep) {
  const corners = a === b ? [[x(t[a]) - 1, a], [x(t[a]) + 1, a]] : [];
  for (let i = a; a < b && i <= b; i++) {
    if (isStep && i > a) corners.push([x(t[i]), i - 1]);
    corners.push([x(t[i]), i]);
  }
  corners.forEach(([left, i], k) => (k ? path.lineTo(left, y(hi[i])) : path.moveTo(left, y(hi[i]))));
  for (const [left, i] of corners.reverse()) path.lineTo(left, y(lo[i]));
  path.closePath();
}

/** One polygon for each piece of the line that is not broken. */
function spansOf(trace, x, y, isStep) {
  const path = new Path2D();
  let start = 0;
  for (let i = 1; i <= trace.n; i++) {
    if (i < trace.n && trace.joined[i]) continue;
    addSpan(path, trace, [start, i - 1], x, y, isStep);
    start = i;
  }
  return path;
}

export class Underlay {
  constructor() {
    this.canvas = document.createElement('canvas');
    this.canvas.className = 'underlay';
    this.canvas.setAttribute('aria-hidden', 'true');
  }

  /**
   * @param {Plot} plot @param {ReturnType<import('./chart.js').LineChart['axes']>} axes
   * @param {Limit[]} limits @param {import('./chart.js').Line[]} lines @param {(Trace|null)[]} traces by line
   */
  draw(plot, axes, limits, lines, traces) {
    const context = this.#clear();
    context.save();
    context.beginPath();
    context.rect(plot.left, plot.top, plot.width, plot.height);
    context.clip();
    const labelled = [];
    for (const limit of limits) {
      const at = axes.find(({ axis, range }) => range && axis.units.includes(limit.unit));
      if (at) this.#limit(context, plot, yOf(plot, at.range), limit, labelled);
    }
    const x = (t) => plot.left + ((t - plot.from) / (plot.to - plot.from)) * plot.width;
    context.globalAlpha = SPAN_ALPHA;
    for (const { axis, range } of axes) {
      for (const i of axis.lines) {
        if (!range || !traces[i]?.lo) continue;
        context.fillStyle = lines[i].color;
        context.fill(spansOf(traces[i], x, yOf(plot, range), lines[i].isStep));
      }
    }
    context.restore();
  }

  /** @returns {CanvasRenderingContext2D} empty, of the size on the screen, sharp */
  #clear() {
    const { canvas } = this;
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((px) => Math.round(px * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  #limit(context, { left, top, width, height }, y, { from, to, label, level }, labelled) {
    const upper = to === null ? top : y(to);
    const lower = from === null ? top + height : y(from);
    context.fillStyle = inks()[level];
    context.globalAlpha = BAND_ALPHA;
    context.fillRect(left, upper, width, lower - upper);
    context.globalAlpha = 1;
    const edges = [from === null ? null : lower, to === null ? null : upper].filter((edge) => edge !== null);
    for (const edge of new Set(edges)) context.fillRect(left, Math.round(edge), width, 1);
    // The label stands inside the band, at the edge that data comes over, and not where another one is.
    const edge = from === null ? upper : lower;
    const base = from === null || edge - LABEL_PX < top ? edge + LABEL_PX - 2 : edge - 4;
    const isOutside = edge < top || base > top + height;
    if (!label || isOutside || labelled.some((other) => Math.abs(other - base) < LABEL_PX)) return;
    labelled.push(base);
    context.font = FONT;
    context.textAlign = 'right';
    context.fillText(label, left + width - 6, base, width - 12);
  }
}
