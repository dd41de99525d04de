/** A card a chart group: title, legend, chart, table. Joins a source of data with what shows it. */
import { element, setText } from '../base/dom.js';
import { formatMoment, formatUnit, formatValue } from '../base/format.js';
import { localMs } from '../data/clock.js';
import { charts, msgTypeName, texts } from '../texts.js';
import { savePicture } from '../view/takeaway.js';
import { fileName, rangeText } from '../view/times.js';
import { isKnown, isWithoutValues } from './folding.js';
import { Frame } from './frame.js';
import { Legend } from './legend.js';
import { buildLines, restyleLines } from './lines.js';
import { drawPicture } from './picture.js';
import { Readings } from './readings.js';
import { ValueTable } from './table.js';
import { withUnit } from './tip.js';

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

function toolButton(name, label, onClick) {
  const button = element('button', {
    type: 'button', class: 'tool', 'data-do': name, 'aria-label': label, title: label,
  }, charts[name]);
  button.addEventListener('click', onClick);
  return button;
}

export class Card {
  /** Fields whose lines are switched off. @type {Set<string>} */
  hidden = new Set();
  /** Known only after a while; a card stays where it is until then. */
  isWithoutValues = false;
  #source;
  #legend;
  #frame;
  #table;
  #overlay = element('p', { class: 'overlay' }, texts.waiting);

  /** @param {Group} group @param {Map<string, Field>} fields by name @param {Source} source @param {Board} board */
  constructor(group, fields, source, board) {
    this.group = group;
    this.title = group.title;
    this.board = board;
    this.lines = buildLines(group, fields);
    this.readings = new Readings(source, this.lines);
    this.#source = source;
    this.#legend = new Legend(this.lines, { toggle: (i) => this.#toggle(i), alone: (i) => this.#showAlone(i) });
    this.#frame = new Frame(this, this.#overlay);
    this.#table = new ValueTable(this.lines, group.title, `values-${group.groupId}`);
    const id = `card-${group.groupId}`;
    this.element = element('section', { class: 'card waiting', 'aria-labelledby': id }, [
      element('header', {}, [
        element('h2', { id }, group.title),
        element('span', { class: 'tag' }, msgTypeName(group.msgType)),
        ...this.#buildTools(),
      ]),
      this.#legend.element,
      this.#frame.element,
      this.#table.element,
    ]);
    this.#frame.restyle();
  }

