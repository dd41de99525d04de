/** Where a machine was: a flat piece of the earth, the track, what of it is shown. Pure. Degrees (WGS 84), metres. */
import { GAP_MS } from '../data/columns.js';
import { isGapBetween } from '../data/traces.js';

const EARTH_M = 6_371_009;
export const RAD = Math.PI / 180;
export const M_PER_DEG = EARTH_M * RAD;
/** A machine that stands still is not shown larger: the receiver's noise is no movement. */
const LEAST_SPAN_M = 40;
/** A step below this is noise as well. */
const NOISE_M = 4;
const PADDING_PX = 28;

/**
 * @typedef {{lat: number, lng: number}} Place
 * @typedef {Place & {t: number, isJoined: boolean, speed: number|null}} Fix isJoined: to the fix before it
 * @typedef {Place & {mPerPx: number}} View its middle and its scale
 */

/** @param {number} lng @returns {number} within ±180 */
export const wrap = (lng) => lng - 360 * Math.round(lng / 360);

/**
 * True to length and direction around its middle (azimuthal equidistant), also at a pole and over ±180°.
 * @param {Place} middle
 * @returns {{to: (place: Place) => [number, number], from: (x: number, y: number) => Place}} metres east and north
 */
export function projection(middle) {
  const sin0 = Math.sin(middle.lat * RAD);
  const cos0 = Math.cos(middle.lat * RAD);
  return {
    to({ lat, lng }) {
      const turn = (lng - middle.lng) * RAD;
      const sin = Math.sin(lat * RAD);
      const cos = Math.cos(lat * RAD);
      const x = cos * Math.sin(turn);
      const y = cos0 * sin - sin0 * cos * Math.cos(turn);
      const size = Math.hypot(x, y);
      const scale = size ? (EARTH_M * Math.atan2(size, sin0 * sin + cos0 * cos * Math.cos(turn))) / size : EARTH_M;
      return [x * scale, y * scale];
    },
    from(x, y) {
      const angle = Math.hypot(x, y) / EARTH_M;
      const cos = Math.cos(angle);
      const scale = (angle ? Math.sin(angle) / angle : 1) / EARTH_M;
      const out = cos * cos0 - y * scale * sin0;
      const lat = Math.atan2(cos * sin0 + y * scale * cos0, Math.hypot(out, x * scale)) / RAD;
      return { lat, lng: wrap(middle.lng + Math.atan2(x * scale, out) / RAD) };
    },
  };
}

/** @param {number} most above 0 @returns {number} the largest 1, 2 or 5 times a power of ten that is not above it */
export function roundStep(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return power * (most < 2 * power ? 1 : most < 5 * power ? 2 : 5);
}

/** Receivers without a fix say 0, 0. */
const isPlace = (lat, lng) =>
  typeof lat === 'number' && typeof lng === 'number' && (lat !== 0 || lng !== 0) && Math.abs(lat) <= 90 && Math.abs(lng) <= 180;

/**
 * @param {{ts: number[], columns: import('../data/columns.js').Value[][]}} rows latitude, longitude
 * @param {import('../data/ranges.js').Range|null} range where older rows come from, perhaps buckets
 * @param {{ts: number[], columns: import('../data/columns.js').Value[][]}} [speeds]
 * @returns {Fix[]}
 */
export function trackOf({ ts, columns: [lats = [], lngs = []] }, range, speeds) {
  const limitMs = (t) => (range && t <= range.to ? Math.max(GAP_MS, 3 * range.stepMs) : GAP_MS);
  const gaps = range?.gaps ?? [];
  const fixes = [];
  let before = null;
  let k = -1;
  ts.forEach((t, i) => {
    const [lat, lng] = [lats[i], lngs[i]];
    if (!isPlace(lat, lng)) {
      before = null;
      return;
    }
    while (speeds && speeds.ts[k + 1] <= t) k++;
    const speed = k >= 0 && t - speeds.ts[k] <= limitMs(t) ? speeds.columns[0]?.[k] : null;
    const isJoined = before !== null && t - before <= limitMs(t) && !isGapBetween(gaps, before, t);
    fixes.push({ t, lat, lng, isJoined, speed: typeof speed === 'number' ? Math.abs(speed) : null });
    before = t;
  });
  return fixes;
}

/** @param {Fix[]} fixes @returns {number} metres along the track, without its breaks and without noise */
export function coveredM(fixes) {
  let sum = 0;
  let from;
  for (const fix of fixes) {
    const step = fix.isJoined ? Math.hypot(...projection(from).to(fix)) : 0;
    if (fix.isJoined && step < NOISE_M) continue;
    sum += step;
    from = fix;
  }
  return sum;
}

/**
 * The view of all fixes: the one that is there while they lie well in it, so that a map does not tremble.
 * @param {Fix[]} fixes at least one @param {View|null} view @param {number} width px @param {number} height px @returns {View}
 */
export function fitView(fixes, view, width, height) {
  const flat = projection(view ?? fixes[0]);
  const points = fixes.map(flat.to);
  const [[west, east], [south, north]] = [0, 1].map((k) => {
    const all = points.map((point) => point[k]);
    return [Math.min(...all), Math.max(...all)];
  });
  const perPx = (span, px) => Math.max(span, LEAST_SPAN_M) / Math.max(1, px - 2 * PADDING_PX);
  const mPerPx = Math.max(perPx(east - west, width), perPx(north - south, height));
  const isIn = (reach, px) => reach <= ((px - PADDING_PX) / 2) * view.mPerPx;
  const isShown = view && isIn(Math.max(east, -west), width) && isIn(Math.max(north, -south), height);
  if (isShown && mPerPx > view.mPerPx / 2) return view;
  return { ...flat.from((west + east) / 2, (south + north) / 2), mPerPx: mPerPx * 1.15 };
}

/** @param {Fix[]} fixes @param {(fix: Fix, i: number) => number} size how far it is @param {number} most @returns {Fix|null} the nearest within `most` */
export function nearestFix(fixes, size, most) {
  let found = null;
  fixes.forEach((fix, i) => {
    const far = size(fix, i);
    if (far > most) return;
    found = fix;
    most = far;
  });
  return found;
}
