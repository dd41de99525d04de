/** Times and lengths of windows as text, in the reader's time zone. Pure. */
import { formatMoment, formatTime } from '../base/format.js';

const UNITS = [[3_600_000, 'h'], [60_000, 'min'], [1000, 's'], [1, 'ms']];

/** @param {number} ms @returns {string} in its two largest units: "2 min", "1 h 5 min", "12 s 500 ms" */
export function spanText(ms) {
  const first = UNITS.findIndex(([size]) => ms >= size);
  if (first < 0) return '0 s';
  let rest = Math.round(ms);
  const parts = UNITS.slice(first, first + 2).flatMap(([size, unit]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count ? `${count} ${unit}` : [];
  });
  return parts.join(' ');
}

/** @param {number} ms Unix ms @returns {string} "2026-11-28 14:03:22" */
const dated = (ms) => formatMoment(ms, NaN);

/**
 * @param {number} from Unix ms @param {number} to @param {number} now
 * @returns {string} "14:01:22 – 14:03:22"; with dates where they are not today's, with ms where seconds are too coarse
 */
export function rangeText(from, to, now) {
  const isFine = to - from < 60_000;
  const isOneDay = new Date(from).toDateString() === new Date(to).toDateString();
  const end = isOneDay ? formatTime(to, isFine) : formatMoment(to, NaN, isFine);
  return `${formatMoment(from, now, isFine)} – ${end}`;
}

/** @param {number} ms Unix ms @returns {string} as a datetime-local input takes it */
export function inputText(ms) {
  return dated(ms).replace(' ', 'T');
}

/**
 * @param {string[]} names machine, chart, … whatever characters they have @param {number} ms Unix ms
 * @param {string} kind csv, png @returns {string} "DUCO_001_2026-11-28_140322.csv"
 */
export function fileName(names, ms, kind) {
  const safe = names.map((name) => name.replace(/[^\p{L}\p{N}_-]+/gu, '_').slice(0, 60));
  return `${[...safe, dated(ms).replaceAll(':', '').replace(' ', '_')].join('_')}.${kind}`;
}
