/** What the page says of commands: words for every state, and never more than the ledger knows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands, page } from '../../static/texts.js';
import { formatMoment } from '../../static/view/times.js';

const row = (more) => ({
  commandId: 'id-1', action: 'start', reason: 'user_action', who: 'me', state: 'sent', queued: 1, sent: 2,
  answered: null, answer: null, error: null, beats: 0, lastBeat: null, ...more,
});
const moment = (ms) => `t${ms}`;

test('each state has its words, and only the machine itself acknowledges', () => {
  const refusal = { status: 500, payload: {} };
  const cases = [
    [{ state: 'queued', sent: null }, 'Waits to be sent'],
    [{ state: 'sent' }, 'Sent, no answer yet'],
    [{ state: 'acknowledged', answer: { status: 200, payload: {} } }, 'Acknowledged by the machine'],
    [{ state: 'leased', sent: null }, 'Kept on by lease, not sent'],
    [{ state: 'expired' }, 'Expired without an answer'],
    [{ state: 'expired', sent: null }, 'Expired before it was sent'],
    [{ state: 'failed' }, 'Failed'],
    [{ state: 'failed', sent: null }, 'Failed, not sent'],
    [{ state: 'failed', answer: refusal }, 'Refused by the machine'],
    [{ state: 'later' }, 'later'],
  ];
  for (const [more, text] of cases) assert.equal(commands.state(row(more)), text);
});

test('who it was: this page, another viewer, the server, or somebody without a name', () => {
  const shown = (own, isNameless) => ['me', 'anna', 'cron', 'anonymous'].map((who) => commands.who(who, own, isNameless));
  const [server, unnamed] = ['The server, to keep it on', 'Unnamed client'];
  assert.deepEqual(shown(['me', ''], true), ['You', 'Another viewer', server, unnamed]);
  assert.deepEqual(shown(['viewer', 'me'], false), ['You', 'anna', server, unnamed]);
  assert.deepEqual(['start', 'stop', 'reset'].map(commands.action), ['Real-time on', 'Real-time off', 'reset']);
});

test('details name whose answer it is, and call sent only what left', () => {
  const names = (more) => commands.details(row(more), moment).map(([name]) => name);
  assert.deepEqual(names({}), ['Sent', 'Id']);
  assert.deepEqual(names({ state: 'failed', error: 'offline' }), ['Tried', 'Error', 'Id']);
  const answer = { status: 200, payload: { commandId: 'id-1', source: 'device', realtime: true, ts: 5, load: 3 } };
  const details = new Map(commands.details(row({ state: 'acknowledged', answered: 3, answer, beats: 2, lastBeat: 9 }), moment));
  assert.equal(details.get('Answer of the machine'), 'status 200, real-time on, load 3');
  assert.equal(details.get('Answered'), 't3');
  assert.equal(details.get('Asked again'), '2 ×, last t9');
  assert.ok(names({ state: 'leased', answer }).includes('Answer of the server'));
});

test('a time of another day has its date', () => {
  const noon = new Date(2026, 0, 5, 12, 3, 4).getTime();
  assert.equal(formatMoment(noon, noon + 3_600_000), '12:03:04');
  assert.equal(formatMoment(noon, noon + 86_400_000), '2026-01-05 12:03:04');
  const [, detail] = page.offline({ lastDataAt: noon, isServerAway: false }, noon + 86_400_000);
  assert.match(detail, /^No data since 2026-01-05 12:03:04\. /);
});
