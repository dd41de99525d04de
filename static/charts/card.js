/** A card a chart group: title, legend, chart with its cursor, table. Joins a source of data with what shows it. */
import { element, setText } from '../base/dom.js';
import { formatUnit, withUnit } from '../base/format.js';
import { charts, msgTypeName, texts } from '../texts.js';
import { guarded } from '../view/csv.js';
import { savePicture } from '../view/takeaway.js';
import { fileName, formatMoment, rangeText } from '../view/times.js';
import { drawPicture } from './canvases.js';
import { LineChart } from './chart.js';
import { Pointing } from './cursor.js';
import { Legend, Tip, buildLines, styleLines } from './legend.js';
import { Readings } from './readings.js';
import { ValueTable } from './table.js';

/** A live chart that would move by less is not drawn. */
const MOVE_PX = 0.5;

/**
 * @typedef {import('../data/api.js').Group} Group
 * @typedef {import('../data/api.js').Field} Field
 * @typedef {import('../data/source.js').Source} Source
 * @typedef {object} Board what a session gives to its cards
 * @property {string} chassisId
 * @property {import('../view/window.js').TimeWindow} window
 * @property {import('./cursor.js').Cursor} cursor
 * @property {() => number} now device ms
 * @property {Card[]} cards
 * @property {boolean} showsStatistics
 * @property {((groupId: string) => void)|null} edit null: not here
 * @property {() => void} changed the URL has to follow
 */

function toolButton(name, text, title, onclick) {
  return element('button', { type: 'button', class: 'tool', 'data-do': name, title, onclick }, text);
}

export class Card {
  /** Fields whose lines are switched off. @type {Set<string>} */
  hidden = new Set();
  /** How often the chart was drawn. */
  drawn = 0;
  #board;
  #legend;
  #table;
  #readings;
  #chart;
  #tip;
  #pointing;
  #isInSight = false;
  #lines = element('div', { class: 'lines', 'aria-hidden': 'true' });
  #overlay = element('p', { class: 'overlay' });
  #status = element('p', { class: 'sr-only', role: 'status' });
  #unwatch;

  /** @param {Group} group @param {Map<string, Field>} fields by name @param {Source} source @param {Board} board */
  constructor(group, fields, source, board) {
    const { groupId, title, msgType } = group;
    this.group = group;
    this.title = title;
    this.source = source;
    this.lines = buildLines(group, fields);
    this.#board = board;
    this.#readings = new Readings(source, this.lines);
    this.#legend = new Legend(this.lines, (i, isAlone) => this.#switch(this.lines[i].field, isAlone));
    this.#table = new ValueTable(this.lines, title);
    this.#tip = new Tip(this.lines, () => this.#copied());
    const id = `card-${groupId}`;
    this.element = element('section', { class: 'card', 'aria-labelledby': id }, [
      element('header', {}, [
        element('h2', { id }, title),
        element('span', { class: 'tag' }, msgTypeName(msgType)),
        ...this.#buildTools(),
      ]),
      this.#legend.element,
      this.#buildFrame(),
      this.#table.element,
    ]);
    styleLines(this.lines, group);
    this.#showOverlay(true);
  }

  #buildTools() {
    const { title, group } = this;
    const { edit } = this.#board;
    const table = toolButton('table', charts.table, charts.tableOf(title), () => {
      table.ariaExpanded = this.#table.toggle();
      this.tick();
    });
    table.ariaExpanded = 'false';
    const tools = [table, toolButton('png', charts.picture, charts.pictureOf(title), () => this.#savePicture())];
    if (edit) tools.push(toolButton('edit', charts.edit, charts.editOf(title), () => edit(group.groupId)));
    return tools;
  }

  #buildFrame() {
    const surface = element('div', {
      class: 'plot surface', tabindex: '0', role: 'application', 'aria-description': charts.keys,
      'aria-label': charts.chart(this.title, this.lines.map(({ label }) => label)),
    });
    this.#pointing = new Pointing(surface, this.#board, this);
    const parts = [this.#lines, surface, ...this.#tip.elements, this.#overlay, this.#status];
    return element('div', { class: 'frame' }, parts);
  }

  /** Once it is in the page: ECharts measures its element. */
  mount() {
    this.#chart = new LineChart(this.#lines, this.lines, this.group, () => this.draw(true));
    this.#unwatch = this.#board.cursor.watch(() => this.#showCursor());
  }

  /** The painter says whether it can be seen: what nobody sees is not drawn. @param {boolean} isInSight */
  seen(isInSight) {
    this.#isInSight = isInSight;
    this.#showCursor();
  }

  /** @returns {{from: number, to: number}} device ms */
  get #range() {
    return this.#board.window.range(this.#board.now());
  }

  /** @returns {import('./chart.js').Plot} */
  get plot() {
    return this.#chart.plot;
  }

