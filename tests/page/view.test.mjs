/** Value axes, their ranges, time labels; numbers and times as text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decimalsOf, formatNumber, formatTick, formatUnit, formatValue } from '../../static/base/format.js';
import { STEPS, assignAxes, axisRange, niceRange, placeAxes, tickText, timeTicks } from '../../static/charts/axes.js';
import { formatAge } from '../../static/texts.js';
import { formatMoment, formatTime } from '../../static/view/times.js';

test('a range holds its extent in round steps', () => {
  const extents = [[0, 1], [3, 97], [690, 1600], [-5, 5], [51.98755, 51.98775], [0, 0], [42, 42], [-9, -3]];
  for (const [lo, hi] of extents) {
    const { min, max, step } = niceRange({ lo, hi });
    assert.ok(min <= lo && max >= hi, `${lo}…${hi}: ${min}…${max}`);
    assert.ok(Math.abs(min + STEPS * step - max) < step * 1e-6);
  }
  assert.deepEqual(niceRange({ lo: 3, hi: 97 }), { min: 0, max: 100, step: 25 });
});

/** The range of an axis of numbers, by the ends that the group sets. */
function numberRange(ends, current, extent) {
  const [axis] = assignAxes([line('bar')], [{ unit: 'bar', side: 'left', ...ends }]);
  return axisRange(axis, current, extent);
}
const nextRange = (current, extent) => numberRange({ min: null, max: null }, current, extent);

test('a range stands still while the data fits and fills it', () => {
  const range = niceRange({ lo: 0, hi: 90 });
  assert.equal(nextRange(range, { lo: 10, hi: 80 }), range);
  assert.notEqual(nextRange(range, { lo: 10, hi: 101 }), range);
  assert.notEqual(nextRange(range, { lo: 1, hi: 2 }), range);
  assert.equal(nextRange(range, null), range);
  assert.equal(nextRange(null, null), null);
});

test('ends that the group sets hold, and what it leaves open follows the data', () => {
  const both = { min: 0, max: 90 };
  assert.deepEqual(numberRange(both, null, { lo: 500, hi: 900 }), { min: 0, max: 90, step: 22.5 });
  assert.deepEqual(numberRange(both, null, null), { min: 0, max: 90, step: 22.5 });
  const upper = { min: null, max: 100 };
  const range = numberRange(upper, null, { lo: 81, hi: 140 });
  assert.equal(range.max, 100);
  assert.ok(range.min <= 81);
  assert.equal(numberRange(upper, range, { lo: 85, hi: 90 }), range);
  const lower = numberRange({ min: 50, max: null }, null, { lo: 3, hi: 7 });
  assert.ok(lower.min === 50 && lower.max > 50, 'all data lies below');
  assert.equal(numberRange(upper, null, null), null);
  assert.deepEqual(numberRange({ min: null, max: null }, null, { lo: 3, hi: 97 }), niceRange({ lo: 3, hi: 97 }));
});

const line = (unit, choices = null) => ({ field: 'f', label: 'f', unit, choices });

test('an axis a unit, left and right in turn, and what comes fifth shares the fourth', () => {
  const axes = (...lines) => assignAxes(lines).map(({ caption, side, lines: members }) => [caption, side, members]);
  assert.deepEqual(axes(line('bar'), line('bar')), [['bar', 'left', [0, 1]]]);
  assert.deepEqual(axes(line('bar'), line('degC'), line('%'), line('bar')), [
    ['bar', 'left', [0, 3]], ['°C', 'right', [1]], ['%', 'left', [2]],
  ]);
  const [, , , fourth] = axes(line('a'), line('b'), line('c'), line('d'), line('e'), line('f'));
  assert.deepEqual(fourth, ['d · e · f', 'right', [3, 4, 5]]);
  assert.deepEqual(axes(), [['', 'left', []]]);
});

test('the group says on which side an axis stands and where it ends; the others take the side with fewer', () => {
  const wishes = [{ unit: 'bar', side: 'right', min: 0, max: null }, { unit: '', side: 'right', min: null, max: null }];
  const [bar, rpm, plain] = assignAxes([line('bar'), line('rpm'), line('')], wishes);
  assert.deepEqual([bar, rpm, plain].map(({ side }) => side), ['right', 'left', 'right']);
  assert.ok(axisRange(rpm, null, { lo: 7, hi: 9 }).min > 0, 'the range of another unit is its own');
  assert.equal(axisRange(bar, null, { lo: 7, hi: 9 }).min, 0);
});

test('an axis of names is none of the numbers without a unit: neither their ends nor their limits are its own', () => {
  const wishes = [{ unit: '', side: 'right', min: 0, max: 300 }];
  const [names, plain] = assignAxes([line('', { 0: 'off', 1: 'on' }), line('')], wishes);
  assert.deepEqual([names.units, names.side, names.min, names.max], [[], 'left', null, null]);
  assert.deepEqual([plain.units, plain.side, plain.min, plain.max], [[''], 'right', 0, 300]);
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [i, `state ${i}`]));
  assert.deepEqual(assignAxes([line('', many)], wishes)[0].units, []);
});

