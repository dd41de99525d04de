/** Steady times: the server's clock whatever the network does, the device's through sleep of the viewer's machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeviceClock, ServerClock, localMs, serverClock } from '../../static/data/clock.js';

const ORIGIN = 1_700_000_000_000;
const S0 = 1_800_000_000_000;

/** Numbers 0 … n-1 that are the same in every run. */
function seeded(seed) {
  let state = seed;
  return (n) => (state = (state * 48_271) % 2_147_483_647) % n;
}

test('until the server is heard it is the time at which the page came, and local time is steady', () => {
  assert.equal(new ServerClock(ORIGIN).now(500), ORIGIN + 500);
  assert.ok(Math.abs(serverClock.now() - performance.timeOrigin - localMs()) < 1000);
});

test('an exact word is taken at once, and the quickest of a jittery network counts', () => {
  const clock = new ServerClock(ORIGIN);
  clock.heard(S0 + 100, 150);
  assert.equal(clock.now(150), S0 + 100);
  const next = seeded(3);
  for (let at = 2000; at < 200_000; at += 2000) clock.heard(S0 + at - 10 - next(900), at);
  const error = clock.now(200_000) - (S0 + 200_000);
  assert.ok(error <= -10 && error > -300, String(error));
});

test('a Date header counts to a second: only until something better is there, and where it disagrees with that', () => {
  const clock = new ServerClock(ORIGIN);
  clock.heard(S0, 400, 1000);
  assert.equal(clock.now(400), S0 + 500);
  clock.heard(S0, 900, 1000);
  assert.equal(clock.now(900), S0 + 1000);
  clock.heard(S0 + 1700, 1700);
  for (const at of [2100, 2900]) clock.heard(S0 + 2000, at, 1000);
  assert.equal(clock.now(3000), S0 + 3000);
  clock.heard(S0 + 3_600_000, 3000, 1000);
  assert.equal(clock.now(3000), S0 + 3_600_500);
  clock.heard(S0 + 3_600_100, 3100);
  assert.equal(clock.now(3100), S0 + 3_600_100);
  clock.heard(NaN, 3200, 1000);
  assert.equal(clock.now(3100), S0 + 3_600_100);
});

test('more than two seconds forward is a step at once; back only when it goes on, as after a stall it does not', () => {
  const clock = new ServerClock(ORIGIN);
  clock.heard(S0, 0);
  clock.heard(S0 + 60_000, 10_000);
  assert.equal(clock.now(10_000), S0 + 60_000);
  for (const sent of [12_000, 14_000, 16_000, 18_000]) clock.heard(S0 + 50_000 + sent, 18_100);
  assert.ok(Math.abs(clock.now(18_100) - (S0 + 68_000)) < 200);
  clock.heard(S0 + 20_000, 20_000);
  assert.ok(clock.now(20_000) > S0 + 60_000);
  clock.heard(S0 + 22_000, 22_000);
  assert.equal(clock.now(22_000), S0 + 22_000);
});

test('the device clock follows the quickest samples, takes a jump, and prefers the device to a guess', () => {
  const clock = new DeviceClock(new ServerClock(ORIGIN));
  assert.equal(clock.now(7), ORIGIN + 7);
  clock.reach(9000, 0);
  clock.reach(5000, 0);
  assert.equal(clock.now(100), 5100);
  clock.observe(1000, 50);
  assert.equal(clock.now(50), 1000);
  clock.observe(2000, 1250);
  assert.equal(clock.now(1250), 2195);
  clock.observe(100_000, 2000);
  assert.equal(clock.now(2000), 100_000);
});

test('the newest sample and its age set it forward, never back', () => {
  const clock = new DeviceClock(new ServerClock(ORIGIN));
  clock.reach(4000, 0);
  assert.equal(clock.now(0), 4000);
  clock.observe(5000, 1000);
  clock.reach(1000, 1100);
  assert.equal(clock.now(1100), 5100);
  for (const at of [1100, 2900]) clock.reach(at, at);
  clock.reach(6890, 2900);
  assert.equal(clock.now(2900), 6900);
  clock.reach(905_000, 3000);
  assert.equal(clock.now(3000), 905_000);
});

/** A server and a device of this page, both told for a minute. */
function watching() {
  const server = new ServerClock(ORIGIN);
  const device = new DeviceClock(server);
  for (let at = 0; at <= 60_000; at += 1000) {
    server.heard(S0 + at, at);
    device.observe(S0 - 14_000 + at, at);
  }
  return { server, device };
}

test('where local time stood still in sleep, the device went on: known from the server alone, or from a sample first', () => {
  const HOUR = 3_600_000;
  const expected = S0 - 14_000 + 61_000 + HOUR;
  const silent = watching();
  silent.server.heard(S0 + 61_000 + HOUR, 61_000);
  assert.equal(silent.device.now(61_000), expected);

  const first = watching();
  first.device.observe(S0 - 14_000 + 60_500 + HOUR, 60_500);
  first.server.heard(S0 + 61_000 + HOUR, 61_000);
  assert.equal(first.device.now(61_000), expected);

  const after = watching();
  after.server.heard(S0 + 60_500 + HOUR, 60_500);
  after.device.observe(S0 - 14_000 + 61_000 + HOUR, 61_000);
  assert.equal(after.device.now(61_000), expected);
});

test('the first exact word after a guess by the page\'s own clock moves no device', () => {
  const server = new ServerClock(ORIGIN);
  const device = new DeviceClock(server);
  device.observe(S0 - 14_000, 0);
  server.heard(S0 - 3_600_000, 5, 1000);
  server.heard(S0, 10);
  assert.equal(device.now(10), S0 - 14_000 + 10);
  server.heard(S0 + 3_600_000, 20, 1000);
  assert.ok(Math.abs(device.now(20) - (S0 - 14_000 + 3_600_020)) <= 1000);
});
