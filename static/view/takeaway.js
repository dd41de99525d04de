/** What a reader takes away, and its menu: files, pictures, a link to exactly this view. */
import { byId, element, setText } from '../base/dom.js';
import { copyText } from '../charts/copy.js';
import { ApiError, getHistory } from '../data/api.js';
import { view } from '../texts.js';
import { csvOf, windowRows } from './csv.js';
import { button, menu } from './menu.js';
import { readRoute, writeRoute } from './route.js';
import { fileName, rangeText } from './times.js';

/** Beyond these, browsers give an empty picture. */
const SIDE_MAX_PX = 16_000;
const AREA_MAX_PX = 120e6;
const GAP_PX = 16;
const HEAD_PX = 48;
const URL_MS = 60_000;
const NOTE_MS = 8000;

/** @param {Blob} blob @param {string} name */
export function saveBlob(blob, name) {
  const href = URL.createObjectURL(blob);
  element('a', { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), URL_MS);
}

/**
 * @param {HTMLCanvasElement} canvas @param {string} name of the file, as of fileName()
 * @returns {Promise<boolean>} false where the browser cannot make it
 */
export async function savePicture(canvas, name) {
  const blob = await new Promise((done) => canvas.toBlob(done));
  if (blob) saveBlob(blob, name);
  return blob !== null;
}

/** Each picture with its place, in rows, and the size of all. */
function layOut(pictures, columns, gap, top) {
  const width = gap + Math.max(...pictures.map((picture) => picture.width));
  const places = [];
  let y = top;
  for (let i = 0; i < pictures.length; i += columns) {
    const row = pictures.slice(i, i + columns);
    row.forEach((picture, column) => places.push([picture, gap + column * width, y]));
    y += gap + Math.max(...row.map((picture) => picture.height));
  }
  return { places, width: gap + columns * width, height: y };
}

/**
 * All cards that are on the page, in its order and columns, with machine and window above.
 * @returns {HTMLCanvasElement|null} null where there is no card
 */
function pagePicture({ cards, chassisId, window, now }, ratio = devicePixelRatio) {
  const shown = cards.filter(({ element: { offsetWidth } }) => offsetWidth);
  if (!shown.length) return null;
  const columns = shown.filter((card) => card.element.offsetTop === shown[0].element.offsetTop).length;
  const pictures = shown.map((card) => card.picture());
  const { places, width, height } = layOut(pictures, columns, GAP_PX * ratio, (GAP_PX + HEAD_PX) * ratio);
  const shrink = Math.min(1, SIDE_MAX_PX / Math.max(width, height), Math.sqrt(AREA_MAX_PX / (width * height)));
  const canvas = element('canvas', { width: Math.floor(width * shrink), height: Math.floor(height * shrink) });
  const pen = canvas.getContext('2d');
  pen.scale(shrink, shrink);
  const { backgroundColor, color } = getComputedStyle(document.body);
  pen.fillStyle = backgroundColor;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = color;
  const write = (font, text, y) => {
    pen.font = `${font * ratio}px system-ui, sans-serif`;
    pen.fillText(text, GAP_PX * ratio, y * ratio);
  };
  const { from, to } = window.range(now);
  write(18, `${byId('title').textContent} · ${chassisId}`, 30);
  write(13, rangeText(from, to, NaN), 50);
  for (const [picture, x, y] of places) pen.drawImage(picture, x, y);
  return canvas;
}

/** @returns {Promise<string>} how it went */
async function savePage({ cards, chassisId, window }, now) {
  const canvas = pagePicture({ cards, chassisId, window, now });
  if (!canvas) return view.pngEmpty;
  const name = fileName([chassisId], window.range(now).to, 'png');
  return (await savePicture(canvas, name)) ? view.pngSaved : view.pngFailed;
}

/** What the cards show, each field once, named as a reader of the charts knows it. */
function columnsOf(cards) {
  const columns = new Map();
  for (const { title, group: { msgType }, lines, hidden } of cards) {
    for (const { field, label, unit, isKnown } of lines) {
      const key = `${msgType} ${field}`;
      if (isKnown && !hidden.has(field) && !columns.has(key)) {
        columns.set(key, { msgType, field, label: `${title}: ${label}`, unit });
      }
    }
  }
  return [...columns.values()];
}

