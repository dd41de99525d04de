/** Colours and dashes, what a chart reads, its shared cursor, pointer and keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DASHES, PALETTE, assignDashes } from '../../static/base/palette.js';
import { Cursor, Pointing } from '../../static/charts/cursor.js';
import { Readings } from '../../static/charts/readings.js';
import { createTable, insertSample } from '../../static/data/columns.js';
import { Source } from '../../static/data/source.js';
import { tableTrace } from '../../static/data/traces.js';
import { TimeWindow } from '../../static/view/window.js';

const T0 = 1_795_900_000_000;

/** Frames by hand: what was asked for runs when the test says so. */
let frames = [];
globalThis.requestAnimationFrame = (callback) => frames.push(callback);
function frame() {
  const due = frames;
  frames = [];
  for (const callback of due) callback();
}

/** @param {string} color `#rrggbb` @returns {number} relative luminance of WCAG, 0 to 1 */
function luminance(color) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
/** CIE L*, 0 to 100. */
const lightness = (color) => 116 * Math.cbrt(luminance(color)) - 16;

for (const [theme, ground] of [['light', '#ffffff'], ['dark', '#161d24']]) {
  test(`${theme}: every line has 3:1 on its ground, and no two of a chart look the same in greyscale`, () => {
    const colors = PALETTE[theme];
    for (const color of colors) {
      const [low, high] = [luminance(color), luminance(ground)].sort((a, b) => a - b);
      assert.ok((high + 0.05) / (low + 0.05) >= 3, color);
    }
    const dashes = assignDashes(colors.map((color) => ({ color, dash: false })));
    for (let i = 0; i < colors.length; i++) {
      for (let k = 0; k < i; k++) {
        const isLike = Math.abs(lightness(colors[i]) - lightness(colors[k])) < 8;
        assert.ok(!isLike || dashes[i] !== dashes[k], `${colors[i]} and ${colors[k]}`);
      }
    }
    assert.deepEqual(dashes.slice(0, 2), [[], []], 'a chart of two lines has solid ones');
  });
}

test('where colours repeat the dash differs, and a line that is to be dashed is never solid', () => {
  const color = '#0062a3';
  const dashes = assignDashes(Array.from({ length: 4 }, () => ({ color, dash: false })));
  assert.deepEqual(new Set(dashes), new Set(DASHES));
  assert.notDeepEqual(assignDashes([{ color, dash: true }])[0], []);
  const many = Array.from({ length: 28 }, (_, i) => ({ color: PALETTE.light[i % 7], dash: false }));
  const looks = assignDashes(many).map((dash, i) => `${many[i].color} ${dash}`);
  assert.equal(new Set(looks).size, 28);
});

/** A source over a real table: a is there each second, b as a state. */
function sourceOf(seconds) {
  const table = createTable(['a', 'b']);
  const payload = (n) => ({ a: n + 0.5, b: n % 2 ? 'on' : 'off' });
  const add = (n) => insertSample(table, { seq: n, ts: T0 + n * 1000, payload: payload(n) });
  for (let n = 0; n < seconds; n++) add(n);
  const feed = { stream: { msgType: 'vehicle_can' }, table };
  return { source: new Source(feed, { range: null, revision: 0 }), add };
}
const LINES = [
  { field: 'a', label: 'A', unit: 'bar', choices: null },
  { field: 'b', label: 'B', unit: '', choices: { 0: 'off', 1: 'on' }, isStep: true },
];

test('a chart reads the value nearest to a time, of steps the one that holds then, nothing of a hidden line', () => {
  const readings = new Readings(sourceOf(60).source, LINES);
  readings.update(T0, T0 + 60_000, false);
  assert.deepEqual(readings.textsAt(T0 + 7400, new Set()), ['7.5', 'on']);
  assert.deepEqual(readings.textsAt(T0 + 7600, new Set()), ['8.5', 'on']);
  assert.deepEqual(readings.textsAt(T0 + 8000, new Set(['a'])), [null, 'off']);
  assert.deepEqual(readings.textsAt(T0 + 90_000, new Set()), [null, null]);
});

test('in a fixed window the last value is the one inside it', () => {
  const readings = new Readings(sourceOf(60).source, LINES);
  readings.update(T0 + 10_000, T0 + 20_500, false);
  assert.equal(readings.last(0, T0 + 10_000, T0 + 20_500).text, '20.5');
  readings.update(T0 + 200_000, T0 + 210_000, false);
  assert.equal(readings.last(0, T0 + 200_000, T0 + 210_000), null);
});

