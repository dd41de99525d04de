/** Which line of a chart uses which value axis, and what that axis shows. Pure. */
import { formatTick, formatUnit } from '../base/format.js';
import { nextRange } from './scale.js';

const AXES_MAX = 2;
/** A named choice must leave room for the lines. */
const NAME_MAX = 12;
/** With more names than this an axis gets numbers. */
const NAMES_MAX = 6;

/**
 * @typedef {{field: string, label: string, unit: string, choices: Object<string, string>|null}} LineSpec
 * @typedef {{caption: string, lines: number[], choices: Object<string, string>|null}} AxisSpec
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

/**
 * An axis a unit, left then right; what comes third and later shares the right one.
 * @param {LineSpec[]} lines
 * @returns {AxisSpec[]} one or two
 */
export function assignAxes(lines) {
  const keys = [...new Set(lines.map(axisKey))];
  const axes = Array.from({ length: Math.min(AXES_MAX, Math.max(1, keys.length)) }, () => []);
  lines.forEach((line, i) => axes[Math.min(keys.indexOf(axisKey(line)), AXES_MAX - 1)].push(i));
  return axes.map((indices) => {
    const members = indices.map((i) => lines[i]);
    const units = [...new Set(members.map((line) => formatUnit(line.unit)).filter(Boolean))];
    return {
      caption: units.join(' · '),
      lines: indices,
      choices: members.length ? commonChoices(members) : null,
    };
  });
}

/** From the first name to the largest value seen: names that never come take no room. */
function choiceRange(choices, extent) {
  const numbers = Object.keys(choices).map(Number).sort((a, b) => a - b);
  const min = Math.min(numbers[0], extent?.lo ?? Infinity);
  const max = Math.max(numbers[1] ?? numbers[0] + 1, extent?.hi ?? -Infinity);
  return { min: Math.floor(min), max: Math.ceil(max), step: 1 };
}

/**
 * @param {AxisSpec} axis @param {Range|null} current @param {{lo: number, hi: number}|null} extent
 * @returns {Range|null} null while there is nothing to go by
 */
export function axisRange(axis, current, extent) {
  return axis.choices ? choiceRange(axis.choices, extent) : nextRange(current, extent);
}

/**
 * @param {AxisSpec} axis @param {Range} range @param {number} value
 * @returns {string}
 */
export function tickText(axis, range, value) {
  if (axis.choices) return shorten(axis.choices[String(value)] ?? '');
  return formatTick(value, range.step);
}
