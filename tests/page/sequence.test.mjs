/** One sequence over many connections: any run gives what was sent, each sample once. Run by `node --test tests/page/`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELD_MS, Sequence } from '../../static/data/sequence.js';

const T0 = 1_700_000_000_000;
const HISTORY_S = 120;
const NOW = 5_000_000;
const sample = (n, more = {}) => ({ type: 'LIVE_DATA', seq: n, ts: T0 + n * 1000, payload: { speed: n }, ...more });
const foreign = (ms) => ({ type: 'LIVE_DATA', seq: null, ts: T0 + ms, payload: { speed: ms } });
const gap = (from, to, reason = 'missing') => ({ type: 'GAP', from, to, reason });
const known = (n, ageMs = 300) => ({ type: 'LAST_KNOWN', seq: n, ts: T0 + n * 1000, ageMs });
const NOTHING_KNOWN = { type: 'LAST_KNOWN', seq: null, ts: null, ageMs: 0 };

function begun(...messages) {
  const sequence = new Sequence(['speed'], HISTORY_S);
  sequence.begin();
  return { sequence, outcomes: messages.map((message) => sequence.take(message, NOW)) };
}

test('the first connection asks for the window, the next one for what came after the newest', () => {
  const { sequence } = begun(known(3), sample(1), sample(2), sample(3));
  assert.deepEqual(sequence.begin(), { history: HISTORY_S, last: true, since: 3 });
  assert.deepEqual(new Sequence(['speed'], 60).begin(), { history: 60, last: true });
});

test('a hole that the server named is asked for again from its first sample that is not held', () => {
  const { sequence } = begun(sample(1), gap(2, 5), sample(6), { ...sample(2), type: 'FILL' }, sample(7));
  assert.equal(sequence.begin().since, 2);
  for (const n of [3, 4, 5, 6, 7, 8]) sequence.take(sample(n), NOW);
  assert.deepEqual(sequence.table.seq, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(sequence.begin().since, 8);
});

test('a hole at the head of the window, and one that the slow connection left, are asked for again too', () => {
  assert.equal(begun(gap(1, 3), sample(4)).sequence.begin().since, 0);
  assert.equal(begun(sample(1), gap(2, 8, 'slow'), sample(9)).sequence.begin().since, 1);
});

test('a hole that lies before the window is asked for no more, and very many holes are bounded', () => {
  const { sequence } = begun(sample(1), gap(2, 3), sample(4), sample(300));
  assert.equal(sequence.begin().since, 300);
  const torn = new Sequence(['speed'], 1000);
  for (let n = 0; n < 400; n += 2) torn.take(gap(n, n), NOW);
  torn.take(sample(400), NOW);
  assert.equal(torn.begin().since, 400 - 2 * 64 - 1);
});

test('samples without seq are asked for by time alone and told apart by time', () => {
  const { sequence } = begun(foreign(0), foreign(9000));
  assert.deepEqual(sequence.begin(), { history: HISTORY_S, last: true });
  sequence.take(foreign(9000), NOW);
  sequence.take(foreign(12_000), NOW);
  assert.deepEqual(sequence.table.ts, [T0, T0 + 9000, T0 + 12_000]);
});

test('up to the last known sample it is the past, and after it what comes is live', () => {
  const { sequence, outcomes } = begun(known(3, 700), sample(2), sample(3), sample(4));
  assert.deepEqual(outcomes.map((outcome) => outcome.heardAt), [null, null, NOW - 700, NOW]);
  assert.deepEqual(outcomes.map((outcome) => outcome.isLive), [false, false, false, true]);
  assert.deepEqual(outcomes.map((outcome) => outcome.isCaughtUp), [false, false, true, false]);
  assert.equal(sequence.hasHistory, true);
});

test('the history is known only when all of it is there', () => {
  const { sequence } = begun(known(3), sample(1), sample(2));
  assert.equal(sequence.hasHistory, false);
  sequence.take(gap(3, 3), NOW);
  assert.equal(sequence.hasHistory, true);
});

test('where nothing is known, nothing is new or it is older than the window, the first sample is live', () => {
  for (const first of [NOTHING_KNOWN, known(1, HISTORY_S * 1000)]) {
    const { outcomes } = begun(first, sample(9));
    assert.deepEqual([outcomes[0].isCaughtUp, outcomes[1].isLive], [true, true]);
  }
  const { sequence } = begun(sample(8));
  sequence.begin();
  assert.equal(sequence.take(known(8, 400), NOW).heardAt, NOW - 400);
  assert.equal(sequence.take(sample(9), NOW).isLive, true);
});

test('a fill is put at its place and says nothing about now', () => {
  const { sequence, outcomes } = begun(sample(1), gap(2, 2), sample(3), { ...sample(2), type: 'FILL' });
  assert.deepEqual(sequence.table.seq, [1, 2, 3]);
  assert.deepEqual(outcomes.at(-1), { isNew: true, isLive: false, isCaughtUp: false, heardAt: null });
});

test('a machine that lost its memory begins anew, and a stray old sample does not', () => {
  const later = { ts: T0 + 103_000 };
  const { sequence } = begun(sample(101), sample(102), sample(7, later));
  assert.deepEqual(sequence.table.seq, [7]);
  assert.equal(sequence.begin().since, 7);
  assert.deepEqual(begun(sample(101), sample(103), sample(102)).sequence.table.seq, [101, 102, 103]);
});

test('a position that the server does not know is given up with the first sample before it', () => {
  const { sequence } = begun(sample(101));
  sequence.begin();
  sequence.take(gap(null, 50, 'unknown'), NOW);
  sequence.take(sample(50), NOW);
  assert.deepEqual(sequence.table.seq, [50]);
  sequence.begin();
  sequence.take(gap(null, 50, 'unknown'), NOW);
  sequence.take(sample(51), NOW);
  assert.deepEqual(sequence.table.seq, [50, 51]);
});

test('a machine that lost its memory and its clock is seen again', () => {
  const { sequence } = begun(sample(50_000), sample(3));
  assert.deepEqual(sequence.table.seq, [3]);
});

test('a fixed window holds its rows, up to a bound', () => {
  const { sequence } = begun(sample(1));
  const run = (from, to) => {
    for (let n = from; n <= to; n++) sequence.take(sample(n), NOW);
    return sequence.table.seq[0];
  };
  assert.ok(run(2, 400) > 80);
  const from = T0 + 350_000;
  sequence.holdFrom(from);
  assert.equal(run(401, 900) <= 350, true);
  const first = run(901, 1500);
  assert.ok(first > 350 && first >= 1500 - (1.1 * HELD_MS) / 1000);
  sequence.holdFrom(null);
  assert.ok(run(1501, 1530) > 1180);
});

/** Numbers 0 … n-1 that are the same in every run. */
function seeded(seed) {
  let state = seed;
  return (n) => (state = (state * 48_271) % 2_147_483_647) % n;
}

