/** One group as a form, with a search over all signals of the machine. Every change goes to `edit`. */
import { decimalsOf, formatUnit, formatValue } from '../base/format.js';
import { PALETTE } from '../base/palette.js';
import { lineColor } from '../base/theme.js';
import { html, useEffect, useState } from '../base/ui.js';
import { SignalFeed } from '../data/feed.js';
import { isFound, searchText } from '../signals/signaltable.js';
import { groups as t, msgTypeName, texts } from '../texts.js';
import { moved, TEXT_MAX, unitText, validate } from './model.js';

const HITS_MAX = 40;
const UPDATE_MS = 500;

/** @param {Object<string, string>} options texts by value */
function select(label, value, options, set) {
  const chosen = value ?? '';
  return html`<select aria-label=${label} onChange=${(event) => set(event.target.value)}>
    ${Object.entries(options).map(([key, text]) =>
      html`<option value=${key} selected=${key === chosen}>${text}</option>`)}
  </select>`;
}

/** @param {string} [wrong] what is wrong, as its description */
function input(label, value, set, wrong, placeholder) {
  return html`<input aria-label=${label} placeholder=${placeholder} value=${value ?? ''} maxlength=${TEXT_MAX}
    title=${wrong} aria-invalid=${Boolean(wrong)} onInput=${(event) => set(event.target.value)} />`;
}

function check(text, isOn, set) {
  const onChange = (event) => set(event.target.checked);
  return html`<label><input type="checkbox" checked=${isOn} onChange=${onChange} /> ${text}</label>`;
}

/** @param {string} text @param {string} label '' where the text says it @param {() => void} onClick */
export function button(text, label, onClick, isDisabled = false) {
  return html`<button type="button" class="quiet" aria-label=${label || undefined} title=${label} disabled=${isDisabled}
    onClick=${onClick}>${text}</button>`;
}

/** What can be done to one of a list of the form. */
function changes(edit, list, i) {
  return {
    set: (key) => (value) => edit((form) => { form[list][i][key] = value; }),
    move: (by) => () => edit((form) => { form[list] = moved(form[list], i, i + by); }),
    remove: () => edit((form) => { form[list].splice(i, 1); }),
  };
}

function lineRow({ line, i, field, unknown, edit }) {
  const name = line.label || line.field;
  const { set, move, remove } = changes(edit, 'lines', i);
  // A colour of the palette is stored as the light theme has it.
  const paint = (isAutomatic) => set('color')(isAutomatic ? null : PALETTE.light[i % PALETTE.light.length]);
  return html`<li key=${line.field} class="g-row">
    <b title=${field?.description}>${line.field} <small>${field ? unitText(field.unit) : unknown}</small></b>
    ${input(t.of(t.label, line.field), line.label, set('label'), undefined, t.label)}
    <input type="color" list="g-colors" aria-label=${t.of(t.color, name)} value=${lineColor(i, line.color)}
      onInput=${(event) => set('color')(event.target.value)} />
    ${check(t.automaticColor, !line.color, paint)}
    ${select(t.of(t.style, name), line.style, t.styles, set('style'))}
    ${check(t.dashed, line.dash, set('dash'))}
    <span class="g-tools">
      ${button('↑', t.moveUp(name), move(-1))}${button('↓', t.moveDown(name), move(1))}
      ${button('✕', t.remove(name), remove)}
    </span>
  </li>`;
}

function axisRow({ unit, i, form, wrong, edit }) {
  // Where the group says nothing of it, it stands as charts place it.
  const axis = { unit, side: i % 2 ? 'right' : 'left', min: null, max: null };
  const find = (axes) => axes.find((other) => other.unit === unit);
  const { side, min, max } = find(form.axes) ?? axis;
  const text = unitText(unit);
  const name = t.axis(text);
  const set = (key) => (value) => edit((next) => {
    if (!find(next.axes)) next.axes.push(axis);
    find(next.axes)[key] = value;
  });
  const end = (key, value) =>
    input(t.of(t[key], name), value, set(key), wrong.get(`axes.${unit}.${key}`), `${t[key]}: ${t.automatic}`);
  return html`<li key=${unit} class="g-row"><b>${text}</b>
    ${select(t.of(t.side, name), side, t.sides, set('side'))}${end('min', min)}${end('max', max)}</li>`;
}

function limitRow({ limit, i, units, wrong, edit }) {
  const { set, remove } = changes(edit, 'limits', i);
  const name = t.limit(i + 1);
  const own = Object.fromEntries([...units, limit.unit].map((unit) => [unit, unitText(unit)]));
  const end = (key, label) =>
    input(t.of(label, name), limit[key], set(key), wrong.get(`limits.${i}.${key}`), label);
  return html`<li key=${i} class="g-row">
    ${limit.isBand ? [end('from', t.from), end('to', t.to)] : end('from', t.value)}
    ${select(t.of(t.unit, name), limit.unit, own, set('unit'))}
    ${select(t.of(t.level, name), limit.level, t.levels, set('level'))}
    ${input(t.of(t.label, name), limit.label, set('label'), undefined, t.label)}
    ${button('✕', t.remove(name), remove)}
  </li>`;
}

/** @returns {string[]} units that have an axis: states are shown by their names, on an axis of their own */
function unitsOf(form, fields) {
  const used = form.lines.map(({ field }) => fields.get(field)).filter((field) => field && !field.choices);
  return [...new Set([...used, ...form.axes].map(({ unit }) => unit ?? ''))];
}

