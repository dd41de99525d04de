/** Times as text, in the reader's time zone, in every language the same. Pure. */

/** @param {number} ms Unix ms @returns {string} local "2026-11-28T14:03:22.250Z", '' where it is no time */
function localIso(ms) {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toJSON() ?? '';
}

/** @param {number} ms Unix ms @param {boolean} [hasMs] @returns {string} local "14:03:22", "14:03:22.250" */
export function formatTime(ms, hasMs = false) {
  return localIso(ms).slice(11, hasMs ? 23 : 19);
}

/**
 * @param {number} ms Unix ms @param {number} now @param {boolean} [hasMs]
 * @returns {string} local "14:03:22", with its date on another day
 */
export function formatMoment(ms, now, hasMs = false) {
  const day = localIso(ms).slice(0, 10);
  return (day === localIso(now).slice(0, 10) ? '' : `${day} `) + formatTime(ms, hasMs);
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
