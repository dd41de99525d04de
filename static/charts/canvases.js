/** What is painted by hand: limits and spans under the lines of a chart, and a chart as a picture. */
import { blank, element } from '../base/dom.js';
import { inks } from '../base/theme.js';

const FONT = 'system-ui, sans-serif';
const PAD_PX = 14;
const HEAD_PX = 48;
const ENTRY_PX = 20;
const COLUMNS = 2;
const SWATCH_PX = 22;
const GAP_PX = 8;
const LABEL_PX = 13;
const EDGE_PX = 6;
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

/** For each piece of a line that is not broken, along its upper values and back along its lower ones. */
function spansOf({ n, t, lo, hi, joined }, x, y, isStep) {
  const path = new Path2D();
  /** [px, index]: one px more at both ends, so that a lone point has a span, too. */
  let corners = [];
  for (let i = 0; i <= n; i++) {
    const isNew = i === 0 || i === n || !joined[i];
    if (isNew && i > 0) {
      corners.push([x(t[i - 1]) + 1, i - 1]);
      corners.forEach(([at, k], first) => (first ? path.lineTo(at, y(hi[k])) : path.moveTo(at, y(hi[k]))));
      for (const [at, k] of corners.reverse()) path.lineTo(at, y(lo[k]));
      path.closePath();
    }
    if (i === n) break;
    if (isNew) corners = [[x(t[i]) - 1, i]];
    else if (isStep) corners.push([x(t[i]), i - 1]);
    corners.push([x(t[i]), i]);
  }
  return path;
}

/** @param {number[]} taken where labels stand already, px */
function drawLimit(pen, { left, top, width, height }, y, { from, to, label, level }, taken) {
  const bottom = top + height;
  const upper = to === null ? top : y(to);
  const lower = from === null ? bottom : y(from);
  const ink = inks();
  pen.fillStyle = ink[level] ?? ink.label;
  pen.globalAlpha = BAND_ALPHA;
  pen.fillRect(left, upper, width, lower - upper);
  pen.globalAlpha = 1;
  if (from !== null) pen.fillRect(left, Math.round(lower), width, 1);
  if (to !== null && upper !== lower) pen.fillRect(left, Math.round(upper), width, 1);
  // The label stands inside the band, at the edge that data comes over; above where it is thin; never across the plot's
  // edges, nor where another one is.
  const edge = from === null || lower - upper < LABEL_PX ? upper : lower;
  const base = Math.min(bottom - 4, Math.max(top + LABEL_PX - 2, from === null ? edge + LABEL_PX - 2 : edge - 4));
  const isOutside = edge < top - 1 || edge > bottom + 1;
  if (!label || isOutside || taken.some((other) => Math.abs(other - base) < LABEL_PX)) return;
  taken.push(base);
  const share = (width - 2 * EDGE_PX) / pen.measureText(label).width; // cut where it has to be, never squeezed
  pen.textAlign = 'right';
  pen.fillText(share < 1 ? `${label.slice(0, label.length * share - 1)}…` : label, left + width - EDGE_PX, base);
}

/**
 * What lies under the lines: limits of the group, and between which values each line was.
 * @param {HTMLCanvasElement} canvas @param {Plot} plot
 * @param {{axis: import('./axes.js').AxisSpec, range: import('./axes.js').Range|null}[]} axes
 * @param {Limit[]} limits @param {import('./chart.js').Line[]} lines @param {(Trace|null)[]} traces by line
 */
export function drawUnderlay(canvas, plot, axes, limits, lines, traces) {
  const { pen } = blank(canvas);
  pen.beginPath();
  pen.rect(plot.left, plot.top, plot.width, plot.height);
  pen.clip();
  const taken = [];
  for (const limit of limits) {
    const at = axes.find(({ axis, range }) => range && axis.units.includes(limit.unit));
    if (at) drawLimit(pen, plot, yOf(plot, at.range), limit, taken);
  }
  const x = (t) => plot.left + ((t - plot.from) / (plot.to - plot.from)) * plot.width;
  pen.globalAlpha = SPAN_ALPHA;
  for (const { axis, range } of axes) {
    for (const i of axis.lines) {
      if (!range || !traces[i]?.lo) continue;
      pen.fillStyle = lines[i].color;
      pen.fill(spansOf(traces[i], x, yOf(plot, range), lines[i].isStep));
    }
  }
}

/**
 * A chart in the theme of the page, with its title, window and legend.
 * @param {string} title @param {string} times of the window
 * @param {{text: string, color: string, dash: number[]}[]} entries of the lines that are shown: label and value
 * @param {HTMLCanvasElement[]} layers of one size, on the page, lower ones first
 * @returns {HTMLCanvasElement} sharp on this screen
 */
export function drawPicture(title, times, entries, layers) {
  const ink = inks();
  const { clientWidth: width, clientHeight: height } = layers[0];
  const each = width / COLUMNS;
  const top = HEAD_PX + Math.ceil(entries.length / COLUMNS) * ENTRY_PX;
  const canvas = element('canvas');
  const { pen } = blank(canvas, width, top + height + PAD_PX);
  const write = (text, font, color, x, y, room) => {
    pen.font = `${font} ${FONT}`;
    pen.fillStyle = color;
    pen.fillText(text, x, y, room);
  };
  pen.fillStyle = ink.surface;
  pen.fillRect(0, 0, width, canvas.height);
  write(title, '600 15px', ink.text, PAD_PX, 28, each - PAD_PX);
  pen.textAlign = 'right';
  write(times, '12px', ink.label, width - PAD_PX, 28, each - PAD_PX);
  pen.textAlign = 'left';
  entries.forEach(({ text, color, dash }, i) => {
    const x = PAD_PX + (i % COLUMNS) * each;
    const y = HEAD_PX + Math.floor(i / COLUMNS) * ENTRY_PX;
    pen.strokeStyle = color;
    pen.lineWidth = 2.5;
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + SWATCH_PX, y);
    pen.stroke();
    write(text, '12px', ink.text, x + SWATCH_PX + GAP_PX, y + 4, each - SWATCH_PX - 2 * PAD_PX);
  });
  for (const layer of layers) pen.drawImage(layer, 0, top, width, height);
  return canvas;
}
