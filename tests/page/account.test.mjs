/** Who is signed in; and where the page goes once nobody is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account, askAccount } from '../../static/base/account.js';
import { getDevices } from '../../static/data/api.js';

const left = [];
globalThis.location = { hash: '#/duco/M1?w=60', replace: (url) => left.push(url) };

const answer = (status, body) => {
  globalThis.fetch = async () => Response.json(body, { status });
};

test('the server says who it is', async () => {
  const said = { auth: 'tokens', name: 'anna', grants: { duco: 'viewer' }, tenants: ['duco'], expires: null };
  answer(200, said);
  await askAccount();
  assert.deepEqual(account, said);
  assert.deepEqual(left, []);
});

test('whoever is signed out goes to the sign-in page, and comes back to the same place', async () => {
  answer(401, { error: { code: 'unauthorized', message: 'no' } });
  await assert.rejects(getDevices('duco'), { status: 401, message: 'no' });
  assert.deepEqual(left, ['sign-in#/duco/M1?w=60']);
});

test('other refusals stay on the page', async () => {
  left.length = 0;
  for (const status of [403, 404, 429, 500, 503]) {
    answer(status, {});
    await assert.rejects(getDevices('duco'), { status });
  }
  assert.deepEqual(left, []);
});
