/** Chart groups as the editor has them: form and body, what is wrong, what differs, order, files. Pure. */
import { formatUnit } from '../base/format.js';
import { groups as t } from '../texts.js';

export const MSG_TYPES = ['vehicle_can', 'client_raw_data'];
export const LEVELS = ['info', 'warn', 'bad'];
export const TEXT_MAX = 200;
const COUNT_MAX = { lines: 50, axes: 8, limits: 20 };

/**
 * @typedef {import('../data/api.js').Line} Line
 * @typedef {{title: string, msgType: string, lines: Line[], axes: Object[], limits: Object[]}} Body
 *   a group without id, order and version, as the server takes it
 * @typedef {Body} Form the same with numbers as typed, and `isBand` in limits
 */

/** @param {string|number|null} typed @returns {number|string|null} null for nothing, the text where it is no number */
export function toNumberOrText(typed) {
  const text = String(typed ?? '').trim().replace(',', '.').replace('−', '-');
  if (!text) return null;
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

/** @param {Partial<Body>} [group] nothing for a new one @returns {Form} a copy */
export function toForm({ title = '', msgType = MSG_TYPES[0], lines = [], axes = [], limits = [] } = {}) {
  return {
    title,
    msgType,
    lines: lines.map(({ field, label = null, color = null, style = null, dash }) =>
      ({ field, label, color, style, dash: Boolean(dash) })),
    axes: axes.map(({ unit, side = null, min = null, max = null }) => ({ unit, side, min, max })),
    limits: limits.map(({ unit, from = null, to = null, label = null, level = 'info' }) =>
      ({ unit, from, to, label, level, isBand: from !== to })),
  };
}

/** @param {Form} form @returns {Body} */
export function toBody({ title, msgType, lines, axes, limits }) {
  const text = (typed) => typed?.trim() || null;
  return {
    title: title.trim(),
    msgType,
    lines: lines.map((line) => ({ ...line, label: text(line.label) })),
    axes: axes
      .map(({ unit, side, min, max }) => ({ unit, side, min: toNumberOrText(min), max: toNumberOrText(max) }))
      .filter(({ side, min, max }) => side !== null || min !== null || max !== null)
      .map((axis) => ({ ...axis, side: axis.side ?? 'left' })),
    limits: limits.map(({ isBand, ...limit }) => ({
      ...limit,
      from: toNumberOrText(limit.from),
      to: toNumberOrText(isBand ? limit.to : limit.from),
      label: text(limit.label),
    })),
  };
}

/** @param {Body} group of the server, or of a form @returns {Body} with nothing but what a form changes */
export function contentOf(group) {
  return toBody(toForm(group));
}

/** @param {Object} a @param {Object} b */
export function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

function checkSpan(wrong, where, [lowKey, low], [highKey, high], isWrongOrder) {
  for (const [key, value] of [[lowKey, low], [highKey, high]]) {
    if (typeof value === 'string') wrong.set(`${where}.${key}`, t.noNumber);
  }
  if (typeof low === 'number' && typeof high === 'number' && isWrongOrder(low, high)) {
    wrong.set(`${where}.${highKey}`, t.above(low));
  }
}

/** @param {Form} form @returns {Map<string, string>} what is wrong by place: `title`, `lines.0.label`, `axes.degC.max` */
export function validate(form) {
  const wrong = new Map();
  const { title, lines, axes, limits } = toBody(form);
  if (!title || title.length > TEXT_MAX) wrong.set('title', t.titleLength);
  for (const [key, max] of Object.entries(COUNT_MAX)) if (form[key].length > max) wrong.set(key, t.tooMany(max));
  for (const [key, list] of Object.entries({ lines, limits })) {
    list.forEach(({ label }, i) => label?.length > TEXT_MAX && wrong.set(`${key}.${i}.label`, t.textLength));
  }
  for (const { unit, min, max } of axes) {
    checkSpan(wrong, `axes.${unit}`, ['min', min], ['max', max], (low, high) => low >= high);
  }
  limits.forEach(({ from, to }, i) => {
    checkSpan(wrong, `limits.${i}`, ['from', from], ['to', to], (low, high) => low > high);
    if (from === null && to === null) wrong.set(`limits.${i}.from`, form.limits[i].isBand ? t.noBand : t.noValue);
  });
  return wrong;
}

/** @param {string} unit as the parsing writes it */
export function unitText(unit) {
  return formatUnit(unit) || t.noUnit;
}

function spanText(low, high) {
  if (low === high) return low === null ? t.automatic : String(low);
  return t.span(low, high);
}

function byKey(list, keyOf) {
  return new Map(list.map((item) => [keyOf(item), item]));
}

/** What only one of two lists has, and what both have but not alike. */
function compare(before, after, keyOf) {
  const old = byKey(before, keyOf);
  const now = byKey(after, keyOf);
  return {
    added: after.filter((item) => !old.has(keyOf(item))),
    removed: before.filter((item) => !now.has(keyOf(item))),
    changed: after.filter((item) => old.has(keyOf(item)) && !isSame(old.get(keyOf(item)), item)),
    isMoved: !isSame([...old.keys()].filter((key) => now.has(key)), [...now.keys()].filter((key) => old.has(key))),
  };
}

/** @param {Body} before @param {Body} after @returns {string[]} what was changed, in words; none where nothing was */
export function differences(before, after) {
  const said = [];
  const say = (text, items, name) => items.length && said.push(text(items.map(name).join(', ')));
  if (before.title !== after.title) said.push(t.titleNow(after.title));
  if (before.msgType !== after.msgType) said.push(t.sourceNow(after.msgType));
  const nameOf = ({ field, label }) => label ?? field;
  const lines = compare(before.lines, after.lines, ({ field }) => field);
  say(t.linesAdded, lines.added, nameOf);
  say(t.linesRemoved, lines.removed, nameOf);
  say(t.linesChanged, lines.changed, nameOf);
  if (lines.isMoved) said.push(t.linesMoved);
  const axes = compare(before.axes, after.axes, ({ unit }) => unit);
  say(t.axesNow, [...axes.added, ...axes.changed], ({ unit, side, min, max }) =>
    `${unitText(unit)} ${t.sides[side ?? '']} ${spanText(min, max)}`);
  say(t.axesReset, axes.removed, ({ unit }) => unitText(unit));
  const limitText = ({ unit, from, to, label, level }) =>
    `${label ? `${label} ` : ''}${spanText(from, to)} ${formatUnit(unit)} (${t.levels[level]})`;
  const limits = compare(before.limits, after.limits, limitText);
  say(t.limitsAdded, limits.added, limitText);
  say(t.limitsRemoved, limits.removed, limitText);
  if (limits.isMoved) said.push(t.limitsMoved);
  return said.length || isSame(before, after) ? said : [t.otherChange];
}

/**
 * Numbers by which the groups stand as they are listed; as few as can be are changed.
 * @template {{order: number}} G @param {G[]} groups @returns {[G, number][]} those that need another
 */
export function reorder(groups) {
  const orders = groups.map(({ order }) => order).sort((a, b) => a - b);
  for (let i = 1; i < orders.length; i++) orders[i] = Math.max(orders[i], orders[i - 1] + 1);
  return groups.map((group, i) => [group, orders[i]]).filter(([group, order]) => group.order !== order);
}

/** @template T @param {T[]} list @param {number} from @param {number} to @returns {T[]} a copy */
export function moved(list, from, to) {
  const next = [...list];
  if (to >= 0) next.splice(to, 0, ...next.splice(from, 1));
  return next;
}

/** What stands in a key: a type (with ? it may lack), a pattern, one of some values, or a list of such objects. */
const NAME = /^[\w-]{1,64}$/;
const LINE = { field: 'string', label: 'string?', color: 'string?', style: { of: ['line', 'step'] }, dash: 'boolean?' };
const AXIS = { unit: 'string', side: { of: ['left', 'right'] }, min: 'number?', max: 'number?' };
const LIMIT = { unit: 'string', from: 'number?', to: 'number?', label: 'string?', level: { of: LEVELS } };
const GROUP = { title: 'string', msgType: NAME, lines: [LINE], axes: [AXIS], limits: [LIMIT] };

function isRight(value, kind) {
  if (kind instanceof RegExp) return value === undefined || (typeof value === 'string' && kind.test(value));
  const mayLack = kind.of || kind.endsWith('?');
  if (value === null || value === undefined) return Boolean(mayLack);
  return kind.of ? kind.of.includes(value) : typeof value === kind.replace('?', '');
}

/** @returns {string[]} where the value is not as the shape says */
function misshapen(value, shape, where = '') {
  if (typeof value !== 'object' || value === null) return [where];
  return Object.entries(shape).flatMap(([key, kind]) => {
    const place = where ? `${where}.${key}` : key;
    if (!Array.isArray(kind)) return isRight(value[key], kind) ? [] : [place];
    const list = value[key] ?? [];
    return Array.isArray(list) ? list.flatMap((item, i) => misshapen(item, kind[0], `${place}[${i}]`)) : [place];
  });
}

/** @param {Object[]} groups @returns {string} the file's text, without ids and versions */
export function exportText(groups) {
  return `${JSON.stringify({ duco_groups: 1, groups: groups.map(contentOf) }, null, 1)}\n`;
}

/**
 * @param {string} text of a file
 * @returns {{bodies: import('./model.js').Body[], errors: string[]}} no bodies where there are errors
 */
export function importText(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch (error) {
    return { bodies: [], errors: [t.noJson(error.message)] };
  }
  if (file?.duco_groups !== 1 || !Array.isArray(file.groups)) return { bodies: [], errors: [t.noGroupsFile] };
  const errors = file.groups.flatMap((group, i) => {
    const places = misshapen(group, GROUP);
    const wrong = places.length ? places.map((place) => [place, t.notAllowed]) : [...validate(toForm(group))];
    return wrong.map(([place, what]) => t.importError(i + 1, String(group?.title ?? ''), place, what));
  });
  return { bodies: errors.length ? [] : file.groups.map(contentOf), errors };
}