/** While the tab is seen. @returns {() => void} ends it */
function follow(machine, lists, onValues, onError) {
  const feeds = lists
    .filter(({ fields }) => fields.length)
    .map(({ msgType, fields }) => new SignalFeed({ ...machine, msgType }, fields, onError));
  let isOpen = false;
  const update = () => {
    if (isOpen === document.hidden) {
      isOpen = !isOpen;
      for (const feed of feeds) feed[isOpen ? 'open' : 'close']();
    }
    const readings = feeds.flatMap((feed) => feed.read().map((reading, i) => [feed.fields[i], reading]));
    if (isOpen) onValues(new Map(readings));
  };
  update();
  const timer = setInterval(update, UPDATE_MS);
  return () => {
    clearInterval(timer);
    for (const feed of feeds) feed.close();
  };
}

function valueText(field, reading) {
  if (!reading) return '';
  const { value } = reading;
  const decimals = typeof value === 'number' ? decimalsOf([value], field.unit) : 0;
  return `${formatValue(value, field, decimals)} ${formatUnit(field.unit)}`;
}

/** ↑ and ↓ go through the hits. */
function onArrow(event) {
  const next = { ArrowUp: 'previousElementSibling', ArrowDown: 'nextElementSibling' }[event.key];
  if (!next) return;
  event.preventDefault();
  event.target[next]?.focus();
}

/**
 * @param {{machine: {tenant: string, chassisId: string}, lists: {msgType: string, fields: Object[]}[], form: Object,
 *   add: (msgType: string, field: string) => void}} properties
 */
function Search({ machine, lists, form, add }) {
  const [query, setQuery] = useState('');
  const [values, setValues] = useState(new Map());
  const [error, setError] = useState('');
  useEffect(() => follow(machine, lists, setValues, setError), [lists]);
  const used = form.lines.map(({ field }) => field);
  // A chart has lines of one source.
  const hits = lists
    .filter(({ msgType }) => !used.length || msgType === form.msgType)
    .flatMap(({ msgType, fields }) => fields.map((field) => ({ msgType, field })))
    .filter(({ field }) => isFound(searchText(field), query.trim()));
  return html`<div class="g-search">
    <input type="search" data-do="search" aria-label=${t.search} placeholder=${t.search} autocomplete="off"
      value=${query} onInput=${(event) => setQuery(event.target.value)} />
    <div class="g-hits" role="listbox" aria-label=${t.hits} hidden=${!hits.length} onKeyDown=${onArrow}>
      ${hits.slice(0, HITS_MAX).map(({ msgType, field }) => {
        const { name, message, description } = field;
        const isUsed = used.includes(name);
        const reading = values.get(field);
        return html`<button type="button" role="option" key=${`${msgType} ${name}`} aria-selected=${isUsed}
          class=${isUsed || reading?.stale ? 'g-pale' : ''} onClick=${() => isUsed || add(msgType, name)}>
          <b>${name}</b><span>${isUsed ? t.used : valueText(field, reading)}</span>
          <small>${[msgTypeName(msgType), message, description].filter(Boolean).join(' · ')}</small></button>`;
      })}</div>
    <p role="status" class="g-note">${error || t.found(hits.length, HITS_MAX)}</p>
  </div>`;
}

function section(title, content) {
  return html`<fieldset><legend>${title}</legend>${content}</fieldset>`;
}

/**
 * @param {import('./model.js').Form} form @param {{machine: {tenant: string, chassisId: string},
 *   lists: {msgType: string, fields: Object[]}[]}} editor @param {(change: (form: Object) => void) => void} edit
 */
export function groupForm(form, { machine, lists }, edit) {
  const wrong = validate(form);
  const own = lists.find(({ msgType }) => msgType === form.msgType)?.fields ?? [];
  const fields = new Map(own.map((field) => [field.name, field]));
  const units = unitsOf(form, fields);
  const unknown = lists[0] && texts.unknownField; // else they could not be loaded
  const add = (msgType, field) => edit((next) => {
    next.msgType = msgType;
    next.lines.push({ field, label: null, color: null, style: null, dash: false });
  });
  const limit = { unit: units[0] ?? '', from: null, to: null, label: null, level: 'warn' };
  const addLimit = (isBand) => () => edit((next) => { next.limits.push({ ...limit, isBand }); });
  return html`
    <label class="g-title">${t.title}
      ${input(t.title, form.title, (title) => edit((next) => { next.title = title; }), wrong.get('title'))}</label>
    <datalist id="g-colors">${PALETTE.light.map((color) => html`<option value=${color} />`)}</datalist>
    ${section(t.lines, html`
      <ol>${form.lines.map((line, i) => lineRow({ line, i, field: fields.get(line.field), unknown, edit }))}</ol>
      <${Search} machine=${machine} lists=${lists} form=${form} add=${add} />`)}
    ${units.length > 0 && section(t.axes, html`
      <ul>${units.map((unit, i) => axisRow({ unit, i, form, wrong, edit }))}</ul>`)}
    ${section(t.limits, html`
      <ul>${form.limits.map((item, i) => limitRow({ limit: item, i, units, wrong, edit }))}</ul>
      <div class="g-tools">${button(t.addLimit, '', addLimit(false))}${button(t.addBand, '', addLimit(true))}</div>`)}`;
}
