/** CSV of a window: rows aligned by time over several message types, as RFC 4180 writes them. Pure but for what asks the server. */
import { rangeRows, toRange } from '../data/ranges.js';

/** The server's limit for one request, fields × seconds. */
const VALUES_MAX = 2_000_000;
const FIELDS_MAX = 100;
const SECOND_MS = 1000;
/** A piece of the window is in memory at a time; every frame makes a short one large. */
const PIECE_MS = 3_600_000;
const FULL_PIECE_MS = 10_000;
/** Times have three decimals at most. */
const JUST_BEFORE_MS = 0.0005;

/**
 * @typedef {import('../data/columns.js').Value} Value
 * @typedef {[number, ...(Value|null)[]]} Row device ms, then a value a column
 * @typedef {{msgType: string, fields: string[]}} List
 * @typedef {(msgType: string, fields: string[], from: number, to: number) => Promise<Object[]>} Ask
 *   answers of the history endpoint with every second; `from` and `to` are whole ms, both included
 */

/** A spreadsheet would take text that begins so for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

function cell(value) {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const line = (cells) => `${cells.join(',')}\r\n`;

/**
 * @param {{columns: {label: string, unit: string}[], rows: Row[]}} table @param {boolean} [hasHead] names above the rows
 * @returns {string} times in UTC with ms
 */
export function csvOf({ columns, rows }, hasHead = true) {
  const names = columns.map(({ label, unit }) => cell(unit ? `${label} [${unit}]` : label));
  const lines = rows.map(([ts, ...values]) => line([new Date(ts).toISOString(), ...values.map(cell)]));
  return (hasHead ? line(['time', ...names]) : '') + lines.join('');
}

/** From when on a source itself has each second of a window. */
function heldFrom({ feed, past }, from, to) {
  const oldest = feed.table.ts[0] ?? Infinity;
  const { range } = past;
  const isEach = range && (range.isFull || range.stepMs <= SECOND_MS);
  const isWhole = isEach && range.from <= from && (range.to >= to || oldest <= range.to);
  return isWhole ? -Infinity : oldest;
}

async function* partsOf(source, fields, from, to, held, ask) {
  const end = Math.ceil(Math.min(to + JUST_BEFORE_MS, held)) - 1;
  const longest = Math.floor(VALUES_MAX / Math.min(FIELDS_MAX, fields.length)) * SECOND_MS;
  for (let at = Math.ceil(from); at <= end; at += longest) {
    const last = Math.min(end, at + longest - 1);
    const answers = await ask(source.msgType, fields, at, last);
    yield rangeRows(toRange(answers), fields, at, last);
  }
  if (held <= to) yield source.rows(fields, Math.max(from, held), to);
}

function align(parts, width) {
  const rows = new Map();
  for (const { at, ts, columns } of parts) {
    ts.forEach((time, i) => {
      let row = rows.get(time);
      if (!row) rows.set(time, (row = [time, ...new Array(width).fill(null)]));
      columns.forEach((column, k) => (row[1 + at + k] = column[i]));
    });
  }
  return [...rows.values()].sort((a, b) => a[0] - b[0]);
}

/**
 * The rows of a window, piece by piece: every second of it, or every frame where that is shown.
 * @param {Map<string, import('../data/source.js').Source>} sources by msgType
 * @param {List[]} lists the columns, one list after the other
 * @param {number} from device ms @param {number} to both included
 * @param {Ask} ask what the page does not hold
 * @returns {AsyncGenerator<{rows: Row[], share: number}>} share: how much of the window is done, 0 to 1
 */
export async function* windowRows(sources, lists, from, to, ask) {
  const parts = lists.map(({ msgType, fields }, i) => {
    const at = lists.slice(0, i).reduce((sum, list) => sum + list.fields.length, 0);
    return { source: sources.get(msgType), fields, at };
  }).filter(({ source, fields }) => source && fields.length);
  const width = lists.reduce((sum, { fields }) => sum + fields.length, 0);
  const isFull = parts.some(({ source }) => source.past.range?.isFull);
  const stepMs = isFull ? FULL_PIECE_MS : PIECE_MS;
  for (let at = from; at <= to; at += stepMs) {
    const end = Math.min(to, at + stepMs - JUST_BEFORE_MS);
    const found = [];
    for (const { source, fields, at: column } of parts) {
      const held = heldFrom(source, from, to);
      for await (const rows of partsOf(source, fields, at, end, held, ask)) found.push({ at: column, ...rows });
    }
    yield { rows: align(found, width), share: to > from ? Math.min(1, (end + 1 - from) / (to - from)) : 1 };
  }
}
