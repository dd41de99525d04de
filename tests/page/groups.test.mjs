/** The editor of chart groups: what is sent, what is wrong, what differs, order, files, what is kept unsaved. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  contentOf, differences, exportText, importText, isSame, moved, reorder, toBody, toForm, validate,
} from '../../static/groups/model.js';
import { Store } from '../../static/groups/store.js';

const line = (field, more = {}) => ({ field, label: null, color: null, style: null, dash: false, ...more });
const group = (more = {}) => ({
  groupId: 'heat', title: 'Heat', msgType: 'vehicle_can', order: 3, version: 4, changed: 1,
  lines: [line('coolant', { label: 'Coolant' }), line('oil')],
  axes: [{ unit: 'degC', side: 'right', min: 0, max: 120 }],
  limits: [{ unit: 'degC', from: 100, to: 100, label: 'Hot', level: 'bad' }],
  ...more,
});
const formOf = (more) => ({ ...toForm(group()), ...more });

test('a group comes out of the form as it went in, without what the server gives it', () => {
  const { groupId, order, version, changed, ...content } = group();
  assert.deepEqual(toBody(toForm(group())), content);
  const old = group({ lines: [{ style: null, dash: false, field: 'coolant', label: null, color: null }] });
  assert.ok(isSame(old, group({ lines: [line('coolant')] }))); // in whatever order the keys came
  assert.ok(!isSame(old, group({ lines: [line('coolant', { dash: true })] })));
});

test('numbers are taken as people type them, and a threshold has one', () => {
  const form = formOf({
    lines: [line('oil', { label: '', style: '' })],
    axes: [{ unit: 'degC', side: 'left', min: ' -5,5', max: '1e3' }, { unit: 'rpm', side: 'right', min: ' ', max: '' }],
    limits: [
      { unit: 'degC', from: '80', to: '90', label: '', level: 'warn', isBand: false },
      { unit: 'degC', from: '', to: '90', label: 'x', level: 'warn', isBand: true },
    ],
  });
  const body = toBody(form);
  assert.deepEqual(body.lines, [line('oil')]);
  assert.deepEqual(body.axes.map(({ min, max }) => [min, max]), [[-5.5, 1000], [null, null]]);
  assert.deepEqual(body.limits.map(({ from, to, label }) => [from, to, label]), [[80, 80, null], [null, 90, 'x']]);
  assert.ok(!('isBand' in body.limits[0]));
  assert.equal(validate(form).size, 0);
});

test('what is wrong is said at its place', () => {
  const wrong = (more) => [...validate(formOf(more)).keys()];
  const limit = (more) => ({ unit: 'degC', from: '1', to: '2', label: null, level: 'warn', isBand: true, ...more });
  const axis = (min, max) => ({ axes: [{ unit: 'm/s', side: 'left', min, max }] });
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ title: '  ' }), ['title']);
  assert.deepEqual(wrong({ title: 'x'.repeat(200) }), []);
  assert.deepEqual(wrong({ title: 'x'.repeat(201) }), ['title']);
  assert.deepEqual(wrong(axis('7 m', 'Infinity')), ['axes.m/s.min', 'axes.m/s.max']);
  assert.deepEqual(wrong(axis('7', '7')), ['axes.m/s.max']);
  assert.deepEqual(wrong(axis('-7', '')), []);
  assert.deepEqual(wrong({ limits: [limit({ from: '3' })] }), ['limits.0.to']);
  assert.deepEqual(wrong({ limits: [limit({ from: '2', isBand: false })] }), []);
  assert.deepEqual(wrong({ limits: [limit(), limit({ from: '', to: null })] }), ['limits.1.from']);
  assert.deepEqual(wrong({ limits: [limit({ isBand: false, from: '' })] }), ['limits.0.from']);
});

test('what differs is said in words, and nothing where nothing does', () => {
  const before = contentOf(group());
  assert.deepEqual(differences(before, contentOf(group({ version: 9, order: 1 }))), []);
  const after = contentOf(group({
    title: 'Hotter',
    lines: [line('rpm', { label: 'Speed' }), line('coolant', { label: 'Coolant', dash: true })],
    axes: [{ unit: 'degC', side: 'left', min: null, max: 90 }],
    limits: [{ unit: 'degC', from: 80, to: null, label: null, level: 'warn' }],
  }));
  assert.deepEqual(differences(before, after), [
    'Title: Hotter', 'Lines added: Speed', 'Lines removed: oil', 'Lines changed: Coolant',
    'Axes added: °C left up to 90', 'Axes removed: °C right 0 to 120',
    'Limits added: from 80 °C (warning)', 'Limits removed: Hot 100 °C (danger)',
  ]);
  assert.deepEqual(differences(before, contentOf(group({ lines: [...group().lines].reverse(), axes: [] }))), [
    'Lines rearranged', 'Axes removed: °C right 0 to 120',
  ]);
});

test('a move changes as few orders as can be', () => {
  const groups = [0, 2, 5, 9].map((order, i) => ({ order, name: 'abcd'[i] }));
  const changes = (list) => reorder(list).map(([{ name }, order]) => name + order);
  assert.deepEqual(changes(groups), []);
  assert.deepEqual(changes(moved(groups, 2, 1)), ['c2', 'b5']);
  assert.deepEqual(changes(moved(groups, 0, -1)), []);
  assert.deepEqual(changes(moved(groups, 3, 4)), []);
  const alike = [0, 0, 0].map((order, i) => ({ order, name: 'abc'[i] }));
  assert.deepEqual(changes(moved(alike, 2, 1)), ['c1', 'b2']);
});

test('what is exported can be imported, without ids and versions; what is no such file cannot', () => {
  const groups = [group(), group({ title: '<img src=x onerror=…>' })];
  const text = exportText(groups);
  assert.doesNotMatch(text, /groupId|version|order|changed/);
  assert.deepEqual(importText(text), groups.map(contentOf));
  for (const other of ['{', 'null', '[]', '{"duco_groups": 2, "groups": []}', '{"duco_groups": 1}']) {
    assert.equal(importText(other), null);
  }
});

/** The server's part: groups with versions, as `…/_groups` has them. */
class Server {
  groups = new Map();
  asked = [];

