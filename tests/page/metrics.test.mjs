/** The map's projection, track and view; what the health tiles judge and chart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldTitle, growth, healthGroups, judge, METRIC_FIELDS } from '../../static/metrics/health.js';
import { coveredM, fitView, movedView, nearestFix, projection, roundStep, trackOf, wrap } from '../../static/metrics/projection.js';
import { metrics } from '../../static/texts.js';

const EARTH_M = 6_371_009;
const RAD = Math.PI / 180;

/** Great-circle distance by the chord: another way to the same number. */
function chordM(a, b) {
  const point = ({ lat, lng }) => {
    const flat = Math.cos(lat * RAD);
    return [flat * Math.cos(lng * RAD), flat * Math.sin(lng * RAD), Math.sin(lat * RAD)];
  };
  const [p, q] = [point(a), point(b)];
  return 2 * EARTH_M * Math.asin(Math.hypot(...p.map((v, i) => v - q[i])) / 2);
}

/** Fixes one second apart. */
const fixesOf = (places, stepMs = 1000) => trackOf(
  { ts: places.map((_, i) => i * stepMs), columns: [places.map((p) => p[0]), places.map((p) => p[1])] }, null);

test('distances from the middle are right within 1 % over 100 km, and places come back', () => {
  for (const [lat, lng] of [[56.05, 12.71], [0, 0], [-33.9, 179.9999], [10, -180], [-60, -120]]) {
    const middle = { lat, lng };
    const flat = projection(middle);
    for (const [dLat, dLng] of [[0.0001, 0], [0, 0.0002], [-0.01, 0.03], [0.4, 0], [-0.3, -0.5], [0, 0.8]]) {
      const place = { lat: lat + dLat, lng: wrap(lng + dLng) };
      const [x, y] = flat.to(place);
      const expected = chordM(middle, place);
      assert.ok(Math.abs(Math.hypot(x, y) - expected) < 1e-3 + expected * 0.01, `${lat} ${lng} ${dLat} ${dLng}`);
      assert.ok(chordM(flat.from(x, y), place) < 1e-3, `back: ${lat} ${lng} ${dLat} ${dLng}`);
    }
  }
  assert.deepEqual(projection({ lat: 5, lng: 7 }).to({ lat: 5, lng: 7 }), [0, 0]);
  assert.ok(Object.values(projection({ lat: 90, lng: 0 }).from(10, 10)).every(Number.isFinite));
});

test('north is up, east is right, also across ±180°', () => {
  const flat = projection({ lat: 20, lng: 179.9995 });
  const [x, y] = flat.to({ lat: 20, lng: -179.9995 });
  assert.ok(x > 100 && x < 110 && Math.abs(y) < 0.1);
  assert.ok(flat.to({ lat: 20.001, lng: 179.9995 })[1] > 100);
  assert.ok(flat.from(1000, 0).lng < -179.98);
});

test('steps are 1, 2 or 5 times a power of ten, not above what there is room for', () => {
  const pairs = [[1, 1], [1.99, 1], [2, 2], [4.9, 2], [5, 5], [9.99, 5], [1000, 1000], [0.0012, 0.001], [37, 20]];
  for (const [most, step] of pairs) assert.ok(Math.abs(roundStep(most) - step) < step * 1e-9, `${most}`);
});

test('a track breaks where rows lack a place and where seconds are missing', () => {
  const none = null;
  const columns = [[1, 1, none, 1, 1, 1, 0, 91], [2, 2, 2, 2, none, 2, 0, 2]];
  const rows = { ts: [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000], columns };
  assert.deepEqual(trackOf(rows, null).map(({ t, isJoined }) => [t, isJoined]), [[0, false], [1000, true], [3000, false], [5000, false]]);
  const sparse = { ts: [0, 2000, 4001], columns: [[1, 1, 1], [2, 2, 2]] };
  assert.deepEqual(trackOf(sparse, null).map((fix) => fix.isJoined), [false, true, false]);
  assert.deepEqual(trackOf({ ts: [], columns: [] }, null), []);
});

test('buckets join across their own steps, but not across a gap of the answer', () => {
  const rows = { ts: [0, 12_000, 24_000, 60_000, 61_000, 73_000], columns: [[1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2]] };
  const range = { to: 60_000, stepMs: 12_000, gaps: [[13_000, 20_000]] };
  assert.deepEqual(trackOf(rows, range).map((fix) => fix.isJoined), [false, true, false, true, true, false]);
});

test('the distance covered leaves out breaks and the noise of a machine that stands', () => {
  const perM = 1 / (EARTH_M * RAD);
  const straight = fixesOf(Array.from({ length: 101 }, (_, i) => [50 + i * 10 * perM, 8]));
  assert.ok(Math.abs(coveredM(straight) - 1000) < 0.1);
  const creeping = fixesOf(Array.from({ length: 101 }, (_, i) => [50 + i * perM, 8]));
  assert.ok(Math.abs(coveredM(creeping) - 100) < 4);
  const noise = fixesOf(Array.from({ length: 600 }, (_, i) => [50 + Math.sin(i * 7) * perM, 8 + Math.cos(i * 5) * perM]));
  assert.equal(coveredM(noise), 0);
  const broken = fixesOf([[50, 8], [null, null], [51, 8], [51 + 20 * perM, 8]]);
  assert.ok(Math.abs(coveredM(broken) - 20) < 0.1);
  assert.equal(coveredM([]), 0);
});

