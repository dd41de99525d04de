/** The map of a machine's track: no tiles, no third party, only what the machine itself sends. */
import { element, setText } from '../base/dom.js';
import { formatTime, formatUnit } from '../base/format.js';
import { copyText } from '../charts/copy.js';
import { getFieldsIfAny } from '../data/api.js';
import { GAP_MS } from '../data/columns.js';
import { metrics, msgTypeName } from '../texts.js';
import { blank, drawMap } from './mapdraw.js';
import { coveredM, fitView, nearestFix, projection, trackOf } from './projection.js';

const [FINEST, COARSEST] = [0.02, 50_000]; // metres a pixel
const PAN_PX = 40;
const HIT_PX = 14;
/** A hand that moved less has clicked. */
const CLICK_PX = 5;
const SPEED_SOURCE = 'vehicle_can';

export class MapCard {
  #source;
  #board;
  #canvas = element('canvas', { tabindex: '0', role: 'application', 'aria-label': metrics.map, title: metrics.keys });
  #place = element('span', { class: 'map-place' });
  #facts = element('p', { class: 'map-facts', id: 'map-facts' });
  #age = element('span', { class: 'age' });
  #follow;
  /** @type {import('./projection.js').Fix[]} */
  #fixes = [];
  #points = [];
  /** @type {import('./projection.js').View|null} */
  #view = null;
  #isFit = true;
  #isFollowing = true;
  #speedUnit = '';
  #pointers = new Map();
  #moved = 0;
  #ends = [];

