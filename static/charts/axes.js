/** Which line of a chart uses which value axis, where that stands, and what it shows. Pure. */
import { formatTick, formatUnit } from '../base/format.js';
import { fixedRange } from './scale.js';

/** More would leave a phone no room for lines. */
const AXES_MAX = 4;
/** A named choice must leave room for the lines. */
const NAME_MAX = 12;
/** With more names than this an axis gets numbers. */
const NAMES_MAX = 6;
/** Steps of an axis of choices; beyond its names it may go far. */
const CHOICE_STEPS_MAX = 12;
const CHAR_PX = 6.4;
const MARGIN_PX = 14;

/**
 * @typedef {{field: string, label: string, unit: string, choices: Object<string, string>|null}} LineSpec
 * @typedef {{unit: string, side: 'left'|'right', min: number|null, max: number|null}} AxisWish of the group, by unit
 * @typedef {{caption: string, units: string[], side: 'left'|'right', lines: number[],
 *   choices: Object<string, string>|null, ends: {min: number|null, max: number|null}}} AxisSpec
 * @typedef {{min: number, max: number, step: number}} Range
 */

/** @param {LineSpec} line @returns {string} lines of one key share an axis; names have no unit, and no common scale */
function axisKey(line) {
  return line.choices ? 'choices' : `unit ${line.unit}`;
}

function shorten(name) {
  return name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
}

/** Names can label an axis only where all its lines have the same ones. */
function commonChoices(lines) {
  const [first] = lines;
  if (!first.choices || Object.keys(first.choices).length > NAMES_MAX) return null;
  const same = JSON.stringify(first.choices);
  return lines.every((line) => JSON.stringify(line.choices) === same) ? first.choices : null;
}

/** Where the group says no side, the one that has fewer axes so far, left first. */
function freeSide(sides) {
  const left = sides.filter((side) => side === 'left').length;
  return left * 2 > sides.length ? 'right' : 'left';
}

/**
 * An axis a unit, left and right in turn; what comes fifth and later shares the fourth.
 * @param {LineSpec[]} lines @param {AxisWish[]} [wishes]
 * @returns {AxisSpec[]} at least one; of a side, the inner ones first
 */
export function assignAxes(lines, wishes = []) {
  const keys = [...new Set(lines.map(axisKey))];
  const groups = Array.from({ length: Math.min(AXES_MAX, Math.max(1, keys.length)) }, () => []);
  lines.forEach((line, i) => groups[Math.min(keys.indexOf(axisKey(line)), AXES_MAX - 1)].push(i));
  const sides = [];
  return groups.map((indices) => {
    const members = indices.map((i) => lines[i]);
    const units = [...new Set(members.map((line) => line.unit))];
    const wish = wishes.find(({ unit }) => unit === units[0]);
    sides.push(wish?.side ?? freeSide(sides));
    return {
      caption: units.map(formatUnit).filter(Boolean).join(' · '),
      units,
      side: sides.at(-1),
      lines: indices,
      choices: members.length ? commonChoices(members) : null,
      ends: { min: wish?.min ?? null, max: wish?.max ?? null },
    };
  });
}

/** From the first name to the largest value seen: names that never come take no room. */
function choiceRange(choices, extent, ends) {
  const numbers = Object.keys(choices).map(Number).sort((a, b) => a - b);
  const min = Math.floor(ends.min ?? Math.min(numbers[0], extent?.lo ?? Infinity));
  const max = Math.ceil(ends.max ?? Math.max(numbers[1] ?? numbers[0] + 1, extent?.hi ?? -Infinity));
  return { min, max, step: Math.max(1, Math.ceil((max - min) / CHOICE_STEPS_MAX)) };
}

/**
 * @param {AxisSpec} axis @param {Range|null} current @param {{lo: number, hi: number}|null} extent
 * @returns {Range|null} the current one itself where nothing changes; null while there is nothing to go by
 */
export function axisRange(axis, current, extent) {
  if (!axis.choices) return fixedRange(axis.ends, current, extent);
  const next = choiceRange(axis.choices, extent, axis.ends);
  return current && current.min === next.min && current.max === next.max ? current : next;
}

/**
 * @param {AxisSpec} axis @param {Range} range @param {number} value
 * @returns {string}
 */
export function tickText(axis, range, value) {
  if (axis.choices) return shorten(axis.choices[String(value)] ?? '');
  return formatTick(value, range.step);
}

/** @param {AxisSpec} axis @param {Range|null} range @returns {number} px that its labels and its caption need */
export function axisWidth(axis, range) {
  let longest = Math.max(3, axis.caption.length);
  const { min, max, step } = range ?? { min: 0, max: -1, step: 1 };
  for (let value = min; value <= max + step / 4; value += step) {
    longest = Math.max(longest, tickText(axis, range, value).length);
  }
  return Math.ceil(longest * CHAR_PX) + MARGIN_PX;
}

/**
 * @param {AxisSpec[]} axes @param {number[]} widths by axis, px
 * @returns {{left: number, right: number, offsets: number[]}} room on both sides, and how far out each axis stands, px
 */
export function placeAxes(axes, widths) {
  const room = { left: 0, right: 0 };
  const offsets = axes.map(({ side }, i) => {
    room[side] += widths[i];
    return room[side] - widths[i];
  });
  return { left: Math.max(MARGIN_PX, room.left), right: Math.max(MARGIN_PX, room.right), offsets };
}