test('min, mean and max are of the window alone, and states have no mean', () => {
  const readings = new Readings(sourceOf(60).source, LINES);
  readings.update(T0 + 10_000, T0 + 20_000, false);
  assert.deepEqual(readings.summary(0, T0 + 10_000, T0 + 20_000), { min: '10.5', mean: '15.5', max: '20.5' });
  assert.deepEqual(readings.summary(1, T0 + 10_000, T0 + 20_000), { min: 'off', mean: null, max: 'on' });
});

test('traces stay the same objects where nothing changed in a fixed window, and change where it did', () => {
  const { source, add } = sourceOf(60);
  const readings = new Readings(source, LINES);
  readings.update(T0, T0 + 30_000, false);
  const [held] = readings.traces;
  add(60); // live, right of the window
  readings.update(T0, T0 + 30_000, false);
  assert.equal(readings.traces[0], held);
  readings.update(T0 + 200, T0 + 30_200, false); // panned by a little
  readings.update(T0 + 30_000, T0 + 60_000, false);
  assert.equal(readings.traces[0].t.at(-1), T0 + 60_000);
});

test('a live window that goes on shows what comes, and keeps its traces while nothing does', () => {
  const { source, add } = sourceOf(60);
  const readings = new Readings(source, LINES);
  let made = 0;
  const trace = source.trace.bind(source);
  source.trace = (...all) => {
    made++;
    return trace(...all);
  };
  readings.update(T0, T0 + 60_000, true);
  readings.update(T0 + 400, T0 + 60_400, true);
  assert.equal(made, LINES.length);
  add(60);
  readings.update(T0 + 800, T0 + 60_800, true);
  assert.equal(readings.traces[0].t.at(-1), T0 + 60_000);
});

test('the cursor tells once a frame, however often it moved, and the last place counts', () => {
  frames = [];
  const cursor = new Cursor();
  const seen = [];
  const stop = cursor.watch(() => seen.push(cursor.t));
  for (let t = 1; t <= 5; t++) cursor.move(t);
  assert.deepEqual(seen, []);
  frame();
  assert.deepEqual(seen, [5]);
  cursor.move(5);
  assert.equal(frames.length, 0, 'it is there already');
  cursor.move(null);
  frame();
  stop();
  cursor.move(9);
  frame();
  assert.deepEqual(seen, [5, null]);
});

test('a pinned cursor stays until it is loosened', () => {
  const cursor = new Cursor();
  cursor.pin(7);
  cursor.move(9);
  cursor.move(null);
  assert.deepEqual([cursor.t, cursor.isPinned], [7, true]);
  cursor.pin(null);
  cursor.move(9);
  assert.deepEqual([cursor.t, cursor.isPinned], [9, false]);
});

/** A plot of 100 px for 100 s, 10 px from the left, over a table of 60 s. */
function pointed() {
  const surface = Object.assign(new EventTarget(), {
    getBoundingClientRect: () => ({ left: 0 }),
    setPointerCapture() {},
  });
  const now = () => T0 + 100_000;
  const board = { window: new TimeWindow(() => {}), cursor: new Cursor(), now, changes: 0 };
  board.changed = () => board.changes++;
  board.window.zoom(T0, T0 + 100_000);
  const table = sourceOf(60).source.feed.table;
  const said = [];
  const pointing = new Pointing(surface, board, {
    get plot() {
      return { ...board.window.range(now()), left: 10, width: 100 };
    },
    traces: [null, tableTrace(table, 'a', T0, T0 + 100_000)],
    onKeyed: () => said.push((board.cursor.t - T0) / 1000),
  });
  const send = (type, more) => {
    const usual = { isPrimary: true, button: 0, pointerType: 'mouse' };
    const event = Object.assign(new Event(type, { cancelable: true }), usual, more);
    surface.dispatchEvent(event);
    return event;
  };
  const press = (key, more = {}) => send('keydown', { key, ...more });
  const click = (x) => ['pointermove', 'pointerdown', 'pointerup'].forEach((type) => send(type, { clientX: x }));
  const drag = (from, to) => {
    send('pointerdown', { clientX: from });
    send('pointermove', { clientX: to });
    send('pointerup', { clientX: to });
  };
  const at = () => (board.cursor.t === null ? null : (board.cursor.t - T0) / 1000);
  return { board, send, press, click, drag, at, said, pointing };
}

