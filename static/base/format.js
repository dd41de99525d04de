/** Values and units as text. Pure. */
import { toNumber } from '../data/columns.js';
import { texts } from '../texts.js';

const MAX_DECIMALS = 6;
const THIN_SPACE = '\u202f';

/** Digits after the point that a value really has. */
function ownDecimals(value) {
  let digits = 0;
  while (digits < MAX_DECIMALS && Math.abs(Number(value.toFixed(digits)) - value) > Math.abs(value) * 1e-9) digits++;
  return digits;
}

/** Digits that a reader has use for, by size. */
function usefulDecimals(value, unit) {
  if (unit === 'deg' || unit === '°') return MAX_DECIMALS;
  const size = Math.abs(value);
  return size >= 1000 ? 0 : size >= 100 ? 1 : 2;
}

/**
 * How many decimals to show a field with: the most that any of its values needs, so that the text does not jump.
 * @param {Iterable<number>} values @param {string|null} unit
 */
export function decimalsOf(values, unit) {
  let decimals = 0;
  for (const value of values) decimals = Math.max(decimals, Math.min(ownDecimals(value), usefulDecimals(value, unit)));
  return decimals;
}

/**
 * @param {number} value @param {number} decimals
 * @returns {string} thousands apart by a thin space from five digits on, and no minus before a zero
 */
export function formatNumber(value, decimals) {
  const text = value.toFixed(decimals).replace(/^-(?=[0.]+$)/, '');
  return /^-?\d{5}/.test(text) ? text.replace(/(?<!\..*)\B(?=(\d{3})+(?!\d))/g, THIN_SPACE) : text;
}

/**
 * @param {import('../data/columns.js').Value} value
 * @param {{choices: Object<string, string>|null}} field @param {number} decimals
 */
export function formatValue(value, field, decimals) {
  if (value === null || value === undefined) return '\u2013';
  const number = toNumber(value, field.choices);
  const choice = field.choices?.[String(number)];
  if (choice !== undefined) return choice;
  if (typeof value === 'boolean') return texts.onOff(value);
  return typeof value === 'number' ? formatNumber(value, decimals) : String(value);
}

/** @param {number} value @param {number} step of the axis */
export function formatTick(value, step) {
  // The steps of a fixed range may have digits without end, 33.333333; three of them tell labels apart.
  const useful = Math.max(0, 2 - Math.floor(Math.log10(step)));
  const decimals = Math.min(MAX_DECIMALS, ownDecimals(step), useful);
  return formatNumber(value, decimals);
}

const RAISED_DIGITS = '⁰¹²³⁴⁵⁶⁷⁸⁹';
const NO_UNITS = new Set(['none', '-', '1']);

/** @param {string|null} unit as a DBC writes it @returns {string} as a reader knows it, '' for none */
export function formatUnit(unit) {
  if (!unit || NO_UNITS.has(unit)) return '';
  return unit
    .replace(/\bdeg(?=([CF])?\b)/g, '°')
    .replace(/\^(-?\d+)/g, (_, power) => power.replace(/./g, (char) => RAISED_DIGITS[char] ?? '⁻'))
    .replace(/\*/g, '·');
}

/** @param {string} text @param {string|null} unit as the field has it @returns {string} */
export function withUnit(text, unit) {
  const shown = formatUnit(unit);
  return shown ? `${text}\u2009${shown}` : text;
}