  /** @param {import('../data/source.js').Source} source of client_raw_data @param {Object} board of docs/page.md */
  constructor(source, board) {
    this.#source = source;
    this.#board = board;
    const button = (text, act, label = text) => {
      const made = element('button', { type: 'button', class: 'quiet', 'aria-label': label, title: label }, text);
      made.addEventListener('click', act);
      return made;
    };
    this.#follow = button(metrics.follow, () => this.#toggleFollow());
    this.#canvas.setAttribute('aria-describedby', 'map-facts');
    this.element = element('section', { class: 'card map', 'aria-labelledby': 'map-title' }, [
      element('header', {}, [
        element('h2', { id: 'map-title' }, metrics.track),
        element('span', { class: 'tag' }, msgTypeName(source.msgType)),
      ]),
      element('div', { class: 'map-tools' }, [
        button('+', () => this.#zoom(0.5), metrics.zoomIn),
        button('−', () => this.#zoom(2), metrics.zoomOut),
        button(metrics.fit, () => this.#fit()),
        this.#follow,
        this.#place,
        button(metrics.copy, () => copyText(this.#place.textContent), metrics.copyPlace),
        this.#age,
      ]),
      this.#canvas,
      this.#facts,
    ]);
    this.#listen();
  }

  mount() {
    const resized = new ResizeObserver(() => this.#paint());
    resized.observe(this.#canvas);
    this.#ends = [() => resized.disconnect(), this.#board.cursor.watch(() => this.tick() ?? this.#paint())];
    getFieldsIfAny(this.#board.tenant, this.#board.chassisId, SPEED_SOURCE).then(
      (fields) => (this.#speedUnit = formatUnit(fields.find(({ name }) => name === 'speed')?.unit)),
      () => {}, // the colours stay, without a unit
    );
  }

  /** Read what the window shows, and draw it. */
  draw() {
    const { window, sources } = this.#board;
    const range = window.range(this.#board.now());
    const to = window.isLive ? Infinity : range.to; // the newest second may be a little ahead of the clock
    const { from } = range;
    const speeds = sources.get(SPEED_SOURCE)?.rows(['speed'], from, to);
    this.#fixes = trackOf(this.#source.rows(['gps_lat', 'gps_lng'], from, to), this.#source.past.range, speeds);
    this.#paint();
    const [first, last] = [this.#fixes[0], this.#fixes.at(-1)];
    setText(
      this.#facts,
      last ? metrics.facts(coveredM(this.#fixes), formatTime(first.t), formatTime(last.t)) : metrics.noPlace,
    );
  }

  /** Where the machine is, or was at the cursor, and how old that is. */
  tick() {
    const fix = this.#atCursor();
    const last = this.#latest();
    const shown = fix ?? last;
    setText(this.#place, shown ? metrics.place(shown) : '–');
    setText(this.#age, fix ? formatTime(fix.t) : last?.stale ? metrics.old(last.ageMs) : '');
  }

  restyle() {
    this.#paint();
  }

  dispose() {
    for (const end of this.#ends) end();
    this.element.remove();
  }

  /** The newest place: the last of what is shown; while live, where that has none, the last one from before it. */
  #latest() {
    const last = this.#fixes.at(-1);
    if (!this.#board.window.isLive) return last;
    const now = this.#board.now();
    const [lat, lng] = ['gps_lat', 'gps_lng'].map((field) => this.#source.latest(field, now));
    if (!lat || !lng) return last;
    const place = last ?? trackOf({ ts: [lat.ts], columns: [[lat.value], [lng.value]] }, null)[0];
    return place && { ...place, stale: lat.stale || lat.ts - place.t > GAP_MS, ageMs: Math.max(0, now - place.t) };
  }

  #atCursor() {
    const { t } = this.#board.cursor;
    const mostMs = Math.max(GAP_MS, this.#source.past.range?.stepMs ?? 0);
    return t === null ? null : nearestFix(this.#fixes, (fix) => Math.abs(fix.t - t), mostMs);
  }

  /** Bring the view to where it has to be. @returns {boolean} whether there is one */
  #look(latest, width, height) {
    const fixes = this.#fixes.length ? this.#fixes : latest ? [latest] : [];
    if (!fixes.length) return this.#view !== null;
    if (this.#isFit || !this.#view) this.#view = fitView(fixes, this.#view, width, height);
    else if (this.#isFollowing) this.#view = { ...this.#view, lat: latest.lat, lng: latest.lng };
    return true;
  }

  #paint() {
    const { pen, width, height } = blank(this.#canvas);
    const latest = this.#latest();
    this.#follow.setAttribute('aria-pressed', String(this.#isFollowing));
    this.#follow.hidden = !this.#board.window.isLive;
    if (!width || !this.#look(latest, width, height)) return;
    this.#points = drawMap(pen, width, height, this.#view, this.#fixes, latest, this.#atCursor(), this.#speedUnit);
  }

  #fit() {
    this.#isFit = this.#isFollowing = true;
    this.#view = null;
    this.#paint();
  }

  #toggleFollow() {
    this.#isFollowing = !this.#isFollowing;
    this.#isFit = false;
    this.#paint();
  }

  /** @param {number} factor above 1: farther away @param {number} [x] px, what stays where it is */
  #zoom(factor, x = this.#canvas.clientWidth / 2, y = this.#canvas.clientHeight / 2) {
    if (!this.#view) return;
    const { mPerPx } = this.#view;
    const next = Math.min(COARSEST, Math.max(FINEST, mPerPx * factor));
    this.#move(x - this.#canvas.clientWidth / 2, y - this.#canvas.clientHeight / 2, mPerPx - next);
    this.#view.mPerPx = next;
    this.#paint();
  }

  /** The middle of the view goes so many px to the right and down. */
  #move(right, down, mPerPx) {
    this.#isFit = false;
    this.#view = { ...this.#view, ...projection(this.#view).from(right * mPerPx, -down * mPerPx) };
  }

  #pan(right, down) {
    if (!this.#view) return;
    this.#move(right, down, this.#view.mPerPx);
    this.#isFollowing = false;
    this.#paint();
  }

  #listen() {
    const on = (name, act, options) => this.#canvas.addEventListener(name, act, options);
    const pan = (x, y) => () => this.#pan(x * PAN_PX, y * PAN_PX);
    const keys = {
      '+': () => this.#zoom(0.5), '=': () => this.#zoom(0.5), '-': () => this.#zoom(2), 0: () => this.#fit(),
      ArrowLeft: pan(-1, 0), ArrowRight: pan(1, 0), ArrowUp: pan(0, -1), ArrowDown: pan(0, 1),
      Escape: () => this.#board.cursor.pin(null),
    };
    on('keydown', (event) => {
      const act = !event.ctrlKey && !event.altKey && !event.metaKey && keys[event.key];
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    });
    on('wheel', (event) => {
      if (!event.ctrlKey) return; // the wheel alone scrolls the page
      event.preventDefault();
      this.#zoom(2 ** (event.deltaY / 100), event.offsetX, event.offsetY);
    }, { passive: false });
    on('dblclick', () => this.#fit());
    on('pointerdown', (event) => this.#press(event));
    on('pointermove', (event) => this.#drag(event));
    on('pointerup', (event) => this.#release(event));
    on('pointercancel', ({ pointerId }) => this.#pointers.delete(pointerId));
    on('pointerleave', () => this.#board.cursor.move(null));
  }

  #press({ button, pointerId, offsetX, offsetY }) {
    if (button) return;
    this.#canvas.setPointerCapture(pointerId);
    if (!this.#pointers.size) this.#moved = 0;
    this.#pointers.set(pointerId, [offsetX, offsetY]);
  }

  /** One finger or two: where, and how far apart. */
  #grip() {
    const [[ax, ay], [bx, by] = [ax, ay]] = this.#pointers.values();
    return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.hypot(ax - bx, ay - by) || 1 };
  }

  #drag({ pointerId, offsetX, offsetY }) {
    if (!this.#pointers.has(pointerId)) {
      this.#board.cursor.move(this.#hit(offsetX, offsetY));
      return;
    }
    const before = this.#grip();
    this.#pointers.set(pointerId, [offsetX, offsetY]);
    const { x, y, apart } = this.#grip();
    this.#moved += Math.hypot(x - before.x, y - before.y) + Math.abs(apart - before.apart);
    if (this.#moved < CLICK_PX) return;
    this.#pan(before.x - x, before.y - y);
    this.#zoom(before.apart / apart, x, y);
  }

  #release({ pointerId, offsetX, offsetY }) {
    if (!this.#pointers.delete(pointerId) || this.#moved >= CLICK_PX) return;
    this.#board.cursor.pin(this.#hit(offsetX, offsetY));
  }

  /** @returns {number|null} when the machine was there */
  #hit(x, y) {
    const far = (_, i) => Math.hypot(this.#points[i][0] - x, this.#points[i][1] - y);
    return nearestFix(this.#fixes, far, HIT_PX)?.t ?? null;
  }
}
