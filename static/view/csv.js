/** CSV of a window: rows aligned by time over several message types, as RFC 4180 writes them. Pure but for what asks the server. */
import { wholeFrom } from '../data/columns.js';
import { align, rangeRows, toRange } from '../data/ranges.js';

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

/** @param {string} text from outside @returns {string} what no spreadsheet calculates */
export const guarded = (text) => (FORMULA.test(text) ? `'${text}` : text);

function cell(value) {
  if (typeof value !== 'string') return String(value ?? '');
  const text = guarded(value);
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
  const oldest = wholeFrom(feed.table);
  const { range } = past;
  const isEach = range && (range.isFull ? !range.isThinned : range.stepMs <= SECOND_MS);
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
  const { range } = source.past;
  if (held <= to) yield source.rows(fields, Math.max(from, held), to, range?.isThinned ? null : range);
}

/**
 * The rows of a window, piece by piece: every second of it, or every frame where each is shown.
 * @param {Map<string, import('../data/source.js').Source>} sources by msgType
 * @param {List[]} lists the columns, one list after the other
 * @param {number} from device ms @param {number} to both included
 * @param {Ask} ask what the page does not hold
 * @returns {AsyncGenerator<{rows: Row[], share: number}>} share: how much of the window is done, 0 to 1
 */
export async function* windowRows(sources, lists, from, to, ask) {
  let width = 0;
  const parts = [];
  for (const { msgType, fields } of lists) {
    const source = sources.get(msgType);
    if (source && fields.length) parts.push({ source, fields, at: width });
    width += fields.length;
  }
  const isFull = parts.some(({ source: { past } }) => past.range?.isFull && !past.range.isThinned);
  const stepMs = isFull ? FULL_PIECE_MS : PIECE_MS;
  for (let start = from; start <= to; start += stepMs) {
    const end = Math.min(to, start + stepMs - JUST_BEFORE_MS);
    const found = [];
    for (const { source, fields, at } of parts) {
      const held = heldFrom(source, from, to);
      for await (const rows of partsOf(source, fields, start, end, held, ask)) found.push({ at, ...rows });
    }
    const { ts, columns } = align(found, width);
    const rows = ts.map((t, i) => [t, ...columns.map((column) => column[i])]);
    yield { rows, share: to > from ? Math.min(1, (end + 1 - from) / (to - from)) : 1 };
  }
}
