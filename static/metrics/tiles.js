/** How the App and its computer are: a tile a field with value, trend and judgement, and the device's clock. */
import { element, setText } from '../base/dom.js';
import { decimalsOf, formatNumber } from '../base/format.js';
import { lineColor } from '../base/theme.js';
import { serverClock } from '../data/clock.js';
import { extent } from '../data/traces.js';
import { metrics, msgTypeName } from '../texts.js';
import { growth, judge, UNITS } from './health.js';
import { blank } from './mapdraw.js';

/** A second is sent when it is over, and named by its start. */
const SECOND_MS = 1000;

function buildTile(field) {
  const value = element('span', { class: 'value' }, '–');
  const word = element('span', { class: 'age' });
  const trend = element('canvas', { 'aria-hidden': 'true' });
  const node = element('li', { class: 'tile', 'data-metric': field }, [
    element('span', { class: 'name' }, metrics.fields[field]),
    element('span', { class: 'reading' }, [value, element('span', { class: 'unit' }, UNITS[field] ?? '')]),
    word,
    trend,
  ]);
  return { field, node, value, word, trend };
}

export class HealthTiles {
  #source;
  #board;
  #tiles = Object.keys(UNITS).map(buildTile);
  #clock = buildTile('timestamp');
  /** Field → trace of what is shown. */
  #traces = new Map();

  /** @param {import('../data/source.js').Source} source of client_raw_data @param {Object} board of docs/page.md */
  constructor(source, board) {
    this.#source = source;
    this.#board = board;
    this.#clock.node.title = metrics.clockTitle;
    this.element = element('section', { class: 'card health', 'aria-labelledby': 'health-title' }, [
      element('header', {}, [
        element('h2', { id: 'health-title' }, metrics.health),
        element('span', { class: 'tag' }, msgTypeName(source.msgType)),
      ]),
      element('ul', { class: 'tiles' }, [...this.#tiles, this.#clock].map(({ node }) => node)),
    ]);
  }

  mount() {
    this.tick();
  }

  /** Trends of what the window shows. */
  draw() {
    const { from, to } = this.#board.window.range(this.#board.now());
    const color = lineColor(0);
    for (const { field, trend } of this.#tiles) {
      const trace = this.#source.trace(field, null, from, to);
      this.#traces.set(field, trace);
      drawTrend(trend, trace, from, to, color);
    }
  }

  tick() {
    for (const { field, node, value, word } of this.#tiles) {
      const last = this.#reading(field);
      const judged = last && !last.stale ? judge(field, last.value, this.#growth(field)) : null;
      setText(value, last ? this.#text(field, last.value) : '–');
      setText(word, last?.stale ? metrics.old(last.ageMs) : (judged?.text ?? ''));
      node.dataset.level = judged?.level ?? '';
      node.classList.toggle('stale', !last || last.stale);
    }
    const ahead = this.#aheadMs();
    setText(this.#clock.value, ahead === null ? '–' : metrics.ahead(ahead));
  }

  restyle() {
    this.draw();
  }

  dispose() {
    this.element.remove();
  }

  /** The newest value; in a fixed window its last one. */
  #reading(field) {
    const { window } = this.#board;
    const now = this.#board.now();
    if (window.isLive) return this.#source.latest(field, now);
    const { from, to } = window.range(now);
    const { t, v, n } = this.#traces.get(field) ?? { n: 0 };
    for (let i = n - 1; i >= 0 && t[i] >= from; i--) if (t[i] <= to) return { value: v[i], stale: false };
    return null;
  }

  #growth(field) {
    return field === 'dropped_messages' ? growth(this.#traces.get(field)?.v ?? []) : 0;
  }

  #text(field, value) {
    if (field === 'uptime_s') return metrics.duration(value);
    if (field === 'realtime') return metrics.realtime[Number(value)] ?? String(value);
    if (typeof value !== 'number') return String(value);
    const { v = [], n = 0 } = this.#traces.get(field) ?? {};
    return formatNumber(value, decimalsOf([value, ...v.slice(Math.max(0, n - 40), n)], UNITS[field]));
  }

  /** The device's clock against the server's; null where no sample says it now. The way here counts as behind. */
  #aheadMs() {
    const now = this.#board.now();
    const last = this.#source.latest('timestamp', now);
    if (!last || last.stale || !this.#board.window.isLive) return null;
    return last.value - last.ts + SECOND_MS + now - serverClock.now();
  }
}

/** A plain line, without axes. */
function drawTrend(canvas, trace, from, to, color) {
  const { t, v, joined, n } = trace;
  const { pen, width, height } = blank(canvas);
  const { lo, hi } = extent([trace]) ?? { lo: 0, hi: 0 };
  pen.strokeStyle = color;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (let i = 0; i < n; i++) {
    const x = ((t[i] - from) / (to - from)) * width;
    const y = height - 3 - ((v[i] - lo) / (hi - lo || 1)) * (height - 6);
    if (joined[i]) pen.lineTo(x, y);
    else pen.moveTo(x, y);
  }
  pen.stroke();
}
