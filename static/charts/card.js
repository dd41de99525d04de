/** A card a chart group: title, legend, chart. Joins a feed's table with a chart and a legend. */
import { LineChart } from './chart.js';
import { latest } from '../data/columns.js';
import { element, setText } from '../base/dom.js';
import { WINDOW_MS } from '../data/feed.js';
import { isKnown, isWithoutValues } from './folding.js';
import { decimalsOf, formatTime, formatUnit, formatValue } from '../base/format.js';
import { Legend } from './legend.js';
import { nearest, points, toNumber } from '../data/lines.js';
import { msgTypeName, texts } from '../texts.js';
import { lineStyle } from '../base/theme.js';

/** Values looked at to find how many decimals a field needs. */
const DECIMALS_OF_LAST = 40;

/**
 * @typedef {import('../data/api.js').Group} Group
 * @typedef {import('../data/api.js').Field} Field
 * @typedef {import('../data/feed.js').Feed} Feed
 */

function buildLines(group, fields) {
  return group.lines.map((line, index) => {
    const field = fields.get(line.field);
    const hasChoices = field?.choices && Object.keys(field.choices).length > 0;
    return {
      field: line.field,
      label: line.label || line.field,
      unit: field?.unit ?? '',
      choices: hasChoices ? field.choices : null,
      description: field?.description ?? '',
      isKnown: field !== undefined,
      wanted: line.color,
      ...lineStyle(index, line.color),
    };
  });
}

export class Card {
  #feed;
  #lines;
  #legend;
  #chart;
  #overlay;
  #hidden = new Set();
  #decimals = { revision: -1, by: [] };
  #points = [];

  /** @param {Group} group @param {Map<string, Field>} fields by name @param {Feed} feed */
  constructor(group, fields, feed) {
    this.#feed = feed;
    this.title = group.title;
    /** Known only after a while; a card stays where it is until then. */
    this.isWithoutValues = false;
    this.#lines = buildLines(group, fields);
    this.#legend = new Legend(this.#lines, (index) => this.#toggle(index));
    this.#overlay = element('p', { class: 'overlay' }, texts.waiting);
    const labels = this.#lines.map((line) => line.label);
    const plot = element('div', { class: 'plot', role: 'img', 'aria-label': texts.chart(group.title, labels) });
    const captions = element('div', { class: 'captions', 'aria-hidden': 'true' });
    const id = `card-${group.groupId}`;
    this.element = element('section', { class: 'card waiting', 'aria-labelledby': id }, [
      element('header', {}, [
        element('h2', { id }, group.title),
        element('span', { class: 'tag' }, msgTypeName(group.msgType)),
      ]),
      this.#legend.element,
      captions,
      element('div', { class: 'frame' }, [plot, this.#overlay]),
    ]);
    // ECharts measures its element, which must be in the page by then.
    this.mount = () => {
      this.#chart = new LineChart(plot, this.#lines, (t) => this.#tooltip(t));
      captions.append(...this.#chart.captions.map((text) => element('span', {}, text)));
    };
  }

  /** Draw the chart. The painter calls it while the card is in sight. */
  draw() {
    const now = this.#feed.now();
    const from = now - WINDOW_MS;
    this.#points = this.#lines.map(({ field, choices }, i) =>
      this.#hidden.has(i) ? [] : points(this.#feed.table, field, from, choices));
    this.#chart.draw(this.#points, from, now);
  }

  /** Bring the legend up to date: values grow old without any event. */
  tick() {
    const now = this.#feed.now();
    const decimals = this.#currentDecimals();
    let isEmpty = true;
    const readings = this.#lines.map((line, i) => {
      const last = latest(this.#feed.table, line.field, now);
      if (!last) return null;
      if (last.ageMs <= WINDOW_MS) isEmpty = false;
      return { text: formatValue(last.value, line, decimals[i]), stale: last.stale, ageMs: last.ageMs };
    });
    this.#legend.update(readings, this.#lines);
    this.#showOverlay(isEmpty);
    this.#judge();
  }

  #judge() {
    if (!isKnown(this.#feed)) return;
    this.isWithoutValues = isWithoutValues(this.#feed.table, this.#lines.map((line) => line.field));
  }

  restyle() {
    this.#lines = this.#lines.map((line, i) => ({ ...line, ...lineStyle(i, line.wanted) }));
    this.#legend.restyle(this.#lines);
    this.#chart.restyle(this.#lines);
    this.draw();
  }

  dispose() {
    this.#chart.dispose();
    this.element.remove();
  }

  #toggle(index) {
    const isShown = this.#hidden.delete(index);
    if (!isShown) this.#hidden.add(index);
    this.#legend.setShown(index, isShown);
    this.draw();
  }

  /** Something is said where the plot is empty. */
  #showOverlay(isEmpty) {
    const isWaiting = this.#feed.table.ts.length === 0;
    this.element.classList.toggle('waiting', isWaiting);
    this.#overlay.hidden = !isEmpty;
    setText(this.#overlay, isWaiting ? texts.waiting : texts.noValues);
  }

  #currentDecimals() {
    const { table } = this.#feed;
    if (this.#decimals.revision !== table.revision) {
      const by = this.#lines.map(({ field, unit, choices }) => {
        const recent = (table.fields.get(field) ?? []).slice(-DECIMALS_OF_LAST);
        const numbers = recent.map((value) => toNumber(value, choices)).filter((n) => !Number.isNaN(n));
        return decimalsOf(numbers, unit);
      });
      this.#decimals = { revision: table.revision, by };
    }
    return this.#decimals.by;
  }

  #tooltip(t) {
    const decimals = this.#currentDecimals();
    const rows = this.#lines.flatMap((line, i) => {
      const point = nearest(this.#points[i] ?? [], t);
      if (!point) return [];
      const swatch = element('span', { class: 'swatch' });
      swatch.style.setProperty('--line', line.color);
      const value = formatValue(point.value, line, decimals[i]);
      const unit = formatUnit(line.unit);
      return element('div', { class: 'tip-row' }, [
        swatch,
        element('span', { class: 'tip-label' }, line.label),
        element('span', { class: 'tip-value' }, unit ? `${value}\u2009${unit}` : value),
      ]);
    });
    return element('div', { class: 'tip' }, [element('div', { class: 'tip-time' }, formatTime(t)), ...rows]);
  }
}