test('the pointer moves the cursor inside the plot, and takes it along when it leaves', () => {
  const { send, at } = pointed();
  send('pointermove', { clientX: 60 });
  assert.equal(at(), 50);
  send('pointermove', { clientX: 2 });
  assert.equal(at(), 0);
  send('pointerleave');
  assert.equal(at(), null);
});

test('a click pins, a second one there loosens, elsewhere it moves the pin', () => {
  const { board, click, at, send } = pointed();
  click(60);
  send('pointerleave');
  assert.deepEqual([at(), board.cursor.isPinned, board.changes], [50, true, 1]);
  click(90);
  assert.deepEqual([at(), board.cursor.isPinned], [80, true]);
  click(91);
  assert.equal(board.cursor.isPinned, false);
});

test('a drag zooms to what it covers, in either direction; a shaking hand is a click', () => {
  for (const [from, to] of [[30, 60], [60, 30]]) {
    const { board, drag } = pointed();
    drag(from, to);
    assert.deepEqual(board.window.range(0), { from: T0 + 20_000, to: T0 + 50_000 });
    assert.equal(board.cursor.band, null);
    assert.equal(board.cursor.isPinned, false);
  }
  const { board, drag } = pointed();
  drag(30, 34);
  assert.deepEqual([board.window.spanMs(), board.cursor.isPinned], [100_000, true]);
});

test('a drag is shown while it goes on, and Escape or a scroll that takes over ends it', () => {
  for (const end of [({ press }) => press('Escape'), ({ send }) => ['pointercancel', 'pointerleave'].forEach((type) => send(type))]) {
    const all = pointed();
    all.send('pointerdown', { clientX: 30 });
    all.send('pointermove', { clientX: 60 });
    assert.deepEqual(all.board.cursor.band, { from: T0 + 20_000, to: T0 + 50_000 });
    end(all);
    assert.equal(all.board.cursor.band, null);
    all.send('pointerup', { clientX: 60 });
    assert.equal(all.board.window.spanMs(), 100_000);
  }
});

test('a double click goes back to the window before', () => {
  const { board, drag, send } = pointed();
  drag(30, 60);
  send('dblclick');
  assert.equal(board.window.spanMs(), 100_000);
});

test('a finger pins with a tap, and leaves no cursor otherwise', () => {
  const { board, send, at } = pointed();
  const touch = { pointerType: 'touch', clientX: 60 };
  send('pointerdown', touch);
  send('pointerup', touch);
  assert.deepEqual([at(), board.cursor.isPinned], [50, true]);
  send('pointerdown', touch);
  send('pointerup', touch);
  assert.equal(at(), null);
});

test('keys go from point to point, stop at the ends, and what is there is said', () => {
  const { press, at, said } = pointed();
  press('ArrowLeft');
  assert.equal(at(), 59, 'it begins at the newest');
  press('ArrowLeft');
  press('ArrowLeft', { shiftKey: true });
  press('ArrowRight');
  press('Home');
  press('ArrowLeft');
  press('End');
  press('ArrowRight', { shiftKey: true });
  assert.deepEqual(said, [59, 58, 48, 49, 0, 0, 59, 59]);
});

test('Enter pins and loosens, a pinned cursor follows the keys, Escape takes it away', () => {
  const { board, press, at } = pointed();
  press('End');
  press('Enter');
  press('ArrowLeft');
  assert.deepEqual([at(), board.cursor.isPinned], [58, true]);
  press('Enter');
  assert.equal(board.cursor.isPinned, false);
  press('Escape');
  assert.equal(at(), null);
});

test('plus and minus zoom, Page up and Page down pan, and other keys are the page\'s own', () => {
  const { board, press } = pointed();
  assert.equal(press('+').defaultPrevented, true);
  assert.equal(board.window.spanMs(), 50_000);
  press('-');
  assert.equal(board.window.spanMs(), 100_000);
  press('PageUp');
  assert.equal(board.window.range(0).from, T0 - 50_000);
  press('PageDown');
  assert.equal(board.window.range(0).from, T0);
  assert.equal(press('p').defaultPrevented, false);
  assert.equal(press('+', { ctrlKey: true }).defaultPrevented, false, 'the zoom of the browser');
  assert.equal(board.window.spanMs(), 100_000);
});

test('a chart that goes on under a pointer at rest moves the cursor in time, unless keys lead', () => {
  const { board, send, press, at, pointing } = pointed();
  send('pointermove', { clientX: 60 });
  board.window.zoom(T0 + 10_000, T0 + 110_000);
  pointing.follow();
  assert.equal(at(), 60);
  press('Home');
  const keyed = at();
  pointing.follow();
  assert.equal(at(), keyed);
});
