/** A chart as a picture: title, legend, window and lines, in the theme of the page. */
import { inks } from '../base/theme.js';

const FONT = 'system-ui, sans-serif';
const PAD_PX = 14;
const TITLE_PX = 20;
const ENTRY_PX = 20;
const ENTRY_WIDTH_PX = 240;
const SWATCH_PX = 22;
const GAP_PX = 8;

/**
 * @typedef {{label: string, value: string, color: string, dash: number[]}} Entry of a line that is shown
 * @typedef {{title: string, times: string, entries: Entry[], layers: HTMLCanvasElement[], width: number,
 *   height: number}} Parts layers: lower ones first, width × height px on the page each
 */

function drawEntry(pen, ink, { label, value, color, dash }, x, y, width) {
  pen.strokeStyle = color;
  pen.lineWidth = 2.5;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x, y - 4);
  pen.lineTo(x + SWATCH_PX, y - 4);
  pen.stroke();
  pen.setLineDash([]);
  pen.font = `600 12px ${FONT}`;
  const valueWidth = Math.min(pen.measureText(value).width, width / 2);
  pen.font = `12px ${FONT}`;
  const room = width - SWATCH_PX - valueWidth - 3 * GAP_PX;
  pen.fillStyle = ink.label;
  const labelWidth = Math.min(room, pen.measureText(label).width);
  pen.fillText(label, x + SWATCH_PX + GAP_PX, y, room);
  pen.font = `600 12px ${FONT}`;
  pen.fillStyle = ink.text;
  pen.fillText(value, x + SWATCH_PX + 2 * GAP_PX + labelWidth, y, valueWidth);
}

/** @param {Parts} parts @returns {HTMLCanvasElement} sharp on this screen */
export function drawPicture({ title, times, entries, layers, width, height }) {
  const ink = inks();
  const columns = Math.max(1, Math.floor((width - 2 * PAD_PX) / ENTRY_WIDTH_PX));
  const each = (width - 2 * PAD_PX) / columns;
  const top = 2 * PAD_PX + TITLE_PX + Math.ceil(entries.length / columns) * ENTRY_PX;
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round((top + height + PAD_PX) * devicePixelRatio);
  const pen = canvas.getContext('2d');
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.fillStyle = ink.surface;
  pen.fillRect(0, 0, width, top + height + PAD_PX);
  pen.font = `12px ${FONT}`;
  const timesWidth = pen.measureText(times).width;
  pen.fillStyle = ink.label;
  pen.fillText(times, width - PAD_PX - timesWidth, PAD_PX + 14);
  pen.font = `600 15px ${FONT}`;
  pen.fillStyle = ink.text;
  pen.fillText(title, PAD_PX, PAD_PX + 14, width - 3 * PAD_PX - timesWidth);
  entries.forEach((entry, i) => {
    const row = Math.floor(i / columns);
    const y = PAD_PX + TITLE_PX + (row + 0.85) * ENTRY_PX;
    drawEntry(pen, ink, entry, PAD_PX + (i % columns) * each, y, each - GAP_PX);
  });
  for (const layer of layers) if (layer.width && layer.height) pen.drawImage(layer, 0, top, width, height);
  return canvas;
}
