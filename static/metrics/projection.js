/** Where a machine was: a flat piece of the earth, the track, what of it is shown. Pure. Degrees (WGS 84), metres. */
import { GAP_MS } from '../data/columns.js';
import { isGapBetween } from '../data/ranges.js';

const RAD = Math.PI / 180;
const M_PER_DEG = 6_371_009 * RAD;
/** A machine that stands still is not shown larger: the receiver's noise is no movement. */
const LEAST_SPAN_M = 40;
/** A step below this is noise as well. */
const NOISE_M = 4;
const PADDING_PX = 28;
/** Metres a pixel. */
const [FINEST, COARSEST] = [0.02, 2000];

/**
 * @typedef {{lat: number, lng: number}} Place
 * @typedef {Place & {t: number, isJoined: boolean}} Fix isJoined: to the fix before it
 * @typedef {Place & {mPerPx: number}} View its middle and its scale
 */

/** @param {number} lng @returns {number} within ±180 */
export const wrap = (lng) => lng - 360 * Math.round(lng / 360);

/**
 * Equirectangular around a middle, also over ±180°; its error is below 1 % up to 100 km from there, but for the poles.
 * @param {Place} middle
 * @returns {{to: (place: Place) => [number, number], from: (x: number, y: number) => Place}} metres east and north
 */
export function projection({ lat: lat0, lng: lng0 }) {
  const mPerLng = M_PER_DEG * Math.max(1e-6, Math.cos(lat0 * RAD));
  return {
    to: ({ lat, lng }) => [wrap(lng - lng0) * mPerLng, (lat - lat0) * M_PER_DEG],
    from: (x, y) => ({ lat: Math.max(-90, Math.min(90, lat0 + y / M_PER_DEG)), lng: wrap(lng0 + x / mPerLng) }),
  };
}

/** @param {number} most above 0 @returns {number} the largest 1, 2 or 5 times a power of ten that is not above it */
export function roundStep(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return power * (most < 2 * power ? 1 : most < 5 * power ? 2 : 5);
}

/** Receivers without a fix say 0, 0. */
const isPlace = (lat, lng) =>
  typeof lat === 'number' && typeof lng === 'number' && (lat || lng) && Math.abs(lat) <= 90 && Math.abs(lng) <= 180;

/**
 * @param {import('../data/source.js').Rows} rows latitude, longitude
 * @param {import('../data/ranges.js').Range|null} range where older rows come from, perhaps buckets
 * @returns {Fix[]}
 */
export function trackOf({ ts, columns: [lats = [], lngs = []] }, range) {
  const fixes = [];
  let before = NaN;
  ts.forEach((t, i) => {
    const [lat, lng] = [lats[i], lngs[i]];
    const limitMs = t <= range?.to ? Math.max(GAP_MS, 3 * range.stepMs) : GAP_MS;
    const isJoined = t - before <= limitMs && !isGapBetween(range?.gaps ?? [], before, t);
    before = isPlace(lat, lng) ? t : NaN;
    if (before === t) fixes.push({ t, lat, lng, isJoined });
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
 * @param {Fix[]} fixes at least one @param {View|null} view @param {number[]} size px, width and height @returns {View}
 */
export function fitView(fixes, view, size) {
  const flat = projection(view ?? fixes[0]);
  const points = fixes.map(flat.to);
  const spans = size.map((px, k) => {
    const all = points.map((point) => point[k]);
    return { px: px - 2 * PADDING_PX, min: Math.min(...all), max: Math.max(...all) };
  });
  const mPerPx = Math.max(...spans.map(({ px, min, max }) => Math.max(max - min, LEAST_SPAN_M) / Math.max(1, px)));
  const isIn = ({ px, min, max }) => Math.max(max, -min) <= (px / 2) * view.mPerPx;
  if (view && mPerPx > view.mPerPx / 2 && spans.every(isIn)) return view;
  return { ...flat.from(...spans.map(({ min, max }) => (min + max) / 2)), mPerPx: mPerPx * 1.15 };
}

/**
 * What was at one place comes to another one. Places are px on the canvas.
 * @param {View} view @param {number[]} size px, width and height @param {number[]} from @param {number[]} to
 * @param {number} [factor] so many times as far away @returns {View}
 */
export function movedView(view, size, from, to, factor = 1) {
  const mPerPx = Math.min(COARSEST, Math.max(FINEST, view.mPerPx * factor));
  const [east, south] = size.map((px, k) => (from[k] - px / 2) * view.mPerPx - (to[k] - px / 2) * mPerPx);
  return { ...projection(view).from(east, -south), mPerPx };
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
