/** One machine on the screen: its editor, its fields, what its map watches; and what waits while nobody sees the page. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { TimeWindow } from '../../static/view/window.js';
import { Cursor } from '../../static/charts/cursor.js';

/** As much of an element as these modules need; a dialog tells later that it was closed. */
class FakeNode extends EventTarget {
  style = {};
  classList = { add() {}, toggle() {} };
  children = [];
  clientWidth = 0;
  append() {}
  insertBefore() {}
  remove() {}
  setAttribute(name, value) { this[name] = value; }
  querySelector() { return null; }
  getContext() { return { scale() {} }; }
  showModal() { dialogs.push(this); }
  close() { closed.push(this); }
}
const dialogs = [];
const closed = [];
const frames = [];
const made = [];
const nodes = new Map();
const doc = Object.assign(new EventTarget(), {
  hidden: false,
  baseURI: 'http://127.0.0.1/',
  body: new FakeNode(),
  documentElement: { dataset: { theme: 'light' } },
  createElement: () => made[made.push(new FakeNode()) - 1],
  getElementById: (id) => nodes.get(id) ?? nodes.set(id, new FakeNode()).get(id),
});
Object.assign(globalThis, {
  document: doc,
  devicePixelRatio: 1,
  ResizeObserver: class { observe() {} },
  IntersectionObserver: class { observe() {} unobserve() {} },
  matchMedia: () => ({ matches: false }),
  WebSocket: class { close() {} send() {} },
  requestAnimationFrame: (callback) => frames.push(callback),
  cancelAnimationFrame() {},
});

const { Card } = await import('../../static/charts/card.js');
const { account, mayOperate } = await import('../../static/base/account.js');
const { Board } = await import('../../static/machine/board.js');
const { Layout } = await import('../../static/machine/layout.js');
const { Poll } = await import('../../static/machine/poll.js');
const { MapCard } = await import('../../static/metrics/map.js');

const settle = () => new Promise((done) => { setImmediate(done); });
const boardOf = () => new Board({ tenant: 't', chassisId: 'M1' }, { onWindow() {}, onChange() {}, onGroups() {}, ofFeed: () => ({}) });

test('who only watches a tenant has no editor there, and no way around that', () => {
  globalThis.fetch = () => new Promise(() => {});
  account.grants = { t: 'viewer', other: 'operator' };
  assert.deepEqual(['t', 'other', 'third'].map(mayOperate), [false, true, false]);
  const board = boardOf();
  assert.equal(board.edit, null);
  board.params = { edit: 'a' };
  assert.deepEqual([dialogs.length, board.params.edit], [0, '']);
  account.grants = { t: 'viewer', '*': 'admin' };
  assert.ok(mayOperate('t') && board.edit);
  board.params = { edit: 'a' };
  assert.equal(dialogs.splice(0).length, 1);
  board.close();
  closed.length = 0;
});

test('an editor that is told late of its close leaves the one that was opened since', () => {
  globalThis.fetch = () => new Promise(() => {});
  const board = boardOf();
  board.params = { edit: 'a' };
  board.params = { edit: 'b' };
  assert.deepEqual([dialogs.length, closed.length], [2, 1]);
  closed.pop().onclose();
  assert.equal(board.params.edit, 'b');
  board.close(); // the machine is left
  assert.equal(closed.pop(), dialogs[1]);
  board.params = { edit: 'c' };
  dialogs[2].onclose(); // by the user
  assert.equal(board.params.edit, '');
});

test('a field that the parsing has only later reaches the page, and is asked for no more then', async (context) => {
  mock.method(Card.prototype, 'mount', () => {});
  mock.method(Card.prototype, 'dispose', () => {});
  const group = { groupId: 'g', title: 'G', msgType: 'vehicle_can', lines: [{ field: 'a' }, { field: 'b' }] };
  let known = [{ name: 'a', unit: 'bar' }];
  const asked = [];
  globalThis.fetch = async (url) => {
    asked.push(url);
    return Response.json(url.includes('/fields') ? known : { groups: [group] });
  };
  const board = boardOf();
  const layout = new Layout(board);
  context.after(() => board.sources.close());
  const round = async () => {
    asked.length = 0;
    layout.show(await layout.ask(false));
    return asked.filter((url) => url.includes('/fields')).length;
  };
  assert.equal(await round(), 1);
  const before = board.sources.get('vehicle_can');
  assert.equal(await round(), 1);
  assert.equal(board.sources.get('vehicle_can'), before);
  known = [...known, { name: 'b', unit: 'rpm' }];
  assert.equal(await round(), 1);
  assert.deepEqual(board.cards[0].lines.map(({ unit }) => unit), ['bar', 'rpm']);
  assert.notEqual(board.sources.get('vehicle_can'), before, 'its history has the field, too');
  assert.equal(await round(), 0);
  layout.close();
  mock.restoreAll();
});

test('a map that is not shown follows no cursor, and does again when it is back', () => {
  const board = { cursor: new Cursor(), window: new TimeWindow(() => {}), now: () => 0 };
  const source = { msgType: 'client_raw_data', past: { range: null }, latest: () => null };
  const map = new MapCard(source, board);
  const followed = mock.method(map, 'tick', () => {});
  const moved = () => {
    const before = followed.mock.callCount();
    board.cursor.pin(Math.random());
    frames.splice(0).forEach((callback) => callback());
    return followed.mock.callCount() - before;
  };
  map.mount();
  assert.equal(moved(), 1);
  map.dispose();
  assert.equal(moved(), 0);
  map.mount();
  assert.equal(moved(), 1);
});

test('what is copied at a cursor is no formula in a spreadsheet, and a number below zero is still one', async () => {
  let copied = '';
  globalThis.navigator = { clipboard: { writeText: async (text) => { copied = text; } } };
  const values = [{ label: '=1+1', text: '-12\u202f500.5', unit: 'bar' }, { label: 'B', text: '@SUM(A1)', unit: '-cmd' }];
  const cursor = Object.assign(new Cursor(), { t: 0 });
  const board = { cursor, window: new TimeWindow(() => {}), now: () => 0, cards: [{ valuesAt: () => values }], edit: null };
  new Card({ groupId: 'g', title: 'G', msgType: 'vehicle_can', lines: [] }, new Map(), { isWaiting: false }, board);
  await made.findLast((node) => node.class === 'tip-copy').onclick();
  assert.deepEqual(copied.split('\n').slice(1), ["'=1+1\t-12 500.5\tbar", "B\t'@SUM(A1)\t'-cmd"]);
});

test('what is asked again and again waits while nobody sees the page, and is asked at once when it is seen', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let asked = 0;
  const poll = new Poll(async () => asked++, { onAnswer() {}, onError: assert.fail });
  const pass = async (ms) => {
    mock.timers.tick(ms);
    await settle();
  };
  const see = async (isSeen) => {
    doc.hidden = !isSeen;
    doc.dispatchEvent(new Event('visibilitychange'));
    await settle();
  };
  poll.run();
  await settle();
  await pass(5000);
  assert.equal(asked, 2);
  await see(false);
  for (let i = 0; i < 20; i++) await pass(5000);
  assert.equal(asked, 2);
  await see(true);
  assert.equal(asked, 3);
  await pass(5000);
  assert.equal(asked, 4);
  await see(false);
  await pass(5000);
  poll.stop();
  await see(true);
  await pass(5000);
  assert.equal(asked, 4, 'it was stopped meanwhile');
  mock.timers.reset();
});
