import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHidden, readRoute, writeHidden, writeRoute } from '../../static/view/route.js';

const NASTY = ['<img src=x onerror=…>', 'a/b?c#d&e=f', '100 % + 5', 'ö:,;', '..', 'metrics'];

test('the hash names a view', () => {
  const named = (hash) => {
    const { tenant, view, chassisId } = readRoute(hash);
    return [tenant, view, chassisId];
  };
  assert.deepEqual(named(''), ['', 'live', '']);
  assert.deepEqual(named('#/'), ['', 'live', '']);
  assert.deepEqual(named('#/duco'), ['duco', 'portal', '']);
  assert.deepEqual(named('#/duco/'), ['duco', 'portal', '']);
  assert.deepEqual(named('#/duco?q=loader'), ['duco', 'portal', '']);
  assert.deepEqual(named('#/duco/DUCO_001'), ['duco', 'live', 'DUCO_001']);
  assert.deepEqual(named('#/duco/DUCO_001/'), ['duco', 'live', 'DUCO_001']);
  assert.deepEqual(named('#/duco/DUCO_001/other'), ['duco', 'live', 'DUCO_001']);
  assert.deepEqual(named('#/duco/DUCO_001/metrics'), ['duco', 'metrics', 'DUCO_001']);
});

test('parameters stand behind the question mark', () => {
  assert.deepEqual(readRoute('#/duco/D?from=1&to=2&hide=g:x,g:y').params, { from: '1', to: '2', hide: 'g:x,g:y' });
  assert.deepEqual(readRoute('#/duco/D').params, {});
  assert.deepEqual(readRoute('#/duco/D?').params, {});
});

test('what is written is read again, whatever the names', () => {
  for (const name of NASTY) {
    for (const view of ['live', 'metrics', 'portal']) {
      const route = { tenant: name, view, chassisId: view === 'portal' ? '' : name, params: { q: name, w: '30' } };
      assert.deepEqual(readRoute(writeRoute(route)), route);
    }
  }
});

test('a link is short and can be read', () => {
  const route = { tenant: 'duco', view: 'live', chassisId: 'DUCO_001', params: { w: '120', hide: 'g1:speed,g1:rpm', t: '' } };
  assert.equal(writeRoute(route), '#/duco/DUCO_001?w=120&hide=g1:speed,g1:rpm');
  assert.equal(writeRoute({ tenant: 'duco', view: 'portal', chassisId: '' }), '#/duco');
});

test('a hash that was broken by hand is read as far as it goes', () => {
  assert.equal(readRoute('#/duco/50%').chassisId, '50%');
  assert.equal(readRoute('#/duco/D?q=50%').params.q, '50%');
});

test('hidden lines', () => {
  const hidden = new Map([['g1', new Set(['speed', 'a,b'])], ['x:y', new Set(NASTY)]]);
  const { params } = readRoute(writeRoute({ tenant: 'd', view: 'live', chassisId: 'D', params: { hide: writeHidden(hidden) } }));
  assert.deepEqual(readHidden(params.hide), hidden);
  assert.deepEqual(readHidden(undefined), new Map());
  assert.deepEqual(readHidden('nothing,:x,g:'), new Map());
  assert.equal(writeHidden(new Map([['g1', new Set()]])), '');
});