/**
 * The server's side as docs/live.md has it, for one machine: a short ring, a store that has each sample some seconds
 * later, holes named on the connection and filled there once.
 */
class Server {
  /** @param {(n: number) => number} next @param {number} lagS @param {number} ringS */
  constructor(next, lagS, ringS) {
    Object.assign(this, { next, lagS, ringS, newest: 0, lacked: new Map() });
  }

  has(seq) {
    return seq <= this.newest && (seq > this.newest - this.ringS || seq <= this.newest - this.lagS);
  }

  *open({ since = -Infinity, history }) {
    this.lacked = new Map();
    if (this.newest === 0) {
      yield NOTHING_KNOWN;
      return;
    }
    yield known(this.newest);
    const first = Math.max(since + 1, this.newest - history, 1);
    for (let seq = first; seq <= this.newest; seq++) yield* this.give(seq);
  }

  *give(seq) {
    if (this.has(seq)) yield sample(seq);
    else {
      this.lacked.set(seq, this.newest + 20);
      yield gap(seq, seq);
    }
  }

  /** A second passes: one sample, sometimes lost on its way, and what the store has by now. */
  *second() {
    this.newest++;
    if (this.next(10) === 0) {
      this.lacked.set(this.newest, this.newest + 20);
      yield gap(this.newest, this.newest);
    } else yield sample(this.newest);
    for (const seq of this.lacked.keys()) {
      if (seq > this.newest - this.lagS) continue;
      this.lacked.delete(seq);
      yield { ...sample(seq), type: 'FILL' };
    }
  }
}

test('any run of cuts in any message, late store and lost samples ends with every sample, each once', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = seeded(seed);
    const server = new Server(next, 2 + next(5), 1 + next(8));
    const sequence = new Sequence(['speed'], HISTORY_S);
    let isUp = false;
    const take = (messages) => {
      for (const message of messages) {
        if (!isUp) continue; // the server goes on; nobody gets it
        isUp = next(12) !== 0 || server.newest > 90;
        if (!isUp) return;
        sequence.take(message, NOW);
        const { seq } = sequence.table;
        assert.ok(seq.every((value, i) => i === 0 || value > seq[i - 1]), `seed ${seed}: ${seq}`);
      }
    };
    for (let second = 0; second < 110; second++) {
      if (!isUp && next(3) === 0) {
        isUp = true;
        take(server.open(sequence.begin()));
      }
      take(server.second());
    }
    isUp = true;
    take(server.open(sequence.begin()));
    for (let second = 0; second < 10; second++) take(server.second());
    const held = sequence.table.seq.filter((seq) => seq <= 110);
    assert.deepEqual(held, Array.from({ length: 110 }, (_, i) => i + 1), `seed ${seed}`);
    assert.deepEqual(sequence.table.fields.get('speed'), sequence.table.seq, `seed ${seed}`);
  }
});
