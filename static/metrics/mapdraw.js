/** What a map shows, on a canvas: graticule, scale, north, track, marks. `at`: a place in px. */
import { formatTick } from '../base/format.js';
import { inks, lineColor } from '../base/theme.js';
import { metrics } from '../texts.js';
import { M_PER_DEG, projection, RAD, roundStep, wrap } from './projection.js';

/** Viridis: told apart with any colour vision, and in grey; the casing keeps both ends apart from the ground. */
const RAMP = ['#440154', '#443983', '#31688e', '#21918c', '#35b779', '#90d743', '#fde725'];
const SPACING_PX = 140;
const FULL_TURN = 2 * Math.PI;

/**
 * Clear a canvas for drawing in CSS pixels, sharp on any screen.
 * @param {HTMLCanvasElement} canvas @returns {{pen: CanvasRenderingContext2D, width: number, height: number}}
 */
export function blank(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale); // setting it clears
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  pen.lineCap = pen.lineJoin = 'round';
  pen.font = '11px system-ui, sans-serif';
  return { pen, width, height };
}

/** Lines at round coordinates. */
function drawGraticule(pen, width, height, view, at, ink) {
  const half = (Math.hypot(width, height) / 2) * (view.mPerPx / M_PER_DEG);
  const squeeze = (deg) => Math.max(1e-6, Math.cos(Math.min(90, deg) * RAD));
  const halfLng = Math.min(180, half / squeeze(Math.abs(view.lat) + half));
  const isPolar = halfLng === 180;
  const lat = (value) => Math.max(-90, Math.min(90, value));
  const lines = (middle, reach, most, place, label) => {
    const step = roundStep(most);
    for (let n = Math.ceil((middle - reach) / step); n * step <= middle + reach; n++) {
      pen.beginPath();
      for (let k = -32; k <= 32; k++) pen.lineTo(...at(place(n * step, k / 32)));
      pen.stroke();
      const [x, y] = at(place(n * step, 0));
      pen.fillText(`${formatTick(wrap(n * step), step)}°`, ...(isPolar ? [x + 4, y - 4] : label(x, y)));
    }
  };
  const most = (SPACING_PX * view.mPerPx) / M_PER_DEG;
  const [south, north] = [lat(view.lat - half), lat(view.lat + half)];
  pen.lineWidth = 1;
  pen.strokeStyle = ink.axis;
  pen.fillStyle = ink.label;
  const parallel = (v, k) => ({ lat: v, lng: view.lng + k * halfLng });
  lines((south + north) / 2, (north - south) / 2, most, parallel, (x, y) => [5, y > 30 && y < height - 20 ? y - 4 : -9]);
  const meridian = (v, k) => ({ lat: lat(view.lat + k * half), lng: v });
  const mostLng = Math.min(30, most / squeeze(Math.abs(view.lat)));
  lines(view.lng, halfLng, mostLng, meridian, (x) => [x + 4, x > 5 && x < width - 90 ? 13 : -9]);
}

/** A bar of a round length, and where north is. */
function drawScale(pen, width, height, mPerPx, ink) {
  const length = roundStep(110 * mPerPx);
  const [right, y] = [width - 12, height - 12];
  const left = right - length / mPerPx;
  pen.lineWidth = 1.5;
  pen.strokeStyle = pen.fillStyle = ink.label;
  pen.stroke(new Path2D(`M${left} ${y - 5}V${y}H${right}V${y - 5}`));
  pen.textAlign = 'center';
  pen.fillText(metrics.length(length), (left + right) / 2, y - 6);
  pen.fill(new Path2D(`M${width - 18} 8l6 16l-6 -4l-6 4z`));
  pen.fillText(metrics.north, width - 18, 36);
  pen.textAlign = 'start';
}

/**
 * @param {import('./projection.js').Fix[]} fixes @param {[number, number][]} points px
 * @param {number} top the speed of the last colour, 0 for one colour
 */
function drawTrack(pen, fixes, points, top, color, ink) {
  const whole = new Path2D();
  const byColor = new Map();
  fixes.forEach(({ isJoined, speed }, i) => {
    const own = top && speed !== null ? RAMP[Math.min(RAMP.length - 1, Math.floor((speed / top) * RAMP.length))] : color;
    if (!byColor.has(own)) byColor.set(own, new Path2D());
    for (const path of [whole, byColor.get(own)]) {
      path.moveTo(...points[isJoined ? i - 1 : i]);
      path.lineTo(...points[i]);
    }
  });
  pen.lineWidth = 6;
  pen.strokeStyle = ink.label;
  pen.stroke(whole);
  pen.lineWidth = 4;
  for (const [own, path] of byColor) {
    pen.strokeStyle = own;
    pen.stroke(path);
  }
}

/** Which colour is which speed. @param {string} text of the last one */
function drawRamp(pen, height, text, ink) {
  RAMP.forEach((color, i) => {
    pen.fillStyle = color;
    pen.fillRect(22 + 12 * i, height - 20, 12, 8);
  });
  pen.fillStyle = ink.label;
  pen.fillText('0', 10, height - 12);
  pen.fillText(text, 28 + 12 * RAMP.length, height - 12);
}

/** A round mark: filled, or a ring. */
function drawMark(pen, [x, y], radius, color, ground, isRing) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, FULL_TURN);
  pen.fillStyle = isRing ? ground : color;
  pen.strokeStyle = isRing ? color : ground;
  pen.lineWidth = 2.5;
  pen.fill();
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen @param {number} width px @param {number} height px
 * @param {import('./projection.js').View} view @param {import('./projection.js').Fix[]} fixes
 * @param {(import('./projection.js').Place & {stale?: boolean})|undefined} latest grey where it is stale
 * @param {import('./projection.js').Place|null} marked at the cursor @param {string} speedUnit
 * @returns {[number, number][]} where each fix is, px
 */
export function drawMap(pen, width, height, view, fixes, latest, marked, speedUnit) {
  const flat = projection(view);
  const at = (place) => {
    const [x, y] = flat.to(place);
    return [width / 2 + x / view.mPerPx, height / 2 - y / view.mPerPx];
  };
  const ink = inks();
  const color = lineColor(0);
  const points = fixes.map(at);
  const top = 5 * Math.ceil(Math.max(0, ...fixes.map(({ speed }) => speed ?? 0)) / 5);
  drawGraticule(pen, width, height, view, at, ink);
  drawTrack(pen, fixes, points, top, color, ink);
  drawScale(pen, width, height, view.mPerPx, ink);
  if (top) drawRamp(pen, height, `${top} ${speedUnit}`, ink);
  if (marked) drawMark(pen, at(marked), 9, ink.label, ink.surface, true);
  if (points.length) drawMark(pen, points[0], 5, color, ink.surface, true);
  if (latest) drawMark(pen, at(latest), 7, latest.stale ? ink.label : color, ink.surface);
  return points;
}
