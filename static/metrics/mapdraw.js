/** What a map shows, on a canvas: grid, track, marks. */
import { inks, lineColor } from '../base/theme.js';
import { metrics } from '../texts.js';
import { projection, roundStep } from './projection.js';

/** A square's side at most. */
const SQUARE_PX = 140;

/** Squares of a round size, which stay where they are on the ground; north is up. */
function drawGrid(pen, width, height, { lat, lng, mPerPx }, ink) {
  const side = roundStep(SQUARE_PX * mPerPx);
  const px = side / mPerPx;
  const [east, north] = projection({ lat: Math.round(lat), lng: 0 }).to({ lat, lng });
  pen.fillStyle = ink.axis;
  for (let x = (width / 2 - east / mPerPx) % px; x < width; x += px) pen.fillRect(x, 0, 1, height);
  for (let y = (height / 2 + north / mPerPx) % px; y < height; y += px) pen.fillRect(0, y, width, 1);
  pen.fillStyle = ink.label;
  pen.textAlign = 'right';
  pen.fillText(metrics.squares(side), width - 12, height - 12);
}

/** @param {import('./projection.js').Fix[]} fixes @param {[number, number][]} points px */
function drawTrack(pen, fixes, points, color) {
  pen.lineCap = pen.lineJoin = 'round';
  pen.lineWidth = 4;
  pen.strokeStyle = color;
  pen.beginPath();
  fixes.forEach(({ isJoined }, i) => {
    pen.moveTo(...points[isJoined ? i - 1 : i]);
    pen.lineTo(...points[i]);
  });
  pen.stroke();
}

/** A round mark with a rim. */
function drawMark(pen, [x, y], radius, color, rim) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = color;
  pen.strokeStyle = rim;
  pen.lineWidth = 2.5;
  pen.fill();
  pen.stroke();
}

/**
 * @param {ReturnType<typeof import('../base/dom.js').blank>} ground @param {import('./projection.js').View} view
 * @param {import('./projection.js').Fix[]} fixes
 * @param {(import('./projection.js').Place & {stale?: boolean})|undefined} latest grey where it is stale
 * @param {import('./projection.js').Place|null} marked at the cursor
 * @returns {[number, number][]} where each fix is, px
 */
export function drawMap({ pen, width, height }, view, fixes, latest, marked) {
  const flat = projection(view);
  const at = (place) => {
    const [x, y] = flat.to(place);
    return [width / 2 + x / view.mPerPx, height / 2 - y / view.mPerPx];
  };
  const ink = inks();
  const color = lineColor(0);
  const points = fixes.map(at);
  drawGrid(pen, width, height, view, ink);
  drawTrack(pen, fixes, points, color);
  if (marked) drawMark(pen, at(marked), 9, ink.surface, ink.label);
  if (points.length) drawMark(pen, points[0], 5, ink.surface, color);
  if (latest) drawMark(pen, at(latest), 7, latest.stale ? ink.label : color, ink.surface);
  return points;
}
