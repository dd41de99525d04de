/** The axes of a chart: which line uses which, where they stand, from where to where they go, their labels. Pure. */
import { formatTick, formatUnit } from '../base/format.js';
import { formatTime } from '../view/times.js';

/** More would leave a phone no room for lines. */
const AXES_MAX = 4;
/** A named choice must leave room for the lines. */
const NAME_MAX = 12;
/** With more names than this an axis gets numbers. */
const NAMES_MAX = 6;
/** Steps of an axis of choices; beyond its names it may go far. */
const CHOICE_STEPS_MAX = 12;
/** Every axis of numbers has so many steps, so that two axes share grid lines. */
export const STEPS = 4;
const STEP_SIZES = [1, 2, 2.5, 5, 10, 20];
/** An axis is made smaller where a range of this share of it would do. */
const SHRINK = 0.5;
const CHAR_PX = 6.4;
const MARGIN_PX = 14;

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const TIME_STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500,
  ...[1000, MINUTE].flatMap((unit) => [1, 2, 5, 10, 15, 30].map((n) => n * unit)),
  ...[1, 2, 3, 6, 12].map((n) => n * 60 * MINUTE),
];

/**
 * @typedef {{field: string, label: string, unit: string, choices: Object<string, string>|null}} LineSpec
 * @typedef {{unit: string, side: 'left'|'right', min: number|null, max: number|null}} AxisWish of the group, by unit
 * @typedef {{caption: string, units: string[], side: 'left'|'right', lines: number[],
 *   choices: Object<string, string>|null, min: number|null, max: number|null}} AxisSpec units: of its numbers; min, max: null by the data
 * @typedef {{lo: number, hi: number}} Extent of the data
 * @typedef {{min: number, max: number, step: number}} Range
 */

/** Names can label an axis only where all its lines have the same ones. */
function commonChoices(lines) {
  const choices = lines[0]?.choices;
  if (!choices || Object.keys(choices).length > NAMES_MAX) return null;
  const same = JSON.stringify(choices);
  return lines.every((line) => JSON.stringify(line.choices) === same) ? choices : null;
}

/**
 * An axis a unit, left and right in turn; what comes fifth and later shares the fourth.
 * @param {LineSpec[]} lines @param {AxisWish[]} [wishes]
 * @returns {AxisSpec[]} at least one; of a side, the inner ones first
 */
export function assignAxes(lines, wishes = []) {
  const keyOf = ({ choices, unit }) => (choices ? null : unit); // names have no unit, and no common scale
  const keys = [...new Set(lines.map(keyOf))];
  let lean = 0; // above 0: more stand on the left
  return Array.from({ length: Math.min(AXES_MAX, keys.length) || 1 }, (_, k) => {
    const indices = [...lines.keys()].filter((i) => Math.min(keys.indexOf(keyOf(lines[i])), AXES_MAX - 1) === k);
    const members = indices.map((i) => lines[i]);
    const units = [...new Set(members.filter(({ choices }) => !choices).map(({ unit }) => unit))];
    const wish = wishes.find(({ unit }) => unit === units[0]);
    const { side = lean > 0 ? 'right' : 'left', min = null, max = null } = wish ?? {};
    lean += side === 'left' ? 1 : -1;
    const caption = units.map(formatUnit).filter(Boolean).join(' · ');
    return { caption, units, side, lines: indices, choices: commonChoices(members), min, max };
  });
}

/**
 * @param {Extent} extent
 * @returns {Range} STEPS equal steps of a round size around the extent; zero is kept in sight where it is near
 */
export function niceRange(extent) {
  let { lo, hi } = extent;
  // A line that stands still gets room around it.
  const room = hi - lo > Math.abs(hi) * 1e-9 + 1e-9 ? 0 : Math.abs(hi) * 0.05 || 1;
  lo -= room;
  hi += room;
  if (extent.lo >= 0 && lo < 0.35 * hi) lo = 0;
  const power = 10 ** Math.floor(Math.log10((hi - lo) / STEPS));
  const first = (size) => Math.floor(lo / size + 1e-9);
  const step = STEP_SIZES.map((n) => n * power).find((size) => (first(size) + STEPS) * size >= hi - size * 1e-9);
  // Float noise like 0.30000000000000004 would show in labels.
  const times = (n) => Number((n * step).toPrecision(12));
  return { min: times(first(step)), max: times(first(step) + STEPS), step: times(1) };
}

