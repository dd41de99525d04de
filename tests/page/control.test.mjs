/** The delay from the machine to the screen, and who asks the machine. */
import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { RealTime } from '../../static/machine/command.js';
import { Delay } from '../../static/machine/delay.js';

const S = 1_700_000_000_000;
const status = (ts, arrivedMs, delayMs, ageMs = 700) => ({ ts, server_ts: arrivedMs + ageMs, age_ms: ageMs, delay_ms: delayMs });

test('the delay is that to the server and from there until it is shown, however late STATUS comes', () => {
  const delay = new Delay((local) => local);
  delay.shown(S, S + 9000); // there when the page came: when it was sent says nothing of the way
  delay.status(status(S, S + 1200, 200));
  assert.equal(delay.ms, null);
  delay.shown(S + 1000, S + 2450);
  delay.shown(S + 1000, S + 2950); // still the newest half a second later
  delay.status(status(S + 1000, S + 2200, 200));
  assert.equal(delay.ms, 450);
});

test('STATUS may tell of a second before it is shown', () => {
  const delay = new Delay((local) => local);
  delay.shown(S, S + 1300);
  delay.status(status(S + 1000, S + 2100, 100, 5));
  assert.equal(delay.ms, null);
  delay.shown(S + 1000, S + 2600);
  assert.equal(delay.ms, 600);
});

test('one late second does not change what is usual, and clocks that differ show', () => {
  const delay = new Delay((local) => local);
  delay.shown(S, S + 1000);
  for (const [i, late] of [300, 320, 9000, 310, 330].entries()) {
    const ts = S + (i + 1) * 1000;
    delay.status(status(ts, ts + 1100, 100));
    delay.shown(ts, ts + 1000 + late);
  }
  assert.equal(delay.ms, 320);
  const behind = new Delay((local) => local);
  behind.shown(S, S);
  behind.status(status(S + 1000, S + 1000 + 90_000, 89_000));
  behind.shown(S + 1000, S + 1000 + 90_400);
  assert.equal(behind.ms, 89_400);
});

test('a server’s clock that becomes known better corrects what was seen before', () => {
  let offsetMs = 400;
  const delay = new Delay((local) => local + offsetMs);
  delay.shown(S, S);
  delay.shown(S + 1000, S + 2000);
  offsetMs = 50;
  delay.status(status(S + 1000, S + 2030, 30));
  assert.equal(delay.ms, 50);
});

test('who only watches asks the machine for nothing', () => {
  globalThis.fetch = () => assert.fail('asked');
  mock.timers.enable({ apis: ['setInterval'] });
  const realTime = new RealTime('M1', { onAsk: assert.fail, onAnswer: assert.fail, onError: assert.fail }, true);
  realTime.start();
  mock.timers.tick(600_000);
  realTime.stop();
});

test('nothing is told where the server has no sample', () => {
  const delay = new Delay((local) => local);
  delay.shown(S, S);
  delay.shown(S + 1000, S + 2000);
  delay.status({ ts: null, server_ts: S, age_ms: null, delay_ms: null });
  delay.status({ ts: S + 1000, server_ts: S + 2000, age_ms: null, delay_ms: null });
  assert.equal(delay.ms, null);
});

const fetched = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = fetched;
  mock.timers.reset();
});

/** A RealTime whose server takes every command. */
function asked() {
  mock.timers.enable({ apis: ['setInterval'] });
  const sent = [];
  globalThis.fetch = async (_url, { body }) => {
    const { payload } = JSON.parse(body);
    sent.push(payload);
    return Response.json({ status: 200, payload: { ...payload, realtime: payload.action === 'start' } });
  };
  const answers = [];
  const realTime = new RealTime('M1', { onAsk() {}, onAnswer: (answer) => answers.push(answer), onError: assert.fail });
  const settle = () => new Promise((done) => { setImmediate(done); });
  return { realTime, sent, answers, settle };
}

test('after the user’s stop no heartbeat is sent and nothing else starts it; the user does', async () => {
  const { realTime, sent, answers, settle } = asked();
  const actions = () => sent.map(({ action }) => action);
  assert.equal(realTime.lastBeatAt, null);
  realTime.start();
  await settle();
  mock.timers.tick(60_000);
  await settle();
  assert.deepEqual(actions(), ['start', 'start']);
  assert.ok(realTime.lastBeatAt > 0);
  const beatAt = realTime.lastBeatAt;

  realTime.toggle();
  await settle();
  realTime.start(); // after a lost connection
  mock.timers.tick(600_000);
  await settle();
  assert.deepEqual(actions(), ['start', 'start', 'stop']);
  assert.equal(sent[2].viewerId, sent[0].viewerId);
  assert.equal(answers.at(-1).realtime, false);
  assert.equal(realTime.isStopped, true);
  assert.equal(realTime.lastBeatAt, beatAt);

  realTime.toggle();
  mock.timers.tick(60_000);
  await settle();
  assert.deepEqual(actions().slice(3), ['start', 'start']);
  realTime.stop();
});

test('a command that did not reach the machine is no heartbeat', async () => {
  const { settle } = asked();
  globalThis.fetch = async () => Response.json({ error: { code: 'offline', message: 'offline' } }, { status: 409 });
  const errors = [];
  const realTime = new RealTime('M1', { onAsk() {}, onAnswer: assert.fail, onError: (error) => errors.push(error.status) });
  realTime.start();
  await settle();
  assert.deepEqual(errors, [409]);
  assert.equal(realTime.lastBeatAt, null);
  realTime.stop();
});
