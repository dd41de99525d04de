/** The range of a value axis. Pure. Every axis has the same number of steps, so that two axes share grid lines. */

/** Steps of an axis. */
export const STEPS = 4;
/** An axis is made smaller where a range of this share of it would do. */
const SHRINK = 0.5;
const MANTISSAS = [1, 2, 2.5, 5, 10];

/**
 * @typedef {{lo: number, hi: number}} Extent
 * @typedef {{min: number, max: number, step: number}} Range
 */

/** Float noise like 0.30000000000000004 would show in labels. */
function tidy(value, step) {
  const digits = Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(step))));
  return Number(value.toFixed(digits));
}

/** A line that stands still gets room around it. */
function widen({ lo, hi }) {
  const least = Math.max(Math.abs(hi), Math.abs(lo)) * 1e-9 + 1e-9;
  if (hi - lo > least) return { lo, hi };
  const room = Math.abs(hi) * 0.05 || 1;
  return { lo: lo - room, hi: hi + room };
}

/**
 * @param {Extent} extent
 * @returns {Range} STEPS equal steps of a round size around the extent; zero is kept in sight where it is near
 */
export function niceRange(extent) {
  let { lo, hi } = widen(extent);
  if (extent.lo >= 0 && (lo < 0 || lo < 0.35 * hi)) lo = 0;
  if (extent.lo < 0 && extent.hi <= 0 && hi > 0) hi = 0;
  let power = 10 ** Math.floor(Math.log10((hi - lo) / STEPS));
  for (;;) {
    for (const mantissa of MANTISSAS) {
      const step = mantissa * power;
      const min = Math.floor(lo / step + 1e-9) * step;
      if (min + STEPS * step < hi - step * 1e-9) continue;
      return { min: tidy(min, step), max: tidy(min + STEPS * step, step), step: tidy(step, step) };
    }
    power *= 10;
  }
}

/**
 * The range to use next: the one in use as long as the data fits it and fills it, so that the axis stands still.
 * @param {Range|null} current @param {Extent|null} extent
 * @returns {Range|null} null while nothing was seen
 */
export function nextRange(current, extent) {
  if (!extent) return current;
  const next = niceRange(extent);
  if (!current || extent.lo < current.min || extent.hi > current.max) return next;
  const isSmall = next.max - next.min <= SHRINK * (current.max - current.min);
  return isSmall ? next : current;
}

/**
 * The same with ends that the group sets.
 * @param {{min: number|null, max: number|null}} ends null: by the data
 * @param {Range|null} current @param {Extent|null} extent
 * @returns {Range|null} null while nothing was seen and an end is open
 */
export function fixedRange({ min, max }, current, extent) {
  if (min === null && max === null) return nextRange(current, extent);
  const isOpen = min === null || max === null;
  if (isOpen && !extent) return current;
  const all = isOpen && { lo: min ?? Math.min(extent.lo, max), hi: max ?? Math.max(extent.hi, min) };
  const around = isOpen && nextRange(current, all);
  const lo = min ?? around.min;
  const hi = max ?? around.max;
  if (current?.min === lo && current.max === hi) return current;
  return { min: lo, max: hi, step: (hi - lo) / STEPS };
}
