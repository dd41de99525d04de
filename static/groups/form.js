/** One group as a form, with a search over all signals of the machine. Every change goes to `edit`. */
import { decimalsOf, formatUnit, formatValue } from '../base/format.js';
import { PALETTE } from '../base/palette.js';
import { lineColor } from '../base/theme.js';
import { html, useEffect, useState } from '../base/ui.js';
import { SignalFeed } from '../data/signalfeed.js';
import { isFound, searchText } from '../signals/signaltable.js';
import { groups as t, msgTypeName } from '../texts.js';
import { LEVELS, moved, toForm, unitText, validate } from './model.js';

/** A colour of the palette is stored as the light theme has it. */
const COLORS = [['', t.colorAutomatic], ...PALETTE.light.map((color, i) => [color, t.colors[i]])];
const HITS_MAX = 40;
const UPDATE_MS = 500;

/** @param {Object[]} options pairs of value and text; '' stands for null */
function select(label, value, options, set) {
  return html`<select aria-label=${label} onChange=${(event) => set(event.target.value || null)}>
    ${options.map(([key, text]) => html`<option value=${key} selected=${key === (value ?? '')}>${text}</option>`)}
  </select>`;
}

/** @param {Map<string, string>} wrong by place */
function input(wrong, place, label, value, set, placeholder) {
  const what = wrong.get(place);
  const id = `g-${place.replace(/\W/g, '_')}`;
  return html`<span class="g-field">
    <input aria-label=${label} placeholder=${placeholder} value=${value ?? ''} aria-invalid=${String(Boolean(what))}
      aria-describedby=${what ? id : undefined} onInput=${(event) => set(event.target.value)} />
    ${what && html`<small class="g-wrong" id=${id}>${what}</small>`}
  </span>`;
}

/** @param {string} text @param {string} label '' where the text says it @param {() => void} onClick */
export function button(text, label, onClick, isDisabled = false) {
  return html`<button type="button" class="quiet" aria-label=${label || undefined} title=${label} disabled=${isDisabled}
    onClick=${onClick}>${text}</button>`;
}

/** @param {(by: number) => void} move @returns {(event: KeyboardEvent) => void} for Alt with ↑ and ↓ */
export function onAltArrow(move) {
  return (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!event.altKey || !by) return;
    event.preventDefault();
    move(by);
  };
}

/** The same signal may have two lines. */
function keyOf(lines, i) {
  return `${lines[i].field} ${lines.slice(0, i).filter(({ field }) => field === lines[i].field).length}`;
}

function lineRow({ line, i, key, field, wrong, edit }) {
  const name = line.label || line.field;
  const set = (key) => (value) => edit((form) => { form.lines[i][key] = value; });
  const move = (by) => edit((form) => { form.lines = moved(form.lines, i, i + by); });
  const isOwn = line.color && !PALETTE.light.includes(line.color);
  return html`<li key=${key} class="g-row" onKeyDown=${onAltArrow(move)}>
    <b title=${field?.description ?? ''}>${line.field} <small>${field ? unitText(field.unit) : t.unknown}</small></b>
    ${input(wrong, `lines.${i}.label`, t.of(t.label, line.field), line.label, set('label'), t.label)}
    <input type="color" aria-label=${t.of(t.anyColor, name)} title=${t.anyColor} value=${lineColor(i, line.color)}
      onInput=${(event) => set('color')(event.target.value)} />
    ${select(t.of(t.color, name), line.color, isOwn ? [...COLORS, [line.color, t.ownColor]] : COLORS, set('color'))}
    ${select(t.of(t.style, name), line.style, Object.entries(t.styles), set('style'))}
    <label><input type="checkbox" checked=${line.dash} onChange=${(event) => set('dash')(event.target.checked)} />
      ${' '}${t.dashed}</label>
    <span class="g-tools">
      ${button('↑', t.moveUp(name), () => move(-1))}
      ${button('↓', t.moveDown(name), () => move(1))}
      ${button('✕', t.remove(name), () => edit((form) => { form.lines.splice(i, 1); }))}
    </span>
  </li>`;
}

