/** Messages of the live service, and a socket that comes back by itself, also where it dies without a word. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { localMs, serverClock } from '../../static/data/clock.js';
import { LiveSocket, backoff, parseMessage } from '../../static/data/live.js';

test('messages: data, data without a time, what was left out, errors, and what is none', () => {
  const parse = (value) => parseMessage(JSON.stringify(value), 42);
  const has = (value, expected) => assert.deepEqual({ ...parse(value), ...expected }, parse(value));
  has({ type: 'LIVE_DATA', payload: {}, ts: 7, seq: 1 }, { type: 'LIVE_DATA', seq: 1, ts: 7, payload: {} });
  has({ type: 'LIVE_DATA', payload: { a: 1 }, seq: '7' }, { type: 'LIVE_DATA', seq: null, ts: 42, payload: { a: 1 } });
  has({ type: 'LIVE_DATA', payload: {}, ts: 'x', seq: 1.5 }, { seq: null, ts: 42 });
  const stats = { a: { min: 0, max: 2 } };
  const merged = { type: 'FILL', payload: { a: 1 }, ts: 7, seq: 1, ts_of: { a: 5 }, stats };
  has(merged, { type: 'FILL', seq: 1, ts: 7, payload: { a: 1 }, tsOf: { a: 5 }, spans: stats });
  has({ type: 'GAP', from: null, to: 9, reason: 'unknown' }, { type: 'GAP', from: null, to: 9, reason: 'unknown' });
  has({ type: 'LAST_KNOWN', payload: {}, ts: 7, seq: 1, age_ms: 30 }, { type: 'LAST_KNOWN', seq: 1, ts: 7, ageMs: 30 });
  has({ type: 'LAST_KNOWN', payload: {}, ts: null, seq: null, age_ms: null }, { type: 'LAST_KNOWN', seq: null, ts: null });
  has({ type: 'STATUS', payload: { stream: 'live', server_ts: 5 } }, { type: 'STATUS', payload: { stream: 'live', server_ts: 5 } });
  has({ type: 'ERROR', payload: { code: 'x', message: 'y' } }, { type: 'ERROR', payload: { code: 'x', message: 'y' } });
  const none = ['{}', 'no JSON', '[]', 'null', '{"type":"LIVE_DATA"}', '{"type":"GAP"}', '{"type":"STATUS"}'];
  for (const text of none) assert.equal(parseMessage(text, 0), null);
});

test('the back-off begins short, grows and is bounded', () => {
  assert.ok(backoff(0, 0) >= 200 && backoff(0, 1) <= 500);
  for (let attempt = 1; attempt < 40; attempt++) {
    assert.ok(backoff(attempt, 0) >= 1000 && backoff(attempt, 1) <= 15_000);
    assert.ok(backoff(attempt + 1, 0.5) >= backoff(attempt, 0.5));
  }
});

/** @type {FakeSocket[]} */
let sockets = [];

class FakeSocket {
  sent = [];
  isClosed = false;

  constructor(url) {
    this.url = url;
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
  }

  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

let downs = [];
let messages = [];
const realNow = performance.now;
let now = 0;

/** Local time goes on, with what is due. */
function pass(ms) {
  for (let end = now + ms; now < end;) {
    now = Math.min(end, now + 100);
    mock.timers.tick(100);
  }
}

function socketOf() {
  return new LiveSocket('ws://x/live', ['a'], {
    onOpen: () => ({ last: true }),
    onMessage: (message) => messages.push(message),
    onDown: (ms) => downs.push(ms),
  });
}

const STATUS = { type: 'STATUS', payload: { server_ts: 1 } };
const SAMPLE = { type: 'LIVE_DATA', payload: {} };

beforeEach(() => {
  [sockets, downs, messages, now] = [[], [], [], 1000];
  performance.now = () => now;
  globalThis.WebSocket = FakeSocket;
  mock.timers.enable({ apis: ['setTimeout'] });
});

afterEach(() => {
  mock.timers.reset();
  performance.now = realNow;
  delete globalThis.WebSocket;
});

test('it says what it wants, and asks for STATUS', () => {
  socketOf().open();
  sockets[0].onopen();
  assert.deepEqual(sockets[0].sent, [
    { type: 'INIT_FIELD_LIST', payload: ['a'], last: true },
    { type: 'STATUS', every_s: 2 },
  ]);
  sockets[0].say(SAMPLE);
  assert.equal(localMs(), now);
  assert.deepEqual(messages.map(({ type, seq, ts }) => [type, seq, ts]), [['LIVE_DATA', null, serverClock.now()]]);
});

test('nothing at all for six seconds, and it is another connection at once; anything keeps it', () => {
  socketOf().open();
  sockets[0].onopen();
  for (let i = 0; i < 20; i++) {
    pass(3000);
    sockets[0].say(STATUS);
  }
  pass(5900);
  assert.equal(sockets.length, 1);
  pass(100);
  assert.equal(sockets.length, 2);
  assert.deepEqual([sockets[0].isClosed, downs], [true, [0]]);
  sockets[0].say(SAMPLE);
  assert.equal(messages.some(({ type }) => type === 'LIVE_DATA'), false);
});

test('a lost connection comes back soon, then after longer and longer, and at once when woken', () => {
  const socket = socketOf();
  socket.open();
  for (let i = 0; i < 8; i++) {
    sockets.at(-1).onclose({ code: 1006 });
    if (i < 7) pass(downs.at(-1) + 100);
    assert.equal(sockets.length, i < 7 ? i + 2 : i + 1);
  }
  assert.ok(downs[0] <= 500 && downs.at(-1) > 3000);
  socket.wake();
  assert.equal(sockets.length, 9);
});

test('woken, it trusts a connection that spoke within three seconds, and no other', () => {
  const socket = socketOf();
  socket.wake();
  assert.equal(sockets.length, 0);
  socket.open();
  sockets[0].onopen();
  pass(2900);
  socket.wake();
  assert.equal(sockets.length, 1);
  pass(200);
  socket.wake();
  assert.equal(sockets.length, 2);
  socket.close();
  pass(60_000);
  socket.wake();
  assert.equal(sockets.length, 2);
});

test('one that is not allowed stays away, also when woken', () => {
  const socket = socketOf();
  socket.open();
  sockets[0].onclose({ code: 1008 });
  pass(60_000);
  socket.wake();
  assert.deepEqual([sockets.length, downs], [1, [null]]);
});

test('an attempt that hangs is given up; a server that accepts and closes is not asked faster and faster', () => {
  socketOf().open();
  pass(10_100);
  assert.equal(downs.length, 1);
  for (let i = 0; i < 5; i++) {
    pass(20_000);
    if (!sockets.at(-1).isClosed) sockets.at(-1).onopen();
    sockets.at(-1).say(STATUS);
    sockets.at(-1).onclose({ code: 1011 });
  }
  assert.ok(downs.at(-1) > 1000, String(downs));
});