  #buildTools() {
    const { title, groupId } = this.group;
    const table = toolButton('table', charts.tableOf(title), () => {
      this.#table.isShown = !this.#table.isShown;
      table.setAttribute('aria-expanded', String(this.#table.isShown));
      this.tick();
    });
    table.setAttribute('aria-expanded', 'false');
    table.setAttribute('aria-controls', this.#table.element.id);
    const tools = [table, toolButton('picture', charts.pictureOf(title), () => this.#savePicture())];
    if (this.board.edit) tools.push(toolButton('edit', charts.editOf(title), () => this.board.edit(groupId)));
    return tools;
  }

  /** Once it is in the page. */
  mount() {
    this.#frame.mount(() => this.draw(true));
  }

  /** The painter says whether it can be seen. @param {boolean} isInSight */
  seen(isInSight) {
    this.#frame.isInSight = isInSight;
  }

  /** Draw the chart, if it changed. The painter calls it in sight. @param {boolean} [isForced] at once */
  draw(isForced = false) {
    this.#frame.draw(isForced);
    if (isForced) this.tick();
  }

  /** Bring legend and table up to date: values grow old without any event. */
  tick() {
    const now = this.board.now();
    const { isLive } = this.board.window;
    const { from, to } = this.board.window.range(now);
    const readings = this.lines.map((_, i) =>
      isLive ? this.readings.latest(i, now) : this.readings.last(i, from, to));
    this.#legend.update(readings, this.lines, isLive);
    this.#showOverlay(!readings.some((reading) => reading && reading.ageMs <= to - from));
    if (this.#frame.isInSight) this.#showMore(from, to, now);
    if (isKnown(this.#source.feed)) {
      this.isWithoutValues = isWithoutValues(this.#source.feed.table, this.lines.map((line) => line.field));
    }
  }

  #showMore(from, to, now) {
    this.#legend.showStatistics(this.lines.map((_, i) => {
      const found = this.board.showsStatistics ? this.readings.summary(i, from, to) : null;
      return found && charts.statistics(found);
    }));
    if (!this.#table.isDue(localMs())) return;
    const rows = this.#source.rows(this.lines.map((line) => line.field), from, to);
    const textOf = (i, value) => formatValue(value, this.lines[i], this.readings.decimals(i));
    this.#table.update(rows, textOf, localMs(), now);
  }

  restyle() {
    restyleLines(this.lines, this.group);
    this.#legend.restyle(this.lines);
    this.#frame.restyle();
    this.draw(true);
  }

  dispose() {
    this.#frame.dispose();
    this.element.remove();
  }

  /** @param {Iterable<string>} fields whose lines are switched off from now on; all others are shown */
  setHidden(fields) {
    this.hidden = new Set(fields);
    this.lines.forEach(({ field }, i) => this.#legend.setShown(i, !this.hidden.has(field)));
    this.draw(true);
  }

  /** @param {number} t device ms @returns {{label: string, text: string, unit: string}[]} of lines shown there */
  valuesAt(t) {
    const { window } = this.board;
    const { from, to } = window.range(this.board.now());
    this.readings.update(from, to, window.isLive);
    return this.readings.textsAt(t, this.hidden).flatMap((text, i) => {
      const { label, unit } = this.lines[i];
      return text === null ? [] : [{ label, text, unit: formatUnit(unit) }];
    });
  }

  /** @param {string} field @returns {import('../data/traces.js').Trace|null} what was drawn of it last */
  traceOf(field) {
    return this.readings.traces[this.lines.findIndex((line) => line.field === field)] ?? null;
  }

  /** @returns {number} how often the chart was drawn */
  get drawn() {
    return this.#frame.drawn;
  }

  /** @returns {HTMLCanvasElement} title, legend, window and lines as they are now, sharp on this screen */
  picture() {
    this.draw(true);
    const { from, to } = this.board.window.range(this.board.now());
    const entries = this.lines.flatMap(({ field, label, unit, color, dash }, i) => {
      if (this.hidden.has(field)) return [];
      const last = this.readings.last(i, from, to);
      return [{ label, color, dash, value: last ? withUnit(last.text, unit) : '–' }];
    });
    return drawPicture({ title: this.title, times: rangeText(from, to, NaN), entries, ...this.#frame.picture });
  }

  async #savePicture() {
    const { to } = this.board.window.range(this.board.now());
    await savePicture(this.picture(), fileName([this.board.chassisId, this.title], to, 'png'));
  }

  #toggle(index) {
    const { field } = this.lines[index];
    const next = new Set(this.hidden);
    if (!next.delete(field)) next.add(field);
    this.#switch(next);
  }

  /** That line alone; where it is alone already, all of them. */
  #showAlone(index) {
    const { field } = this.lines[index];
    const others = this.lines.map((line) => line.field).filter((other) => other !== field);
    const isAlone = !this.hidden.has(field) && others.every((other) => this.hidden.has(other));
    this.#switch(isAlone ? [] : others);
  }

  #switch(fields) {
    this.setHidden(fields);
    this.board.changed();
  }

  /** @returns {string} time and values at the cursor, for a screen reader */
  said() {
    const { t } = this.board.cursor;
    const values = this.valuesAt(t).map(({ label, text, unit }) => `${label} ${text} ${unit}`.trim());
    return [formatMoment(t, this.board.now(), t % 1000 !== 0), ...values].join('; ');
  }

  /** @returns {string} label, value and unit of all charts at the cursor, a line each, tabs between */
  copied() {
    const { t } = this.board.cursor;
    const values = this.board.cards.flatMap((card) => card.valuesAt(t));
    const rows = [{ label: charts.time, text: formatMoment(t, NaN, true), unit: '' }, ...values];
    const clean = (text) => text.replace(/[\t\r\n]+/g, ' ');
    return rows.map(({ label, text, unit }) => [label, text, unit].map(clean).join('\t')).join('\n');
  }

  /** Something is said where the plot is empty. */
  #showOverlay(isEmpty) {
    const { isWaiting } = this.#source;
    this.element.classList.toggle('waiting', isWaiting);
    this.#overlay.hidden = !isEmpty;
    setText(this.#overlay, isWaiting ? texts.waiting : charts.noValues);
  }
}