function axisRow({ unit, i, form, wrong, edit }) {
  const find = (axes) => axes.find((axis) => axis.unit === unit);
  const axis = find(form.axes) ?? {};
  const text = unitText(unit);
  const name = t.axis(text);
  const set = (key) => (value) => edit((next) => {
    if (!find(next.axes)) next.axes.push({ unit, side: null, min: null, max: null });
    const changed = find(next.axes);
    changed[key] = value;
    // An axis with a range of its own has a side; it is the one that charts would give it.
    if (changed.min || changed.max) changed.side ??= i % 2 ? 'right' : 'left';
  });
  const sides = Object.entries(t.sides).slice(axis.min || axis.max ? 1 : 0);
  return html`<li key=${unit} class="g-row"><b>${text}</b>
    ${select(t.of(t.side, name), axis.side, sides, set('side'))}
    ${input(wrong, `axes.${unit}.min`, t.of(t.min, name), axis.min, set('min'), `${t.min}: ${t.automatic}`)}
    ${input(wrong, `axes.${unit}.max`, t.of(t.max, name), axis.max, set('max'), `${t.max}: ${t.automatic}`)}
  </li>`;
}

function limitRow({ limit, i, units, wrong, edit }) {
  const set = (key) => (value) => edit((form) => { form.limits[i][key] = value; });
  const at = (key) => `limits.${i}.${key}`;
  const name = t.limit(i + 1);
  const low = limit.isBand ? t.from : t.value;
  return html`<li key=${i} class="g-row">
    ${select(t.of(t.kind, name), limit.isBand ? 'band' : '', Object.entries(t.kinds), (kind) => set('isBand')(!!kind))}
    ${input(wrong, at('from'), t.of(low, name), limit.from, set('from'), low)}
    ${limit.isBand && input(wrong, at('to'), t.of(t.to, name), limit.to, set('to'), t.to)}
    ${select(t.of(t.unit, name), limit.unit, [...new Set([...units, limit.unit])].map((unit) => [unit, unitText(unit)]),
      (unit) => set('unit')(unit ?? ''))}
    ${select(t.of(t.level, name), limit.level, LEVELS.map((level) => [level, t.levels[level]]), set('level'))}
    ${input(wrong, at('label'), t.of(t.label, name), limit.label, set('label'), t.label)}
    ${button('✕', t.remove(name), () => edit((form) => { form.limits.splice(i, 1); }))}
  </li>`;
}

/** @returns {string[]} units that have an axis: states are shown by their names, on an axis of their own */
function unitsOf(form, fields) {
  const used = form.lines.map(({ field }) => fields.get(field)).filter((field) => field && !field.choices);
  return [...new Set([...used.map(({ unit }) => unit ?? ''), ...form.axes.map(({ unit }) => unit)])];
}

function section(title, wrong, key, content) {
  return html`<fieldset><legend>${title}</legend>${content}
    ${wrong.has(key) && html`<small class="g-wrong">${wrong.get(key)}</small>`}</fieldset>`;
}