  put(given) {
    this.groups.set(given.groupId, { version: 1, ...given });
  }

  fetch = async (url, { method = 'GET', headers = {}, body } = {}) => {
    const id = decodeURIComponent(url.split('/_groups')[1].slice(1));
    this.asked.push(`${method} ${id}`);
    const answer = (status, content) => new Response(JSON.stringify(content), { status });
    if (method === 'GET') return answer(200, { groups: [...this.groups.values()] });
    const there = this.groups.get(id);
    const expected = headers['If-Match'];
    if (expected && !there) return answer(404, { error: { code: 'not_found', message: 'gone' } });
    const isOther = expected ? `"${there.version}"` !== expected : there;
    if (isOther) return answer(409, { error: { code: 'conflict' }, group: there });
    this.groups.delete(id);
    if (method === 'PUT') this.put({ ...JSON.parse(body), groupId: id, version: (there?.version ?? 0) + 1 });
    return answer(200, this.groups.get(id) ?? {});
  };
}

let server;

/** A browser's storage, and what is in it. */
function storage() {
  const kept = new Map();
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text) };
}

beforeEach(() => {
  globalThis.localStorage = storage();
  server = new Server();
  server.put(group());
  server.put(group({ groupId: 'drive', title: 'Drive', order: 5, version: 1 }));
  globalThis.fetch = server.fetch;
});

async function opened(tenant = 'duco') {
  const store = new Store(tenant);
  await store.load();
  return store;
}

const conflictOf = (store, id) => store.items.find((item) => item.id === id).conflict;
const retitle = (title) => (form) => { form.title = title; };

test('a change is kept from the first keystroke on, until it is saved or taken back', async () => {
  const store = await opened();
  store.edit('heat', retitle('Heat 2'));
  const other = await opened();
  assert.equal(other.items[0].form.title, 'Heat 2');
  assert.deepEqual(other.items.map(({ isUnsaved }) => isUnsaved), [true, false]);
  const elsewhere = await opened('duco2');
  assert.equal(elsewhere.drafts.size, 0);
  elsewhere.edit('heat', retitle('There'));
  assert.equal((await opened()).items[0].form.title, 'Heat 2');
  other.edit('heat', retitle('Heat'));
  assert.equal(other.drafts.size, 0);
  assert.equal((await opened()).drafts.size, 0);
  const id = other.add();
  assert.equal((await opened()).drafts.size, 0); // nothing typed yet
  other.edit(id, retitle('New one'));
  assert.deepEqual((await opened()).items.map(({ form }) => form.title), ['Heat', 'Drive', 'New one']);
  assert.equal(await other.save(id), true);
  const last = await opened();
  assert.equal(last.drafts.size, 0);
  assert.deepEqual([last.groups[2].title, last.groups[2].order], ['New one', 6]);
});

const refuse = () => {
  throw new Error('refused');
};

for (const [what, setItem, getItem] of [['full', refuse, () => 'of before'], ['forbidden', refuse, refuse]]) {
  test(`where storage is ${what} a change is kept until the page is left`, async () => {
    globalThis.localStorage = { getItem, setItem };
    const store = await opened(what);
    store.edit('heat', retitle('Heat 2'));
    store.edit('drive', retitle('Drive 2'));
    assert.deepEqual((await opened(what)).items.map(({ form }) => form.title), ['Heat 2', 'Drive 2']);
    // There is room again: what is there counts from then on, also where another page changes it.
    globalThis.localStorage = storage();
    store.edit('heat', retitle('Heat 3'));
    assert.deepEqual((await opened(what)).items.map(({ form }) => form.title), ['Heat 3', 'Drive 2']);
    globalThis.localStorage = storage();
    assert.equal((await opened(what)).drafts.size, 0);
  });
}