test('a view holds every fix, at least 40 m, and stands still while they lie well in it', () => {
  const perM = 1 / (EARTH_M * RAD);
  const at = (metres) => fixesOf(metres.map((m) => [0.01, m * perM]));
  const size = [400, 300];
  const [width, height] = size;
  const single = fitView(at([7]), null, size);
  assert.ok(single.mPerPx * height >= 40 && Math.abs(single.lng - 7 * perM) < 1e-9);
  const still = fitView(at([0, 0.5, -0.5]), null, size);
  assert.ok(still.mPerPx * Math.min(width, height) >= 40);
  const near = at([0, 500]);
  const view = fitView(near, still, size);
  for (const fix of near) {
    const [x, y] = projection(view).to(fix).map((v) => Math.abs(v) / view.mPerPx);
    assert.ok(x < width / 2 - 20 && y < height / 2 - 20);
  }
  assert.equal(fitView(at([20, 480]), view, size), view);
  assert.notEqual(fitView(at([0, 700]), view, size), view);
  assert.notEqual(fitView(at([0, 100]), view, size), view);
  const overDateLine = fitView(fixesOf([[0, 179.999], [0, -179.999]]), null, size);
  assert.ok(Math.abs(Math.abs(overDateLine.lng) - 180) < 1e-9 && overDateLine.mPerPx < 1);
});

test('a view moves with the hand and zooms about a place', () => {
  const size = [400, 300];
  const view = { lat: 56, lng: 12, mPerPx: 2 };
  const at = (shown, place) => {
    const [x, y] = projection(shown).to(place);
    return [200 + x / shown.mPerPx, 150 - y / shown.mPerPx];
  };
  const near = (a, b) => assert.ok(Math.hypot(a[0] - b[0], a[1] - b[1]) < 0.1, `${a} ${b}`);
  const place = { lat: 56.001, lng: 12.001 };
  const [x, y] = at(view, place);
  near(at(movedView(view, size, [x, y], [x + 30, y - 20]), place), [x + 30, y - 20]);
  const closer = movedView(view, size, [x, y], [x, y], 0.25);
  assert.equal(closer.mPerPx, 0.5);
  near(at(closer, place), [x, y]);
  assert.ok(movedView(view, size, [0, 0], [0, 0], 1e-9).mPerPx > 0.01);
  assert.ok(movedView(view, size, [0, 0], [0, 0], 1e9).mPerPx < 1e4);
});

test('the nearest fix counts within a reach only', () => {
  const fixes = fixesOf([[1, 1], [1, 2], [1, 3]]);
  assert.equal(nearestFix(fixes, (fix) => Math.abs(fix.t - 1400), 2000).t, 1000);
  assert.equal(nearestFix(fixes, (fix) => Math.abs(fix.t - 9000), 2000), null);
});

test('health is judged in words where there is something to judge', () => {
  const level = (field, value, values) => judge(field, value, values)?.level;
  assert.deepEqual([90, 90.1].map((v) => level('disk_percent', v)), ['good', 'bad']);
  assert.deepEqual([30, 31].map((v) => level('queue_messages', v)), ['good', 'warn']);
  assert.deepEqual([500, 501].map((v) => level('second_late_ms', v)), ['good', 'warn']);
  assert.deepEqual([91, 91].map((v, i) => level(['cpu_percent', 'memory_percent'][i], v)), ['warn', 'warn']);
  assert.deepEqual([level('dropped_messages', 7), level('dropped_messages', 7, [5, 7])], ['good', 'bad']);
  assert.match(judge('dropped_messages', 7, [5, 7]).text, /^2 /);
  assert.equal(judge('realtime_remaining_s', 1e9), null);
});

test('a counter grows by its steps, also over a start of the App', () => {
  assert.equal(growth([5, 5, 5]), 0);
  assert.equal(growth([5, 7, 0, 3]), 5);
  assert.equal(growth([]), 0);
});

test('every tile and chart has a name, and a chart only fields that are asked for', () => {
  const groups = healthGroups();
  assert.equal(new Set(groups.map((group) => group.groupId)).size, groups.length);
  for (const { msgType, title, lines } of groups) {
    assert.equal(msgType, 'client_raw_data');
    assert.ok(title);
    for (const { field, label } of lines) assert.ok(METRIC_FIELDS.includes(field) && label, field);
  }
});

test('names of fields are for readers, without units', () => {
  const names = { cpu_percent: 'CPU', app_memory_mb: 'App memory', can_frames_per_s: 'CAN frames', uptime_s: 'Uptime',
    second_late_ms: 'Second late', load_1min: 'Load 1min', dropped_messages: 'Dropped messages' };
  assert.deepEqual(Object.keys(names).map(fieldTitle), Object.values(names));
});

test('durations, lengths and places as text', () => {
  assert.deepEqual([59, 3700, 274_000].map(metrics.duration), ['59 s', '1 h 1 min', '3 d 4 h']);
  assert.deepEqual([0, 20, 999.6, 1234, 50_000].map(metrics.length), ['0 m', '20 m', '1 km', '1.23 km', '50 km']);
  assert.equal(metrics.place({ lat: 56.0497, lng: 12.7134 }), '56.04970, 12.71340');
});
