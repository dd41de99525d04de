/** Axis ranges, number texts, the device clock, messages and back-off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignAxes, axisRange, tickText } from '../../static/charts/axes.js';
import { DeviceClock } from '../../static/data/clock.js';
import { decimalsOf, formatAge, formatNumber, formatUnit, formatValue } from '../../static/base/format.js';
import { backoff, parseMessage } from '../../static/data/live.js';
import { STEPS, nextRange, niceRange } from '../../static/charts/scale.js';

test('a range holds its extent in round steps', () => {
  const extents = [[0, 1], [3, 97], [690, 1600], [-5, 5], [51.98755, 51.98775], [0, 0], [42, 42], [-9, -3]];
  for (const [lo, hi] of extents) {
    const { min, max, step } = niceRange({ lo, hi });
    assert.ok(min <= lo && max >= hi, `${lo}…${hi}: ${min}…${max}`);
    assert.ok(Math.abs(min + STEPS * step - max) < step * 1e-6);
  }
  assert.deepEqual(niceRange({ lo: 3, hi: 97 }), { min: 0, max: 100, step: 25 });
});

test('a range stands still while the data fits and fills it', () => {
  const range = niceRange({ lo: 0, hi: 90 });
  assert.equal(nextRange(range, { lo: 10, hi: 80 }), range);
  assert.notEqual(nextRange(range, { lo: 10, hi: 101 }), range);
  assert.notEqual(nextRange(range, { lo: 1, hi: 2 }), range);
  assert.equal(nextRange(range, null), range);
  assert.equal(nextRange(null, null), null);
});

test('an axis a unit, left then right, and the rest share the right one', () => {
  const line = (unit, choices = null) => ({ field: 'f', label: 'f', unit, choices });
  const captions = (...lines) => assignAxes(lines).map((axis) => [axis.caption, axis.lines]);
  assert.deepEqual(captions(line('bar'), line('bar')), [['bar', [0, 1]]]);
  const four = captions(line('bar'), line('degC'), line('%'), line('bar'));
  assert.deepEqual(four, [['bar', [0, 3]], ['°C · %', [1, 2]]]);
  assert.deepEqual(captions(), [['', []]]);
});

test('choices label their axis by name, and names that never come take no room', () => {
  const choices = { 0: 'released', 1: 'applied', 2: 'error', 3: 'not available' };
  const [axis] = assignAxes([{ field: 'b', label: 'b', unit: '', choices }]);
  assert.deepEqual(axisRange(axis, null, null), { min: 0, max: 1, step: 1 });
  assert.deepEqual(axisRange(axis, null, { lo: 0, hi: 3 }), { min: 0, max: 3, step: 1 });
  assert.equal(tickText(axis, { min: 0, max: 3, step: 1 }, 1), 'applied');
  assert.equal(tickText(axis, { min: 0, max: 3, step: 1 }, 3), 'not availab…');
});

test('numbers have the decimals that they need and a reader uses', () => {
  assert.equal(decimalsOf([12.5, 13], 'km/h'), 1);
  assert.equal(decimalsOf([12.50390625], 'km/h'), 2);
  assert.equal(decimalsOf([1800.125], 'rpm'), 0);
  assert.equal(decimalsOf([51.987654], 'deg'), 6);
  assert.equal(decimalsOf([], null), 0);
  assert.equal(formatNumber(-0.001, 2), '0.00');
  assert.equal(formatNumber(-12.5, 1), '-12.5');
  assert.equal(formatNumber(1234, 0), '1234');
  assert.equal(formatNumber(1234567.5, 1), '1\u202f234\u202f567.5');
});

test('values show choices by name, booleans in words and what is missing as a dash', () => {
  const brake = { choices: { 0: 'released' } };
  const plain = { choices: null };
  assert.equal(formatValue(0, brake, 0), 'released');
  assert.equal(formatValue(7, brake, 0), '7');
  assert.equal(formatValue('idle', plain, 0), 'idle');
  assert.equal(formatValue(true, plain, 0), 'on');
  assert.equal(formatValue(null, plain, 0), '–');
});

test('ages and units read well', () => {
  assert.deepEqual([0, 59_999, 60_000, 7_200_000, 2e8].map(formatAge), ['0 s', '59 s', '1 min', '2 h', '2 d']);
  assert.deepEqual(['degC', 'deg', '', null, 'bar'].map(formatUnit), ['°C', '°', '', '', 'bar']);
});

test('the device clock follows the quickest samples, takes a jump, and prefers the device to a guess', () => {
  const clock = new DeviceClock();
  clock.guess(5000, 0);
  assert.equal(clock.now(100), 5100);
  clock.observe(1000, 50);
  clock.guess(9000, 0);
  assert.equal(clock.now(50), 1000);
  clock.observe(2000, 1250);
  assert.equal(clock.now(1250), 2195);
  clock.observe(100_000, 2000);
  assert.equal(clock.now(2000), 100_000);
});

test('messages: data, data without a time, what was left out, errors, and what is none', () => {
  const parse = (value) => parseMessage(JSON.stringify(value), 42);
  const full = parse({ type: 'LIVE_DATA', payload: {}, ts: 7, seq: 1 });
  assert.deepEqual(full, { kind: 'sample', seq: 1, ts: 7, payload: {} });
  const bare = parse({ type: 'LIVE_DATA', payload: { a: 1 }, seq: '7' });
  assert.deepEqual(bare, { kind: 'sample', seq: null, ts: 42, payload: { a: 1 } });
  const merged = parse({ type: 'FILL', payload: { a: 1 }, ts: 7, seq: 1, ts_of: { a: 5, b: 'x' } });
  assert.deepEqual(merged, { kind: 'fill', seq: 1, ts: 7, payload: { a: 1 }, tsOf: { a: 5 } });
  const gap = parse({ type: 'GAP', from: null, to: 9, reason: 'unknown' });
  assert.deepEqual(gap, { kind: 'gap', from: null, to: 9, reason: 'unknown' });
  const error = parse({ type: 'ERROR', payload: { code: 'x', message: 'y' } });
  assert.deepEqual(error, { kind: 'error', code: 'x', message: 'y' });
  for (const text of ['', 'null', '[]', '{"type":"LIVE_DATA"}', '{"type":"LATER","payload":{}}', '{"type":"GAP"}']) {
    assert.equal(parseMessage(text, 42), null);
  }
});

test('the last known sample has a position and an age, or nothing is known', () => {
  const parse = (value) => parseMessage(JSON.stringify({ type: 'LAST_KNOWN', payload: {}, ...value }), 42);
  assert.deepEqual(parse({ ts: 7, seq: 1, age_ms: 50 }), { kind: 'known', seq: 1, ts: 7, ageMs: 50 });
  assert.deepEqual(parse({ ts: 7, seq: null, age_ms: 50 }), { kind: 'known', seq: null, ts: 7, ageMs: 50 });
  const nothing = { kind: 'known', seq: null, ts: null, ageMs: 0 };
  assert.deepEqual(parse({ ts: null, seq: null, age_ms: null }), nothing);
  assert.deepEqual(parse({ ts: 7, seq: 1, age_ms: null }), nothing);
});

test('after a loss it tries again soon, then the wait grows from 1 s to 15 s', () => {
  assert.deepEqual([backoff(0, 0), backoff(0, 1)], [200, 500]);
  assert.equal(backoff(1, 0), 1000);
  assert.equal(backoff(4, 1), 8000);
  assert.equal(backoff(50, 1), 15_000);
});
