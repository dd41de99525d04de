/** The time window: live and fixed, zoom and back, and what a link says of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanText } from '../../static/texts.js';
import { fileName, inputText, rangeText } from '../../static/view/times.js';
import { DEFAULT_SPAN_MS, SPANS_MS, TimeWindow } from '../../static/view/window.js';

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function opened() {
  const shown = { changes: 0 };
  shown.window = new TimeWindow(() => shown.changes++);
  return shown;
}

const reopened = (window) => {
  const other = new TimeWindow(() => {});
  other.fromParams(new URLSearchParams(window.toParams()));
  return other;
};

test('a live window ends at now, and moves with it', () => {
  const { window } = opened();
  assert.deepEqual(window.range(NOW), { from: NOW - DEFAULT_SPAN_MS, to: NOW });
  assert.deepEqual(window.range(NOW + 5000), { from: NOW + 5000 - DEFAULT_SPAN_MS, to: NOW + 5000 });
  assert.equal(window.behindMs(NOW), 0);
  assert.equal(SPANS_MS[0], 30_000);
  assert.equal(SPANS_MS.at(-1), 24 * HOUR);
});

test('a pause stands still, says how far behind it is, and goes back to now with its length', () => {
  const { window } = opened();
  window.setSpan(5 * MINUTE);
  window.pause(NOW);
  assert.equal(window.isLive, false);
  assert.deepEqual(window.range(NOW + 12_000), { from: NOW - 5 * MINUTE, to: NOW });
  assert.equal(window.behindMs(NOW + 12_000), 12_000);
  window.pause(NOW + 12_000); // a second one changes nothing
  assert.equal(window.behindMs(NOW + 12_000), 12_000);
  window.goLive();
  assert.deepEqual(window.range(NOW + 20_000), { from: NOW + 20_000 - 5 * MINUTE, to: NOW + 20_000 });
});

test('zooms are taken back one by one, down to the live window', () => {
  const shown = opened();
  const { window } = shown;
  assert.equal(window.canBack, false);
  window.zoom(NOW - 60_000, NOW - 30_000);
  window.zoom(NOW - 40_000, NOW - 50_000); // dragged to the left
  assert.deepEqual(window.range(NOW), { from: NOW - 50_000, to: NOW - 40_000 });
  window.back();
  assert.deepEqual(window.range(NOW), { from: NOW - 60_000, to: NOW - 30_000 });
  window.back();
  assert.equal(window.isLive, true);
  assert.equal(window.canBack, false);
  const { changes } = shown;
  window.back();
  assert.equal(shown.changes, changes);
});

test('a zoom out of a pause comes back to the pause; back to now forgets the zooms', () => {
  const { window } = opened();
  window.pause(NOW);
  window.zoom(NOW - 20_000, NOW - 10_000);
  window.back();
  assert.equal(window.range(NOW + 99_000).to, NOW);
  window.zoom(NOW - 20_000, NOW - 10_000);
  window.goLive();
  assert.equal(window.canBack, false);
});

test('windows keep between 100 ms and 24 h', () => {
  const { window } = opened();
  window.zoom(NOW, NOW + 1.4);
  assert.deepEqual(window.range(NOW), { from: NOW - 49, to: NOW + 51 });
  window.zoom(NOW - 90 * HOUR, NOW);
  assert.equal(window.spanMs(), 24 * HOUR);
  window.goLive();
  for (let i = 0; i < 20; i++) window.scale(2, NOW);
  assert.equal(window.spanMs(), 24 * HOUR);
  for (let i = 0; i < 20; i++) window.scale(0.5, NOW);
  assert.equal(window.spanMs(), 30_000);
  assert.equal(window.isLive, true);
  window.pause(NOW);
  for (let i = 0; i < 20; i++) window.scale(0.5, NOW);
  assert.equal(window.spanMs(), 100);
});

test('another length of a fixed window keeps its right edge, and stays after going live', () => {
  const { window } = opened();
  window.pause(NOW);
  window.setSpan(HOUR);
  assert.deepEqual(window.range(NOW + 5000), { from: NOW - HOUR, to: NOW });
  window.goLive();
  assert.equal(window.spanMs(), HOUR);
});

test('panning leaves the live window to the left, and ends at now on the right', () => {
  const shown = opened();
  const { window } = shown;
  window.pan(0.5, NOW);
  assert.equal(window.isLive, true);
  assert.equal(shown.changes, 0);
  window.pan(-0.5, NOW);
  assert.deepEqual(window.range(NOW), { from: NOW - 3 * MINUTE, to: NOW - MINUTE });
  window.pan(0.25, NOW);
  assert.deepEqual(window.range(NOW), { from: NOW - 2.5 * MINUTE, to: NOW - 0.5 * MINUTE });
  window.pan(0.5, NOW);
  assert.deepEqual(window.range(NOW), { from: NOW - 2 * MINUTE, to: NOW });
});

test('scaling a fixed window keeps its middle, but does not look beyond now', () => {
  const { window } = opened();
  window.zoom(NOW - 60_000, NOW - 40_000);
  window.scale(0.5, NOW);
  assert.deepEqual(window.range(NOW), { from: NOW - 55_000, to: NOW - 45_000 });
  window.scale(20, NOW);
  assert.deepEqual(window.range(NOW), { from: NOW - 200_000, to: NOW });
});

test('a link shows the same window again', () => {
  const { window } = opened();
  assert.deepEqual(window.toParams(), {});
  window.setSpan(15 * MINUTE);
  assert.deepEqual(window.toParams(), { w: '900' });
  assert.equal(reopened(window).spanMs(), 15 * MINUTE);
  window.zoom(NOW - 1234.5, NOW);
  window.isFull = true;
  const same = reopened(window);
  assert.deepEqual(same.range(NOW + HOUR), window.range(NOW));
  assert.equal(same.isFull, true);
  assert.equal(same.canBack, false);
  window.goLive();
  assert.equal(window.isFull, false);
  window.isFull = true;
  assert.deepEqual(reopened(window).toParams(), { w: '900', full: '1' });
});

test('nonsense in a link is the usual window, and a known one tells of no change', () => {
  for (const text of ['w=-4', 'w=abc', 'from=1', 'from=9&to=3', 'from=x&to=y', 'from=-1e99&to=1e99', 'from=&to=5']) {
    const { window } = opened();
    window.fromParams(new URLSearchParams(text));
    assert.equal(window.isLive, true, text);
    assert.equal(window.spanMs(), DEFAULT_SPAN_MS, text);
    assert.equal(window.isFull, false, text);
  }
  const shown = opened();
  shown.window.fromParams(new URLSearchParams(''));
  assert.equal(shown.changes, 0);
  shown.window.fromParams(new URLSearchParams('w=1'));
  assert.equal(shown.window.spanMs(), 30_000);
  assert.equal(shown.changes, 1);
});

test('a short history of many zooms does not grow without end', () => {
  const { window } = opened();
  for (let i = 0; i < 200; i++) window.zoom(NOW - 60_000 - i, NOW);
  let steps = 0;
  while (window.canBack && steps < 99) {
    window.back();
    steps++;
  }
  assert.equal(steps, 50);
});

test('lengths are said in their two largest units', () => {
  const said = [100, 1500, 30_000, 2 * MINUTE, 90 * MINUTE, 24 * HOUR, 0].map(spanText);
  assert.deepEqual(said, ['100 ms', '1 s 500 ms', '30 s', '2 min', '1 h 30 min', '24 h', '0 s']);
});

test('times of a window have a date where they are not today’s, and ms where it is short', () => {
  const at = (...parts) => new Date(2026, 10, 28, ...parts).getTime();
  assert.equal(rangeText(at(14, 1, 22), at(14, 3, 22), at(15)), '14:01:22 – 14:03:22');
  assert.equal(rangeText(at(14, 1, 22), at(14, 3, 22), at(38)), '2026-11-28 14:01:22 – 14:03:22');
  assert.equal(rangeText(at(14, 1, 22, 7), at(14, 1, 22, 107), at(15)), '14:01:22.007 – 14:01:22.107');
  assert.equal(rangeText(at(-2), at(3), at(4)), '2026-11-27 22:00:00 – 2026-11-28 03:00:00');
  assert.equal(inputText(at(9, 5, 1)), '2026-11-28T09:05:01');
});

test('a file is named by machine and time, whatever characters the machine’s name has', () => {
  const ms = new Date(2026, 10, 28, 14, 3, 22).getTime();
  assert.equal(fileName(['DUCO_001'], ms, 'csv'), 'DUCO_001_2026-11-28_140322.csv');
  assert.equal(fileName(['<img src=x>/..\\é', 'Drehzahl 1/min'], ms, 'png'), '_img_src_x_é_Drehzahl_1_min_2026-11-28_140322.png');
});