/**
 * @param {object} board @param {AbortSignal} signal ends it @param {(share: number) => void} onProgress 0…1
 * @returns {Promise<string>} how it went, '' where it was ended
 */
async function saveCsv({ tenant, chassisId, cards, sources, window }, now, signal, onProgress) {
  const { from, to } = window.range(now);
  const byType = Map.groupBy(columnsOf(cards), ({ msgType }) => msgType);
  const columns = [...byType.values()].flat();
  const lists = [...byType].map(([msgType, lines]) => ({ msgType, fields: lines.map(({ field }) => field) }));
  const ask = (msgType, fields, begin, end) =>
    getHistory({ tenant, chassisId, msgType }, fields, { from: begin, to: end }, signal);
  const parts = [csvOf({ columns, rows: [] })];
  let count = 0;
  onProgress(0);
  try {
    for await (const { rows, share } of windowRows(sources, lists, from, to, ask)) {
      if (signal.aborted) return '';
      parts.push(new Blob([csvOf({ columns, rows }, false)])); // the browser may put it on disk
      count += rows.length;
      onProgress(share);
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return signal.aborted ? '' : view.csvFailed(error.message);
  }
  if (!count) return view.csvEmpty;
  saveBlob(new Blob(parts, { type: 'text/csv' }), fileName([chassisId], to, 'csv'));
  return view.csvSaved(count);
}

/**
 * @param {boolean} isFixed a live window as it is at this moment, not live again
 * @returns {string} the URL of exactly this view
 */
function linkTo({ window, params }, now, isFixed) {
  const { from, to } = window.range(now);
  const moment = isFixed && window.isLive && { w: '', from: Math.round(from), to: Math.round(to) };
  const url = new URL(location.href);
  url.hash = writeRoute({ ...readRoute(location.hash), params: { ...params, ...moment } });
  return url.href;
}

export class Take {
  #board;
  /** What ends the CSV that is being made. @type {AbortController|null} */
  #making = null;
  #timer = 0;
  #link = element('input', { readonly: '', 'aria-label': view.linkField });
  #byHand = element('label', { hidden: '' }, [view.copyByHand, this.#link]);
  #moment = button(view.linkToMoment, '', () => this.#copy(true));
  note = element('span', { class: 'note', role: 'status' });
  cancel = button(view.cancel, '', () => this.#making?.abort());

  /** @param {object} board @param {AbortSignal} signal ends what it listens to and what it makes */
  constructor(board, signal) {
    this.#board = board;
    this.cancel.hidden = true;
    const closing = (action) => () => {
      this.menu.close();
      action();
    };
    const csv = button(view.csv, '', closing(() => this.#saveCsv()));
    const png = button(view.png, '', closing(async () => this.say(await savePage(board, board.now()))));
    const entries = [csv, png, button(view.link, '', () => this.#copy(false)), this.#moment, this.#byHand];
    this.menu = menu(view.takeAwayTitle, entries, signal, () => {
      this.#byHand.hidden = true;
      this.#moment.hidden = !board.window.isLive; // else every link is one to a fixed time
      csv.focus();
    });
    setText(this.menu.summary, view.takeAway);
    signal.addEventListener('abort', () => this.#making?.abort());
  }

  /** For some seconds, or until `isLasting` is followed by something else. @param {string} text @param {boolean} [isLasting] */
  say(text, isLasting = false) {
    clearTimeout(this.#timer);
    setText(this.note, text);
    if (!isLasting) this.#timer = setTimeout(() => setText(this.note, ''), NOTE_MS);
  }

  async #copy(isFixed) {
    const text = linkTo(this.#board, this.#board.now(), isFixed);
    if (await copyText(text)) {
      this.menu.close();
      this.say(view.copied);
      return;
    }
    this.#byHand.hidden = false;
    this.#link.value = text;
    this.#link.select();
  }

  async #saveCsv() {
    this.#making?.abort();
    const making = new AbortController();
    this.#making = making;
    this.cancel.hidden = false;
    const text = await saveCsv(this.#board, this.#board.now(), making.signal, (share) => {
      if (this.#making === making) this.say(view.csvProgress(share), true);
    });
    if (this.#making !== making) return; // another one is being made
    this.cancel.hidden = true;
    this.say(text);
  }
}
