import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OFFLINE_MS, Presence } from '../../static/machine/presence.js';

test('a page that was just opened waits, and then says offline', () => {
  const presence = new Presence(1000);
  assert.equal(presence.state(1000), 'connecting');
  assert.equal(presence.state(10_999), 'connecting');
  assert.equal(presence.dueAt, 11_000);
  assert.equal(presence.state(11_000), 'offline');
  assert.equal(presence.lastAt, null);
});

test('live from any data on, offline ten seconds after the last', () => {
  const presence = new Presence(0);
  presence.hear('vehicle_can', 2000);
  presence.hear('client_raw_data', 5000);
  assert.equal(presence.state(14_999), 'live');
  assert.equal(presence.dueAt, 5000 + OFFLINE_MS);
  assert.equal(presence.state(15_000), 'offline');
  presence.hear('vehicle_can', 15_100);
  assert.equal(presence.state(15_100), 'live');
});

test('what is told late of earlier data changes nothing', () => {
  const presence = new Presence(0);
  presence.hear('vehicle_can', 8000);
  presence.hear('vehicle_can', -60_000);
  assert.equal(presence.lastAt, 8000);
  assert.equal(presence.state(12_000), 'live');
});

test('a machine that was heard before the page came is not live, and not offline at once', () => {
  const presence = new Presence(0);
  presence.hear('vehicle_can', -60_000);
  assert.equal(presence.state(100), 'connecting');
  assert.equal(presence.state(10_000), 'offline');
});

test('the server knows that nothing comes: live is over at once, and again with the next data', () => {
  for (const [stream, state] of [['away', 'connecting'], ['waiting', 'connecting'], ['silent', 'offline']]) {
    const presence = new Presence(0);
    presence.hear('vehicle_can', 3000);
    presence.tell('vehicle_can', 'live');
    assert.equal(presence.state(4000), 'live');
    presence.tell('vehicle_can', stream);
    assert.equal(presence.state(4000), state);
    presence.hear('vehicle_can', 4100);
    assert.equal(presence.state(4100), 'live');
    presence.tell('vehicle_can', stream);
    presence.tell('vehicle_can', 'live');
    assert.equal(presence.state(4200), 'live');
  }
});

test('one message type that is silent does not end the other', () => {
  const presence = new Presence(0);
  presence.hear('vehicle_can', 3000);
  presence.hear('client_raw_data', 3000);
  presence.tell('vehicle_can', 'silent');
  assert.equal(presence.state(4000), 'live');
  presence.tell('client_raw_data', 'silent');
  assert.equal(presence.state(4000), 'offline');
});

test('silence while the page waits for the first data is no news', () => {
  const presence = new Presence(0);
  presence.tell('vehicle_can', 'silent');
  assert.equal(presence.state(2000), 'connecting');
});

test('after a refresh the page waits anew', () => {
  const presence = new Presence(0);
  presence.hear('vehicle_can', 1000);
  presence.tell('vehicle_can', 'silent');
  presence.reopen(30_000);
  assert.equal(presence.state(30_000), 'connecting');
  assert.equal(presence.state(40_000), 'offline');
});

test('what is said of the stream is of a message type that comes, of the first where none does', () => {
  const presence = new Presence(0);
  const types = ['vehicle_can', 'client_raw_data'];
  assert.equal(presence.best(types), 'vehicle_can');
  presence.tell('vehicle_can', 'waiting');
  presence.tell('client_raw_data', 'live');
  assert.equal(presence.best(types), 'client_raw_data');
  presence.tell('client_raw_data', 'away');
  assert.equal(presence.best(types), 'vehicle_can');
  presence.tell('vehicle_can', 'live');
  presence.tell('client_raw_data', 'live');
  assert.equal(presence.best(types), 'vehicle_can');
  assert.equal(presence.best([]), undefined);
});