test('what is in storage and is no draft is passed over, and what is typed then is kept', async () => {
  for (const text of ['', '{', 'null', '[]', '"text"', '7', '{"heat":null}', '{"heat":{"form":{"title":"x"}}}']) {
    globalThis.localStorage = storage();
    localStorage.setItem('duco_rt.drafts.duco', text);
    const store = await opened();
    assert.equal(store.drafts.size, 0);
    store.edit('heat', retitle('Typed'));
    assert.equal((await opened()).items[0].form.title, 'Typed');
  }
});

test('of two pages of one browser the one that saves or discards does not forget what the other typed', async () => {
  const titleOf = async () => (await opened()).items[0].form.title;
  for (const end of [(store) => store.save('heat'), (store) => store.keep('heat')]) {
    const mine = await opened();
    mine.edit('heat', retitle('Mine'));
    const theirs = await opened();
    theirs.edit('heat', retitle('Theirs'));
    await end(mine);
    assert.equal(await titleOf(), 'Theirs');
    theirs.keep('heat');
    assert.notEqual(await titleOf(), 'Theirs'); // its own
  }
});

test('what is typed while the server is asked stays a change', async () => {
  const store = await opened();
  store.edit('heat', retitle('One'));
  const saving = store.save('heat');
  store.edit('heat', retitle('Two'));
  assert.equal(await saving, true);
  assert.deepEqual([store.items[0].form.title, store.items[0].isUnsaved, conflictOf(store, 'heat')], ['Two', true, null]);
  assert.equal(await store.save('heat'), true);
  assert.deepEqual([server.groups.get('heat').title, store.drafts.size], ['Two', 0]);
});

test('a version of somebody else is never overwritten unseen', async () => {
  const mine = await opened();
  const theirs = await opened();
  mine.edit('heat', retitle('Mine'));
  theirs.edit('heat', (form) => { form.lines.pop(); });
  await theirs.save('heat');
  assert.equal(await mine.save('heat'), false);
  assert.deepEqual(conflictOf(mine, 'heat'), ['Lines removed: oil']);
  assert.equal(server.groups.get('heat').title, 'Heat');
  assert.equal((await opened()).items[0].form.title, 'Mine'); // still kept
  mine.rebase('heat');
  assert.equal(conflictOf(mine, 'heat'), null);
  assert.equal(await mine.save('heat'), true);
  assert.deepEqual([server.groups.get('heat').title, server.groups.get('heat').version], ['Mine', 6]);
});

test('a new order, or the same change, of somebody else is no conflict', async () => {
  const mine = await opened();
  const theirs = await opened();
  mine.edit('heat', retitle('Mine'));
  await theirs.move('heat', 1);
  assert.equal(await mine.save('heat'), true);
  assert.deepEqual([server.groups.get('heat').title, server.groups.get('heat').order], ['Mine', 5]);

  mine.edit('drive', retitle('Alike'));
  await theirs.load();
  theirs.edit('drive', retitle('Alike'));
  await theirs.save('drive');
  assert.equal(await mine.save('drive'), true);
  assert.equal(mine.drafts.size, 0);
});

test('a group that was deleted meanwhile can be saved as a new one, and a deletion be undone', async () => {
  const mine = await opened();
  mine.edit('heat', retitle('Mine'));
  const theirs = await opened();
  const [gone] = theirs.groups;
  await theirs.remove(gone);
  assert.equal(await mine.save('heat'), false);
  assert.deepEqual(conflictOf(mine, 'heat'), []);
  assert.equal(mine.items.find(({ id }) => id === 'heat').group, undefined);
  mine.rebase('heat');
  assert.equal(await mine.save('heat'), true);
  await assert.rejects(theirs.put('heat', contentOf(gone), 0, gone.order), { status: 409 });
  await mine.remove(mine.group('heat'));
  await theirs.put('heat', contentOf(gone), 0, gone.order);
  assert.deepEqual((await opened()).groups.map(({ groupId, order }) => [groupId, order]), [['heat', 3], ['drive', 5]]);
});

test('a move sends only the groups whose order changed, and keeps what is unsaved', async () => {
  server.put(group({ groupId: 'work', order: 7 }));
  const store = await opened();
  store.edit('heat', retitle('Mine'));
  server.asked = [];
  await store.move('heat', 1);
  assert.deepEqual(server.asked.sort(), ['PUT drive', 'PUT heat']);
  assert.deepEqual(store.groups.map(({ groupId }) => groupId), ['drive', 'heat', 'work']);
  assert.equal(server.groups.get('heat').title, 'Heat');
  assert.equal(conflictOf(store, 'heat'), null);
  server.put(group({ version: 77 }));
  await assert.rejects(store.move('heat', -1), { status: 409 });
});
