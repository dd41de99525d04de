/** What lies before the table: asked for when it is needed, at the right resolution, kept until the new is there. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { ApiError } from '../../static/data/api.js';
import { createTable, insertSample, trim } from '../../static/data/columns.js';
import { Past } from '../../static/data/past.js';
import { view } from '../../static/texts.js';

const T0 = 1_700_000_000_000;
const at = (n) => T0 + n * 1000;
const HOUR = 3600;

/** Lets the answers of a fake server come. */
const settled = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

async function pass(ms) {
  for (let left = ms; left > 0; left -= 50) {
    mock.timers.tick(Math.min(50, left));
    await settled();
  }
}

/** A past with a table that holds these seconds, and a server that answers at once unless told otherwise. */
function setup(from, to, fields = ['a'], msgType = 'm') {
  const table = createTable(fields);
  const one = { table, asked: [], states: [], refuse: () => null, frames: ({ from }) => [from], answers: () => Promise.resolve() };
  one.put = (first, last) => {
    for (let n = first; n <= last; n++) insertSample(table, { seq: n, ts: at(n), payload: { a: n } });
    trim(table);
  };
  one.put(from, to);
  one.past = new Past({ tenant: 't', chassisId: 'c', msgType }, fields, {
    table: () => table,
    onChange: () => one.states.push(one.past.state),
    ask: async (stream, names, query, signal) => {
      one.asked.push({ ...query, names, signal });
      await one.answers();
      const error = one.refuse(query);
      if (error) throw error;
      if (query.resolution === 'full') return [{ from: query.from, to: query.to, fields: { a: { ts: one.frames(query), v: one.frames(query) } } }];
      return [{ from: query.from, to: query.to, seq: [1], ts: [query.from], fields: { a: [1] }, gaps: [] }];
    },
  });
  one.want = (first, last, more = {}) => {
    one.past.want({ from: at(first), to: at(last), isLive: false, widthPx: 800, isFull: false, ...more });
  };
  one.live = (spanS, now, more = {}) => one.want(now - spanS, now, { isLive: true, ...more });
  return one;
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

test('a live window that the table holds, or that the feed fills itself, asks for nothing', async () => {
  const one = setup(0, 280);
  for (const spanS of [30, 120, 280]) one.live(spanS, 280);
  const young = setup(0, 20);
  young.live(120, 20);
  const none = setup(0, -1);
  none.live(120, 20);
  await pass(1000);
  for (const { asked, states, past } of [one, young, none]) {
    assert.deepEqual([asked, states, past.range, past.resolution], [[], [], null, '']);
  }
});

test('a longer live window is fetched once, and again before the table leaves its end', async () => {
  const one = setup(0, 200);
  let askedAt = [];
  for (let now = 200; now < 1400; now++) {
    one.put(now, now);
    one.live(HOUR, now);
    const { length } = one.asked;
    await pass(200);
    if (one.asked.length > length) askedAt.push(now);
    if (now > 210) assert.ok(one.past.range.to - one.table.ts[0] > 40_000, `hole at ${now}`);
  }
  assert.equal(askedAt[0], 200);
  const steps = askedAt.slice(1).map((n, i) => n - askedAt[i]);
  assert.ok(steps.length >= 3 && steps.every((step) => step >= 200 && step <= 320), String(steps));
});

test('resolution: seconds, buckets by the width of a chart, every frame of a short fixed window or where it is asked for', async () => {
  const one = setup(100_000, 100_100);
  const askedFor = async (...wish) => {
    const { length } = one.asked;
    one.want(...wish);
    await pass(200);
    const { from, to, names, signal, ...query } = one.asked[length];
    one.past.want({ from: at(100_050), to: at(100_100), isLive: true, widthPx: 800, isFull: false });
    assert.ok(from <= at(wish[0]) + 43_000 && to >= at(wish[1]) && to - from <= 86_400_000);
    return query;
  };
  const stats = 'min,max,mean,seconds';
  assert.deepEqual(await askedFor(0, 700), { stats: 'min,max' });
  const buckets = async (...wish) => {
    const { points, stats: asked, ...more } = await askedFor(...wish);
    assert.deepEqual([asked, more], [stats, {}]);
    return [Math.round(points / 10) * 10, (one.asked.at(-1).to + 1 - one.asked.at(-1).from) / points];
  };
  assert.deepEqual(await buckets(0, 1900), [960, 2000]);
  assert.deepEqual(await buckets(0, 3600, { widthPx: 90 }), [410, 9000]);
  assert.deepEqual(await buckets(0, 86_400, { widthPx: 5000 }), [2010, 43_000]);
  assert.deepEqual(await askedFor(0, 120), { resolution: 'full', points: 4000 });
  assert.deepEqual(await askedFor(0, 6 * HOUR, { isFull: true }), { resolution: 'full', points: 4000 });
  assert.deepEqual(await buckets(0, 7 * HOUR, { isFull: true }), [790, 32_000]);
  assert.equal(one.past.range, null);
});

test('every frame comes with the gaps of its seconds, and frames that were too new are asked for again', async () => {
  const one = setup(0, 100);
  one.want(80, 100);
  await pass(200);
  assert.deepEqual(one.asked.map(({ resolution, points, names }) => [resolution, points, names]), [['full', 4000, ['a']], [undefined, 2, ['a']]]);
  assert.equal(one.past.resolution, 'full');
  one.put(101, 103);
  one.want(80, 100);
  await pass(200);
  assert.equal(one.asked.length, 2);
  one.put(104, 104);
  for (let i = 0; i < 5; i++) {
    one.want(80, 100);
    await pass(200);
  }
  assert.equal(one.asked.length, 4);
});

test('of many windows in a row the last one is fetched, what is under way is given up, and the old one stays', async () => {
  const one = setup(100_000, 100_100);
  one.want(0, 500);
  await pass(200);
  const { range } = one.past;
  let go;
  one.answers = () => new Promise((resolve) => (go = resolve));
  one.want(600, 1000);
  await pass(200);
  const slow = go;
  assert.deepEqual([one.asked.length, one.past.range, one.past.state], [2, range, 'loading']);
  for (let k = 0; k < 20; k++) {
    one.want(2000 + k, 2400 + k);
    await pass(100);
  }
  assert.equal(one.asked[1].signal.aborted, true);
  assert.equal(one.asked.length, 2);
  await pass(200);
  assert.equal(one.asked.length, 3);
  go();
  await settled();
  assert.equal(one.past.range.from <= at(2019), true);
  const found = one.past.range;
  slow();
  await settled();
  assert.equal(one.past.range, found);
  assert.deepEqual([one.past.state, one.past.revision], ['idle', 2]);
});

test('a smaller window inside is not asked for again unless it can be seen better', async () => {
  const one = setup(100_000, 100_100);
  one.want(0, 10 * HOUR);
  await pass(200);
  one.want(10, 10 * HOUR - 10);
  await pass(200);
  assert.equal(one.asked.length, 1);
  one.want(0, 4 * HOUR);
  await pass(200);
  assert.equal(one.asked.length, 2);
  one.want(0, 500);
  await pass(200);
  one.want(100, 400);
  await pass(200);
  assert.equal(one.asked.length, 3);
});

test('a whole day at any fraction of a millisecond is fetched once', async () => {
  for (const fraction of [0, 0.25, 0.9]) {
    const one = setup(200_000, 200_100);
    for (const seconds of [86_400, 6 * HOUR]) {
      const { length } = one.asked;
      for (let i = 0; i < 5; i++) {
        one.want(fraction / 1000, seconds + fraction / 1000, { isFull: true });
        await pass(200);
      }
      assert.equal(one.asked.length - length, seconds === 86_400 ? 1 : 2);
      for (const { from, to, resolution } of one.asked) assert.ok(to - from <= (resolution ? 6 * HOUR : 86_400) * 1000);
    }
  }
});

test('a failure is told, and tried again later and later, with the same window', async () => {
  const one = setup(100_000, 100_100);
  one.refuse = () => new ApiError(503, 'too much at once');
  for (let i = 0; i < 200; i++) {
    one.want(0, 500);
    await pass(100);
  }
  assert.deepEqual([one.past.state, one.past.message], ['failed', 'too much at once']);
  assert.ok(one.asked.length >= 3 && one.asked.length <= 8, String(one.asked.length));
  one.refuse = () => null;
  await pass(15_100);
  assert.deepEqual([one.past.state, one.past.message, one.past.resolution], ['idle', '', 'second']);
});

test('what the server refuses is asked for with less, and the page can say why', async () => {
  const one = setup(100_000, 100_100);
  one.refuse = ({ resolution }) => resolution && new ApiError(400, 'too many frames');
  one.want(0, HOUR, { isFull: true });
  await pass(200);
  assert.deepEqual([one.past.state, one.past.message, one.past.resolution], ['idle', 'too many frames', 'bucket']);
  const { length } = one.asked;
  for (let i = 0; i < 10; i++) {
    one.want(0, HOUR, { isFull: true });
    await pass(100);
  }
  assert.equal(one.asked.length, length);
  one.refuse = () => new ApiError(400, 'nothing at all');
  one.want(0, 2 * HOUR);
  await pass(200);
  assert.deepEqual([one.past.state, one.past.message], ['failed', 'nothing at all']);
});

test('a silent machine is not asked for again and again', async () => {
  const one = setup(0, -1);
  for (let now = 0; now < 600; now++) {
    one.live(HOUR, now);
    await pass(200);
  }
  assert.ok(one.asked.length >= 2 && one.asked.length <= 3, String(one.asked.length));
});

test('every frame of a live window follows it, not too often', async () => {
  const one = setup(0, 100);
  for (let now = 100; now < 200; now++) {
    one.put(now, now);
    one.live(60, now, { isFull: true });
    await pass(200);
  }
  const times = one.asked.filter(({ resolution }) => resolution).length;
  assert.ok(times >= 8 && times <= 11, String(times));
});

test('back to what the table holds nothing of it is left; stopped, nothing comes', async () => {
  const one = setup(0, 280);
  one.live(HOUR, 280);
  await pass(200);
  assert.equal(one.past.resolution, 'bucket');
  const { revision } = one.past;
  one.live(120, 280);
  assert.deepEqual([one.past.range, one.past.state, one.past.revision > revision], [null, 'idle', true]);
  one.live(HOUR, 280);
  one.past.stop();
  await pass(1000);
  assert.equal(one.asked.length, 1);
  const bare = setup(0, 280, []);
  bare.live(HOUR, 280);
  await pass(200);
  assert.deepEqual([bare.asked, bare.past.state], [[], 'idle']);
});

test('a hole of the table is fetched where nothing has filled it for some seconds', async () => {
  const one = setup(0, 100);
  one.put(230, 234);
  one.live(220, 234);
  await pass(200);
  assert.equal(one.asked.length, 0);
  one.put(235, 240);
  one.live(220, 240);
  await pass(200);
  assert.equal(one.asked.length, 1);
});

test('where no frame is stored any more, seconds and why; a machine that sent nothing has nothing', async () => {
  const one = setup(100_000, 100_100);
  one.frames = () => [];
  one.want(0, 100);
  await pass(200);
  assert.deepEqual([one.past.resolution, one.past.message], ['second', view.noFrames]);
});

test('what has no frames is asked for in seconds, with its texts', async () => {
  const one = setup(100_000, 100_100, ['a'], 'client_raw_data');
  one.want(0, 100, { isFull: true });
  await pass(200);
  assert.deepEqual([one.past.resolution, one.asked.length, one.asked[0].resolution], ['second', 1, undefined]);
});