test('an end that all data lies beyond leaves an axis of some height', () => {
  for (const [ends, extent] of [[{ min: null, max: 0 }, { lo: 0, hi: 5 }], [{ min: 5, max: null }, { lo: 1, hi: 5 }]]) {
    let range = null;
    for (let i = 0; i < 3; i++) {
      range = numberRange(ends, range, extent);
      assert.ok(range.step > 0 && range.min < range.max, JSON.stringify(range));
      assert.equal(range.min + STEPS * range.step, range.max);
    }
    assert.ok(range.max === ends.max || range.min === ends.min);
  }
});

test('axes of one side stand side by side, with room for their labels and captions', () => {
  const axes = assignAxes([line('bar'), line('rpm'), line('%'), line('a long unit of its own')]);
  const ranges = axes.map(() => ({ min: 0, max: 100, step: 25 }));
  const widths = axes.map((axis, i) => placeAxes([axis], [ranges[i]])[axis.side]);
  assert.ok(widths[3] > widths[0]);
  const place = placeAxes(axes, ranges);
  assert.deepEqual(place.offsets, [0, 0, widths[0], widths[1]]);
  assert.equal(place.left, widths[0] + widths[2]);
  assert.equal(place.right, widths[1] + widths[3]);
  assert.ok(placeAxes(axes.slice(0, 1), ranges).right > 0, 'an empty side keeps a margin');
});

test('choices label their axis by name, and names that never come take no room', () => {
  const choices = { 0: 'released', 1: 'applied', 2: 'error', 3: 'not available' };
  const [axis] = assignAxes([{ field: 'b', label: 'b', unit: '', choices }]);
  assert.deepEqual(axisRange(axis, null, null), { min: 0, max: 1, step: 1 });
  assert.deepEqual(axisRange(axis, null, { lo: 0, hi: 3 }), { min: 0, max: 3, step: 1 });
  assert.equal(tickText(axis, { min: 0, max: 3, step: 1 }, 1), 'applied');
  assert.equal(tickText(axis, { min: 0, max: 3, step: 1 }, 3), 'not availab…');
  const range = axisRange(axis, null, { lo: 0, hi: 1 });
  assert.deepEqual(axisRange(axis, range, { lo: 1, hi: 1 }), range);
  const far = axisRange(axis, null, { lo: 0, hi: 100_000 });
  assert.ok((far.max - far.min) / far.step <= 12, 'a number beyond the names makes no thousand labels');
});

const SPANS_MS = [100, 700, 2000, 30_000, 120_000, 600_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000];
const WIDTHS_PX = [150, 230, 420, 640, 1500];

test('time labels never touch and never leave the chart, from 100 ms to 24 h, and there are always some', () => {
  const px = (text) => text.length * 6;
  for (const span of SPANS_MS) {
    for (const width of WIDTHS_PX) {
      for (const shift of [0, 0.37, 0.81]) {
        const from = 1_795_900_000_000 + shift * span + 17;
        const ticks = timeTicks(from, from + span, { left: 10, width, right: 10 }, () => '29 Nov');
        const what = `${span} ms on ${width} px`;
        assert.ok(ticks.length >= 1, `${what}: no label`);
        const boxes = ticks.map(({ t, text }) => {
          const x = ((t - from) / span) * width;
          return [x - px(text) / 2, x + px(text) / 2];
        });
        boxes.forEach(([left, right], i) => {
          assert.ok(left >= -10 && right <= width + 10, `${what}: ${ticks[i].text} is cut`);
          if (i) assert.ok(left >= boxes[i - 1][1] + 6, `${what}: ${ticks[i].text} touches`);
        });
      }
    }
  }
});

test('time labels say as much as their step: milliseconds, seconds, minutes, and the date at midnight', () => {
  const at = (text) => new Date(text).getTime();
  const labels = (from, span) => timeTicks(at(from), at(from) + span, { left: 20, width: 600, right: 20 }, () => 'DATE')
    .map(({ text }) => text);
  assert.deepEqual(labels('2026-11-28T14:03:22.000', 100).slice(0, 2), ['03:22.020', '03:22.040']);
  assert.deepEqual(labels('2026-11-28T14:03:22', 30_000).slice(0, 2), ['14:03:25', '14:03:30']);
  assert.deepEqual(labels('2026-11-28T14:03:22', 3_600_000).slice(0, 2), ['14:05', '14:10']);
  assert.deepEqual(labels('2026-11-28T18:00:00', 12 * 3_600_000), [
    '18:00', '19:00', '20:00', '21:00', '22:00', '23:00', 'DATE', '01:00', '02:00', '03:00', '04:00', '05:00', '06:00',
  ]);
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

test('labels of a range whose steps have no end stay short', () => {
  assert.equal(formatTick(33.333333333, 33.333333333), '33.3');
  assert.equal(formatTick(22.5, 22.5), '22.5');
  assert.equal(formatTick(0.000125, 0.000125), '0.000125');
  assert.equal(formatTick(75, 25), '75');
});

test('times have milliseconds where asked, and their date on another day', () => {
  const t = new Date(2026, 10, 28, 14, 3, 22, 45).getTime();
  assert.deepEqual([formatTime(t), formatTime(t, true)], ['14:03:22', '14:03:22.045']);
  assert.equal(formatMoment(t, t + 1), '14:03:22');
  assert.equal(formatMoment(t, t + 86_400_000, true), '2026-11-28 14:03:22.045');
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