  /** Of each line that is shown. @returns {(import('../data/traces.js').Trace|null)[]} by line */
  get traces() {
    return this.lines.map(({ field }, i) => (this.hidden.has(field) ? null : this.#readings.traces[i] ?? null));
  }

  /** Draw the window, if it or its data changed. @param {boolean} [isForced] at once, by however little */
  draw(isForced = false) {
    if (this.plot.fullWidth) this.#drawChart(isForced);
    if (isForced) this.tick();
  }

  #drawChart(isForced) {
    const { plot } = this;
    const { isLive } = this.#board.window;
    const { from, to } = this.#range;
    const movedPx = ((from - plot.from) / (plot.to - plot.from)) * plot.width;
    if (!isForced && isLive && movedPx >= 0 && movedPx < MOVE_PX) return;
    this.#readings.update(from, to, isLive);
    if (!this.#chart.draw(this.traces, from, to)) return;
    this.drawn++;
    this.#pointing.follow();
    this.#showCursor();
  }

  /** Bring legend and table up to date: values grow old without any event. */
  tick() {
    const readings = this.#readings;
    const { window, showsStatistics } = this.#board;
    const now = this.#board.now();
    const { from, to } = this.#range;
    const latest = this.lines.map((_, i) => (window.isLive ? readings.latest(i, now) : readings.last(i, from, to)));
    const statistics = this.lines.map((_, i) => {
      const found = showsStatistics && this.#isInSight && readings.summary(i, from, to);
      return found ? charts.statistics(found) : '';
    });
    this.#legend.update(latest, statistics, window.isLive);
    this.#showOverlay(!latest.some((reading) => reading && reading.ageMs <= to - from));
    if (!this.#isInSight) return;
    const rows = () => this.source.rows(this.lines.map(({ field }) => field), from, to);
    this.#table.update(rows, (i, value) => readings.text(i, value), now);
  }

  restyle() {
    styleLines(this.lines, this.group);
    this.#chart.restyle();
    this.draw(true);
  }

  dispose() {
    this.#unwatch();
    this.#chart.dispose();
    this.element.remove();
  }

  /** @param {Iterable<string>} fields whose lines are switched off from now on; all others are shown */
  setHidden(fields) {
    this.hidden = new Set(fields);
    this.#legend.show(this.hidden);
    this.draw(true);
  }

  /** Hide or show that line; or show it alone, and where it is alone already, all of them. */
  #switch(field, isAlone) {
    const others = this.lines.flatMap((line) => (line.field === field ? [] : [line.field]));
    const next = new Set(this.hidden);
    if (!next.delete(field)) next.add(field);
    const isSoAlready = !this.hidden.has(field) && others.every((other) => this.hidden.has(other));
    this.setHidden(isAlone ? (isSoAlready ? [] : others) : next);
    this.#board.changed();
  }

  /** @param {number} t device ms @returns {{label: string, text: string, unit: string}[]} of lines shown there */
  valuesAt(t) {
    const { from, to } = this.#range;
    this.#readings.update(from, to, this.#board.window.isLive);
    return this.#readings.textsAt(t, this.hidden).flatMap((text, i) => {
      const { label, unit } = this.lines[i];
      return text === null ? [] : [{ label, text, unit: formatUnit(unit) }];
    });
  }

  /** @param {string} field @returns {import('../data/traces.js').Trace|null} what was drawn of it last */
  traceOf(field) {
    return this.#readings.traces[this.lines.findIndex((line) => line.field === field)] ?? null;
  }

  #showCursor() {
    const { cursor } = this.#board;
    if (!this.#isInSight) this.#tip.hide();
    else this.#tip.show(this.plot, cursor, (t) => this.#readings.textsAt(t, this.hidden), this.#board.now());
  }

  /** A key moved the cursor: a screen reader says time and values. */
  onKeyed() {
    const { t } = this.#board.cursor;
    const values = this.valuesAt(t).map(({ label, text, unit }) => `${label} ${text} ${unit}`);
    setText(this.#status, [formatMoment(t, this.#board.now(), t % 1000 !== 0), ...values].join('; '));
  }

  /** @returns {string} label, value and unit of all charts at the cursor, a line each, tabs between */
  #copied() {
    const { cursor: { t }, cards } = this.#board;
    const time = { label: charts.time, text: formatMoment(t, NaN, true), unit: '' };
    const clean = (text) => {
      const plain = text.replace(/\s+/g, ' ');
      return /^-[\d. ]+$/.test(plain) ? plain : guarded(plain); // a number may be below zero
    };
    const rows = [time, ...cards.flatMap((card) => card.valuesAt(t))];
    return rows.map(({ label, text, unit }) => [label, text, unit].map(clean).join('\t')).join('\n');
  }

  /** @returns {HTMLCanvasElement} title, legend, window and lines as they are now, sharp on this screen */
  picture() {
    this.draw(true);
    const { from, to } = this.#range;
    const entries = this.lines.flatMap(({ field, label, unit, color, dash }, i) => {
      if (this.hidden.has(field)) return [];
      const last = this.#readings.last(i, from, to);
      return [{ text: `${label}  ${last ? withUnit(last.text, unit) : '–'}`, color, dash }];
    });
    return drawPicture(this.title, rangeText(from, to, NaN), entries, this.#chart.layers);
  }

  async #savePicture() {
    await savePicture(this.picture(), fileName([this.#board.chassisId, this.title], this.#range.to, 'png'));
  }

  /** Something is said where the plot is empty. */
  #showOverlay(isEmpty) {
    const { isWaiting } = this.source;
    this.element.classList.toggle('waiting', isWaiting);
    this.#overlay.hidden = !isEmpty;
    setText(this.#overlay, isWaiting ? texts.waiting : charts.noValues);
  }
}