/** @returns {() => void} ends it */
function follow(machine, lists, onValues, onError) {
  const feeds = lists
    .filter(({ fields }) => fields.length)
    .map(({ msgType, fields }) => new SignalFeed({ ...machine, msgType }, fields, onError));
  for (const feed of feeds) feed.open();
  const timer = setInterval(() => {
    const readings = feeds.flatMap((feed) => feed.read().map((reading, i) => [feed.fields[i], reading]));
    onValues(new Map(readings));
  }, UPDATE_MS);
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

/** @returns {{msgType: string, field: Object}[]} */
function find(lists, query) {
  const all = lists.flatMap(({ msgType, fields }) => fields.map((field) => ({ msgType, field })));
  return all.filter(({ field }) => isFound(searchText(field), query.trim()));
}

function Hits({ hits, at, values, used, onPick }) {
  return html`<ul id="g-hits" role="listbox" aria-label=${t.hits} hidden=${!hits.length}
    onMouseDown=${(event) => event.preventDefault()}>${hits.map((hit, i) => {
      const { msgType, field } = hit;
      const reading = values.get(field);
      const isUsed = used.has(field.name);
      const about = [msgTypeName(msgType), field.message, field.description].filter(Boolean).join(' · ');
      return html`<li role="option" key=${`${msgType} ${field.name}`} id=${`g-hit-${i}`} aria-selected=${String(i === at)}
        class=${isUsed || reading?.stale ? 'g-pale' : ''} onClick=${() => onPick(hit)}>
        <b>${field.name}</b><span>${isUsed ? t.used : valueText(field, reading)}</span><small>${about}</small></li>`;
    })}</ul>`;
}

/**
 * @param {{machine: {tenant: string, chassisId: string}, lists: {msgType: string, fields: Object[]}[],
 *   used: Set<string>, add: (hit: {msgType: string, field: Object}) => string}} properties `add` says why it does not
 */
function Search({ machine, lists, used, add }) {
  const [query, setQuery] = useState('');
  const [active, setActive] = useState(0);
  const [isOpen, setOpen] = useState(false);
  const [values, setValues] = useState(new Map());
  const [note, setNote] = useState('');
  const open = () => setOpen(true);
  useEffect(() => (isOpen ? follow(machine, lists, setValues, setNote) : undefined), [isOpen, lists]);
  const found = isOpen ? find(lists, query) : [];
  const hits = found.slice(0, HITS_MAX);
  const at = Math.min(active, hits.length - 1);
  useEffect(() => { document.getElementById(`g-hit-${at}`)?.scrollIntoView({ block: 'nearest' }); }, [at, query]);
  const pick = (hit) => used.has(hit.field.name) || setNote(add(hit));
  const keys = {
    ArrowDown: () => (isOpen ? setActive(Math.min(at + 1, hits.length - 1)) : open()),
    ArrowUp: () => setActive(Math.max(0, at - 1)),
    Enter: () => hits[at] && pick(hits[at]),
    Escape: isOpen && (() => {
      setOpen(false);
      setQuery('');
    }),
  };
  const onKeyDown = (event) => {
    if (event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  const onInput = (event) => {
    setQuery(event.target.value);
    setActive(0);
    setNote('');
    open();
  };
  return html`<div class="g-search">
    <input type="search" id="g-search" data-do="search" role="combobox" aria-autocomplete="list" aria-controls="g-hits"
      autocomplete="off" aria-expanded=${String(isOpen)} aria-activedescendant=${hits.length ? `g-hit-${at}` : undefined}
      aria-label=${t.search} placeholder=${t.search} value=${query} onInput=${onInput} onKeyDown=${onKeyDown}
      onFocus=${open} onClick=${open} onBlur=${() => setOpen(false)} />
    <${Hits} hits=${hits} at=${at} values=${values} used=${used} onPick=${pick} />
    <p role="status" class="g-note">${note || (isOpen ? t.found(found.length, hits.length) : '')}</p>
  </div>`;
}

/**
 * @param {{form: import('./model.js').Form, machine: {tenant: string, chassisId: string},
 *   lists: {msgType: string, fields: Object[]}[], edit: (change: (form: Object) => void) => void}} properties
 */
export function GroupForm({ form, machine, lists, edit }) {
  const wrong = validate(form);
  const own = lists.find(({ msgType }) => msgType === form.msgType)?.fields ?? [];
  const fields = new Map(own.map((field) => [field.name, field]));
  const units = unitsOf(form, fields);
  const count = form.lines.length;
  const add = ({ msgType, field: { name } }) => {
    if (count && msgType !== form.msgType) return t.otherSource(name, msgType, form.msgType);
    edit((next) => {
      next.msgType = msgType;
      next.lines.push(...toForm({ lines: [{ field: name }] }).lines);
    });
    return '';
  };
  return html`
    <label class="g-title">${t.groupTitle}
      ${input(wrong, 'title', t.groupTitle, form.title, (title) => edit((next) => { next.title = title; }), '')}</label>
    ${section(count ? `${t.lines} · ${msgTypeName(form.msgType)}` : t.lines, wrong, 'lines', html`
      <ol>${form.lines.map((line, i) => lineRow({
        line, i, key: keyOf(form.lines, i), field: fields.get(line.field), wrong, edit,
      }))}</ol>
      <${Search} machine=${machine} lists=${lists} add=${add} used=${new Set(form.lines.map(({ field }) => field))} />`)}
    ${units.length > 0 && section(t.axes, wrong, 'axes', html`
      <ul>${units.map((unit, i) => axisRow({ unit, i, form, wrong, edit }))}</ul>`)}
    ${section(t.limits, wrong, 'limits', html`
      <ul>${form.limits.map((limit, i) => limitRow({ limit, i, units, wrong, edit }))}</ul>
      ${button(t.addLimit, '', () => edit((next) => {
        next.limits.push({ unit: units[0] ?? '', from: null, to: null, label: null, level: 'warn', isBand: false });
      }))}`)}`;
}
