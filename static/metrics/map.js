/** The map of a machine's track: no tiles, no third party, only what the machine itself sends. */
import { blank, element, setText } from '../base/dom.js';
import { copyText } from '../charts/copy.js';
import { GAP_MS } from '../data/columns.js';
import { charts, metrics, texts, view } from '../texts.js';
import { button } from '../view/menu.js';
import { formatTime } from '../view/times.js';
import { drawMap } from './mapdraw.js';
import { coveredM, fitView, movedView, nearestFix, trackOf } from './projection.js';
import { Panel } from './panel.js';

const HIT_PX = 14;
const PAN_PX = 40;
/** A hand that moved less has clicked. */
const CLICK_PX = 5;
/** A place is older than that: the machine, or its receiver, no longer tells. */
const STALE_MS = 5000;
const PLACE = ['gps_lat', 'gps_lng'];

/**
 * One finger drags, two pinch, a click points at something; Ctrl with the wheel zooms, the wheel alone scrolls the page.
 * @param {HTMLCanvasElement} canvas
 * @param {(from: number[], to: number[], factor: number) => void} move what was at `from` is at `to`, `factor` times as far
 * @param {(factor: number, at: number[]) => void} zoom
 * @param {(at: number[]|null, isClick: boolean) => void} point
 */
function onPointers(canvas, move, zoom, point) {
  /** Pressed, by id. @type {Map<number, number[]>} */
  const pressed = new Map();
  let moved = 0;
  const at = (event) => [event.offsetX, event.offsetY];
  /** Where, and how far apart. */
  const grip = () => {
    const [[ax, ay], [bx, by] = [ax, ay]] = pressed.values();
    return [[(ax + bx) / 2, (ay + by) / 2], Math.hypot(ax - bx, ay - by) || 1];
  };
  canvas.onpointerdown = (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    if (!pressed.size) moved = 0;
    pressed.set(event.pointerId, at(event));
  };
  canvas.onpointermove = (event) => {
    const last = pressed.get(event.pointerId);
    if (!last) return point(at(event), false);
    const [from, wasApart] = grip();
    pressed.set(event.pointerId, at(event));
    const [to, apart] = grip();
    moved += Math.hypot(event.offsetX - last[0], event.offsetY - last[1]);
    if (moved >= CLICK_PX) move(from, to, wasApart / apart);
  };
  canvas.onpointerup = (event) => pressed.delete(event.pointerId) && moved < CLICK_PX && point(at(event), true);
  canvas.onpointercancel = (event) => pressed.delete(event.pointerId);
  canvas.onpointerleave = () => point(null, false);
  canvas.onwheel = (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(2 ** (event.deltaY / 100), at(event));
  };
}

/**
 * @param {HTMLCanvasElement} canvas @param {(from: number[], to: number[]) => void} move
 * @param {(factor: number) => void} zoom @param {() => void} fit @param {(at: null, isClick: boolean) => void} point
 */
