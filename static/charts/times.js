/** The labels of a time axis: round local times, never so many that they touch, never one that is cut. Pure. */
import { formatTime } from '../base/format.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE), ...[1, 2, 3, 6, 12, 24].map((n) => n * HOUR),
];
const CHAR_PX = 6.4;
const SPACE_PX = 14;

/** @returns {string} what the step tells: no hours where milliseconds count, no seconds where minutes do */
function timeText(t, step) {
  if (step < SECOND) return formatTime(t, true).slice(3);
  return step < MINUTE ? formatTime(t) : formatTime(t).slice(0, 5);
}

/** @param {number} t @returns {number} what local time is ahead of UTC by then, ms */
function zoneMs(t) {
  return new Date(t).getTimezoneOffset() * -MINUTE;
}

/** @param {number} t @returns {boolean} local midnight */
function isMidnight(t) {
  return (t + zoneMs(t)) % DAY === 0;
}

/**
 * @param {number} from device ms @param {number} to @param {{left: number, width: number, right: number}} plot px: room
 *   beside it that a label may use, and its own width
 * @param {(t: number) => string} dateText a short date, which stands at midnight
 * @returns {{t: number, text: string}[]} in order
 */
export function timeTicks(from, to, { left, width, right }, dateText) {
  const perMs = width / (to - from);
  const widthPx = (step) => timeText(0, step).length * CHAR_PX;
  const step = STEPS_MS.find((ms) => ms * perMs >= widthPx(ms) + SPACE_PX) ?? DAY;
  const zone = zoneMs(from);
  const ticks = [];
  for (let t = Math.ceil((from + zone) / step) * step - zone; t <= to; t += step) {
    const isDate = step >= MINUTE && isMidnight(t);
    const text = isDate ? dateText(t) : timeText(t, step);
    const half = (text.length * CHAR_PX) / 2;
    const x = (t - from) * perMs;
    if (x - half >= -left && x + half <= width + right) ticks.push({ t, text });
  }
  return ticks;
}