/** The range in use as long as the data fits it and fills it, so that the axis stands still. */
function nextRange(current, extent) {
  const next = niceRange(extent);
  if (!current || extent.lo < current.min || extent.hi > current.max) return next;
  return next.max - next.min <= SHRINK * (current.max - current.min) ? next : current;
}

/** Ends that the group sets hold; the others follow the data. */
function numberRange({ min, max }, current, extent) {
  const isFixed = min !== null && max !== null;
  if (!isFixed && !extent) return current;
  const seen = {
    lo: min ?? Math.min(extent.lo, max ?? Infinity),
    hi: max ?? Math.max(extent.hi, min ?? -Infinity),
  };
  const around = nextRange(current, seen);
  const hi = max ?? around.max;
  const lo = min ?? Math.min(around.min, hi - around.step); // all data may lie above the highest value
  return around.min === lo && around.max === hi ? around : { min: lo, max: hi, step: (hi - lo) / STEPS };
}

/** From the first name to the largest value seen: names that never come take no room. */
function choiceRange(choices, extent) {
  const [first, second = first + 1] = Object.keys(choices).map(Number).sort((a, b) => a - b);
  const { lo, hi } = extent ?? { lo: first, hi: second };
  const min = Math.floor(Math.min(first, lo));
  const max = Math.ceil(Math.max(second, hi));
  return { min, max, step: Math.max(1, Math.ceil((max - min) / CHOICE_STEPS_MAX)) };
}

/**
 * @param {AxisSpec} axis @param {Range|null} current @param {Extent|null} extent
 * @returns {Range|null} null while there is nothing to go by
 */
export function axisRange(axis, current, extent) {
  return axis.choices ? choiceRange(axis.choices, extent) : numberRange(axis, current, extent);
}

/**
 * @param {AxisSpec} axis @param {Range} range @param {number} value
 * @returns {string}
 */
export function tickText({ choices }, { step }, value) {
  if (!choices) return formatTick(value, step);
  const name = choices[value] ?? '';
  return name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
}

/** Px that its labels and its caption need. */
function axisWidth(axis, range) {
  let longest = Math.max(3, axis.caption.length);
  const { min, max, step } = range ?? {};
  for (let value = min; value <= max + step / 4; value += step) {
    longest = Math.max(longest, tickText(axis, range, value).length);
  }
  return Math.ceil(longest * CHAR_PX) + MARGIN_PX;
}

/**
 * @param {AxisSpec[]} axes @param {(Range|null)[]} ranges by axis
 * @returns {{left: number, right: number, offsets: number[]}} room on both sides, and how far out each axis stands, px
 */
export function placeAxes(axes, ranges) {
  const room = { left: 0, right: 0 };
  const offsets = axes.map((axis, i) => {
    const offset = room[axis.side];
    room[axis.side] += axisWidth(axis, ranges[i]);
    return offset;
  });
  return { left: room.left || MARGIN_PX, right: room.right || MARGIN_PX, offsets };
}

/** What the step tells: no hours where milliseconds count, no seconds where minutes do. */
function timeText(t, step) {
  if (step < 1000) return formatTime(t, true).slice(3);
  return formatTime(t).slice(0, step < MINUTE ? 8 : 5);
}

/**
 * Round local times, never so many that they touch, never one that is cut.
 * @param {number} from device ms @param {number} to @param {{left: number, width: number, right: number}} plot px: its
 *   own width, and the room beside it, which a label may use
 * @param {(t: number) => string} dateText a short date, which stands at midnight
 * @returns {{t: number, text: string}[]} in order
 */
export function timeTicks(from, to, { left, width, right }, dateText) {
  const perMs = width / (to - from);
  const fits = (step) => step * perMs >= timeText(0, step).length * CHAR_PX + MARGIN_PX;
  const step = TIME_STEPS_MS.find(fits) ?? DAY;
  const zone = new Date(from).getTimezoneOffset() * MINUTE;
  const ticks = [];
  for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to; t += step) {
    const isMidnight = step >= MINUTE && formatTime(t) === '00:00:00';
    const text = isMidnight ? dateText(t) : timeText(t, step);
    const half = (text.length * CHAR_PX) / 2;
    const x = (t - from) * perMs;
    if (x - half >= -left && x + half <= width + right) ticks.push({ t, text });
  }
  return ticks;
}