function onKeys(canvas, move, zoom, fit, point) {
  const pan = (x, y) => () => move([x * PAN_PX, y * PAN_PX], [0, 0]);
  const closer = () => zoom(0.5);
  const keys = {
    '+': closer, '=': closer, '-': () => zoom(2), 0: fit, Escape: () => point(null, true),
    ArrowLeft: pan(-1, 0), ArrowRight: pan(1, 0), ArrowUp: pan(0, -1), ArrowDown: pan(0, 1),
  };
  canvas.onkeydown = (event) => {
    const act = !event.ctrlKey && !event.altKey && !event.metaKey && keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
}

export class MapCard extends Panel {
  #canvas = element('canvas', {
    tabindex: '0', role: 'application', 'aria-label': metrics.track, 'aria-describedby': 'map-facts', title: metrics.keys,
  });
  #place = element('span', { class: 'map-place' });
  #facts = element('p', { class: 'map-facts', id: 'map-facts' });
  #age = element('span', { class: 'age' });
  #follow = button(metrics.follow, '', () => this.#keep(this.#kept ? '' : 'machine'));
  /** @type {import('./projection.js').Fix[]} */
  #fixes = [];
  #points = [];
  #unwatch;
  /** @type {import('./projection.js').View|null} */
  #view = null;
  /** In sight while time goes on. @type {'track'|'machine'|''} */
  #kept = 'track';

  /** @param {import('../data/source.js').Source} source of client_raw_data @param {Object} board of docs/page.md */
  constructor(source, board) {
    super('map', metrics.track, source, board);
    const move = (from, to, factor) => this.#move(from, to, factor, '');
    const zoom = (factor, at) => this.#zoom(factor, at);
    const fit = () => {
      this.#view = null;
      this.#keep('track');
    };
    const point = (at, isClick) => board.cursor[isClick ? 'pin' : 'move'](at && this.#hit(at));
    onPointers(this.#canvas, move, zoom, point);
    onKeys(this.#canvas, move, zoom, fit, point);
    this.#canvas.ondblclick = fit;
    this.element.append(element('div', { class: 'map-tools' }, [
      button('+', metrics.zoomIn, () => zoom(0.5)),
      button('−', view.zoomOut, () => zoom(2)),
      button(metrics.fit, '', fit),
      this.#follow,
      this.#place,
      button(charts.copy, '', () => copyText(this.#place.textContent)),
      this.#age,
    ]), this.#canvas, this.#facts);
    new ResizeObserver(() => this.#paint()).observe(this.#canvas);
  }

  mount() {
    super.mount();
    this.#unwatch = this.board.cursor.watch(() => this.tick() ?? this.#paint());
  }

  dispose() {
    this.#unwatch();
    super.dispose();
  }

  /** Read what the window shows, and draw it. North is up. */
  draw() {
    const { window } = this.board;
    const { from, to } = window.range(this.board.now());
    // The newest second may be a little ahead of the clock.
    const fixes = trackOf(this.source.rows(PLACE, from, window.isLive ? Infinity : to), this.source.past.range);
    this.#fixes = fixes;
    this.#paint();
    const [first, last] = [fixes[0], fixes.at(-1)];
    setText(this.#facts, last ? metrics.facts(coveredM(fixes), formatTime(first.t), formatTime(last.t)) : metrics.noPlace);
  }

  /** Where the machine is, or was at the cursor, and how old that is. */
  tick() {
    const fix = this.#atCursor();
    const last = this.#latest();
    const shown = fix ?? last;
    setText(this.#place, shown ? metrics.place(shown) : '–');
    setText(this.#age, fix ? formatTime(fix.t) : last?.stale ? texts.stale(last.ageMs) : '');
  }

  /** The newest place: the last of what is shown; while live, where that has none, the last one from before it. */
  #latest() {
    const last = this.#fixes.at(-1);
    if (!this.board.window.isLive) return last;
    const now = this.board.now();
    const [lat, lng] = PLACE.map((field) => this.source.latest(field, now));
    const place = last ?? (lat && lng && trackOf({ ts: [lat.ts], columns: [[lat.value], [lng.value]] })[0]);
    const ageMs = now - place?.t;
    return place && { ...place, ageMs, stale: ageMs > STALE_MS };
  }

  #atCursor() {
    const { t } = this.board.cursor;
    const mostMs = Math.max(GAP_MS, this.source.past.range?.stepMs ?? 0);
    return t === null ? null : nearestFix(this.#fixes, (fix) => Math.abs(fix.t - t), mostMs);
  }

  #paint() {
    const ground = blank(this.#canvas);
    const latest = this.#latest();
    this.#follow.ariaPressed = this.#kept !== '';
    this.#follow.hidden = !this.board.window.isLive;
    if (!ground.width) return;
    if (latest && (this.#kept === 'track' || !this.#view)) {
      this.#view = fitView(this.#fixes.length ? this.#fixes : [latest], this.#view, [ground.width, ground.height]);
    } else if (latest && this.#kept) this.#view = { ...this.#view, lat: latest.lat, lng: latest.lng };
    if (!this.#view) return;
    this.#points = drawMap(ground, this.#view, this.#fixes, latest, this.#atCursor());
  }

  #keep(what) {
    this.#kept = what;
    this.#paint();
  }

  /** @param {number} factor above 1: farther away @param {number[]} [at] px, what stays where it is */
  #zoom(factor, at = this.#size.map((px) => px / 2)) {
    this.#move(at, at, factor, this.#kept && this.board.window.isLive ? 'machine' : '');
  }

  #move(from, to, factor, kept) {
    if (this.#view) this.#view = movedView(this.#view, this.#size, from, to, factor);
    this.#keep(kept);
  }

  get #size() {
    return [this.#canvas.clientWidth, this.#canvas.clientHeight];
  }

  /** @returns {number|null} when the machine was there */
  #hit([x, y]) {
    const far = (_, i) => Math.hypot(this.#points[i][0] - x, this.#points[i][1] - y);
    return nearestFix(this.#fixes, far, HIT_PX)?.t ?? null;
  }
}
