/** Values, ages and times as text. Pure. */
import { toNumber } from '../data/columns.js';

const MAX_DECIMALS = 6;
const THIN_SPACE = '\u202f';

/** Digits after the point that a value really has. */
function ownDecimals(value) {
  for (let digits = 0; digits < MAX_DECIMALS; digits++) {
    const rounded = Number(value.toFixed(digits));
    if (Math.abs(rounded - value) <= Math.abs(value) * 1e-9) return digits;
  }
  return MAX_DECIMALS;
}

/** Digits that a reader has use for, by size. */
function usefulDecimals(value, unit) {
  if (unit === 'deg' || unit === '°') return MAX_DECIMALS;
  const size = Math.abs(value);
  if (size >= 1000) return 0;
  return size >= 100 ? 1 : 2;
}

/**
 * How many decimals to show a field with: the most that any of its values needs, so that the text does not jump.
 * @param {number[]} values @param {string|null} unit
 */
export function decimalsOf(values, unit) {
  let decimals = 0;
  for (const value of values) {
    const needed = Math.min(ownDecimals(value), usefulDecimals(value, unit));
    if (needed > decimals) decimals = needed;
  }
  return decimals;
}

/**
 * @param {number} value @param {number} decimals
 * @returns {string} thousands apart by a thin space from five digits on
 */
export function formatNumber(value, decimals) {
  const text = Math.abs(value).toFixed(decimals);
  const [whole, rest] = text.split('.');
  const apart = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, THIN_SPACE) : whole;
  const isNegative = value < 0 && Number(text) !== 0;
  return (isNegative ? '-' : '') + apart + (rest ? `.${rest}` : '');
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
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'number' ? formatNumber(value, decimals) : String(value);
}

/** @param {number} value @param {number} step of the axis */
export function formatTick(value, step) {
  // The steps of a fixed range may have digits without end, 33.333333; three of them tell labels apart.
  const useful = Math.max(0, 2 - Math.floor(Math.log10(step)));
  const decimals = Math.min(MAX_DECIMALS, ownDecimals(step), useful);
  return formatNumber(value, decimals);
}

/** @param {number} ms @returns {string} "8 s", "3 min", "2 h", "5 d" */
export function formatAge(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const two = (n) => String(n).padStart(2, '0');

/** @param {number} ms Unix ms @param {boolean} [hasMs] @returns {string} local "14:03:22", "14:03:22.250" */
export function formatTime(ms, hasMs = false) {
  const date = new Date(ms);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return hasMs ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time;
}

/**
 * @param {number} ms Unix ms @param {number} now @param {boolean} [hasMs]
 * @returns {string} local "14:03:22", with its date on another day
 */
export function formatMoment(ms, now, hasMs = false) {
  const date = new Date(ms);
  const time = formatTime(ms, hasMs);
  if (date.toDateString() === new Date(now).toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

const NO_UNITS = new Set(['none', '-', '1']);
const RAISED_DIGITS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** @param {string|null} unit as a DBC writes it @returns {string} as a reader knows it, '' for none */
export function formatUnit(unit) {
  if (!unit || NO_UNITS.has(unit)) return '';
  return unit
    .replace(/\bdeg(?=([CF])?\b)/g, '°')
    .replace(/\^(-?\d+)/g, (_, power) => power.replace('-', '⁻').replace(/\d/g, (digit) => RAISED_DIGITS[digit]))
    .replace(/\*/g, '·');
}
