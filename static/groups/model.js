/** Chart groups as the editor has them: form and body, what is wrong, what differs, order, files. Pure. */
import { formatUnit } from '../base/format.js';
import { groups as t } from '../texts.js';

export const MSG_TYPES = ['vehicle_can', 'client_raw_data'];
export const TEXT_MAX = 200;

/**
 * @typedef {import('../data/api.js').Line} Line
 * @typedef {{title: string, msgType: string, lines: Line[], axes: Object[], limits: Object[]}} Body
 *   a group without id, order and version, as the server takes it
 * @typedef {Body} Form the same with numbers as typed, and `isBand` in limits
 */

/** All keys of a body: what is written with them has nothing else, in this order. */
const KEYS = [
  'title', 'msgType', 'lines', 'field', 'label', 'color', 'style', 'dash',
  'axes', 'unit', 'side', 'min', 'max', 'limits', 'from', 'to', 'level',
];
/** @type {Body} */
export const EMPTY = { title: '', msgType: MSG_TYPES[0], lines: [], axes: [], limits: [] };

/** @param {Object} group of the server, or a form @returns {Body} a copy with nothing but what a form changes */
export function contentOf(group) {
  return JSON.parse(JSON.stringify(group, KEYS));
}

/** @param {Body} a @param {Body} b or parts of them */
export function isSame(a, b) {
  return JSON.stringify(a, KEYS) === JSON.stringify(b, KEYS);
}

/** @param {Body} [group] @returns {Form} a copy */
export function toForm(group = EMPTY) {
  const form = contentOf(group);
  for (const limit of form.limits) limit.isBand = limit.from !== limit.to;
  return form;
}

/** @param {string|number|null} typed @returns {number|string|null} null for nothing, the text where it is no number */
function toNumberOrText(typed) {
  const text = String(typed ?? '').trim().replace(',', '.');
  if (!text) return null;
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

/** @param {Form} form @returns {Body} */
export function toBody(form) {
  const body = contentOf(form);
  for (const line of body.lines) line.style ||= null;
  for (const item of [...body.lines, ...body.limits]) item.label ||= null;
  for (const item of [...body.axes, ...body.limits]) {
    for (const key of ['min', 'max', 'from', 'to']) if (key in item) item[key] = toNumberOrText(item[key]);
  }
  body.limits.forEach((limit, i) => {
    if (!form.limits[i].isBand) limit.to = limit.from;
  });
  return body;
}

/** @param {Form} form @returns {Map<string, string>} what is wrong by place: `title`, `axes.m/s.max`, `limits.0.to` */
export function validate(form) {
  const wrong = new Map();
  const { title, axes, limits } = toBody(form);
  const check = (where, lowKey, low, highKey, high) => {
    if (typeof low === 'string') wrong.set(where + lowKey, t.noNumber);
    if (typeof high === 'string') wrong.set(where + highKey, t.noNumber);
    else if (low !== null && high !== null && low >= high) wrong.set(where + highKey, t.above(low));
  };
  if (!title.trim() || title.length > TEXT_MAX) wrong.set('title', t.titleLength);
  for (const { unit, min, max } of axes) check(`axes.${unit}.`, 'min', min, 'max', max);
  limits.forEach(({ from, to }, i) => {
    check(`limits.${i}.`, 'from', from, 'to', form.limits[i].isBand ? to : null);
    if (from === null && to === null) wrong.set(`limits.${i}.from`, t.noValue);
  });
  return wrong;
}

/** @param {string} unit as the parsing writes it */
export function unitText(unit) {
  return formatUnit(unit) || t.noUnit;
}

/** Names by which people know the items of a group. */
const NAMES = {
  lines: ({ field, label }) => label ?? field,
  axes: ({ unit, side, min, max }) => `${unitText(unit)} ${t.sides[side]} ${t.span(min, max)}`,
  limits: ({ unit, from, to, label, level }) =>
    `${label ?? ''} ${t.span(from, to)} ${formatUnit(unit)} (${t.levels[level]})`.trim(),
};

/** @param {Body} before @param {Body} after @returns {string[]} what was changed, in words; none where nothing was */
export function differences(before, after) {
  const said = [];
  if (before.title !== after.title) said.push(`${t.title}: ${after.title}`);
  for (const [key, nameOf] of Object.entries(NAMES)) {
    const namesOfNew = (items, others) =>
      items.filter((item) => !others.some((other) => isSame(item, other))).map(nameOf);
    const added = namesOfNew(after[key], before[key]);
    const removed = namesOfNew(before[key], after[key]);
    const changes = [
      [t.added, added.filter((name) => !removed.includes(name))],
      [t.removed, removed.filter((name) => !added.includes(name))],
      [t.changed, added.filter((name) => removed.includes(name))],
    ];
    for (const [what, names] of changes) if (names.length) said.push(`${t[key]} ${what}: ${names.join(', ')}`);
    if (!added.length && !removed.length && !isSame(before[key], after[key])) said.push(`${t[key]} ${t.rearranged}`);
  }
  return said;
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

/** @param {Object[]} groups @returns {string} the file's text, without ids and versions */
export function exportText(groups) {
  return JSON.stringify({ duco_groups: 1, groups }, ['duco_groups', 'groups', ...KEYS], 1);
}

/** @param {string} text of a file @returns {Object[]|null} its groups as they are; the server checks them */
export function importText(text) {
  try {
    const { duco_groups: format, groups } = JSON.parse(text);
    return format === 1 && Array.isArray(groups) ? groups : null;
  } catch {
    return null;
  }
}
