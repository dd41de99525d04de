/**
 * The latest values of very many fields: no table of samples, only what a list of readings needs.
 *
 * Pure: no DOM, no clock, no network. Times are Unix ms of the device's clock.
 */
import { JOIN_PERIODS, UNKNOWN_PERIOD_MS, median } from './columns.js';
import { clean, cleanSeq } from './values.js';

/** A field that the machine has not sent for so long, while it sent others, is no longer listed. */
export const LISTED_MS = 60_000;
/** Values kept of each field: enough for its usual period and its decimals. */
const KEEP = 40;

/**
 * @typedef {import('./columns.js').Value} Value
 * @typedef {import('./columns.js').Sample} Sample
 * @typedef {{ts: number, value: Value}} Seen
 * @typedef {{seen: Seen[], period: number|null, revision: number}} Track oldest value first
 * @typedef {{tracks: Map<string, Track>, newest: number|null, seq: number|null}} Tracker
 */

/** @returns {Tracker} */
export function createTracker() {
  return { tracks: new Map(), newest: null, seq: null };
}

function put(tracker, name, ts, value) {
  const track = tracker.tracks.get(name) ?? { seen: [], period: null, revision: 0 };
  let i = track.seen.length;
  while (i > 0 && track.seen[i - 1].ts > ts) i--;
  if (track.seen[i - 1]?.ts === ts) return;
  track.seen.splice(i, 0, { ts, value });
  if (track.seen.length > KEEP) track.seen.shift();
  track.period = null;
  track.revision++;
  tracker.tracks.set(name, track);
}

/**
 * Take what a sample has. Any order and copies are fine. Where the device's clock was set back, as a later seq with
 * an earlier time shows, everything from before counts no more.
 * @param {Tracker} tracker @param {Sample} sample
 */
export function trackSample(tracker, { seq: given, ts, payload }) {
  const seq = cleanSeq(given);
  const isOrdered = seq !== null && tracker.seq !== null;
  if (isOrdered && seq < tracker.seq && ts > tracker.newest) return;
  if (isOrdered && seq > tracker.seq && ts < tracker.newest) {
    tracker.tracks.clear();
    tracker.newest = null;
  }
  for (const [name, raw] of Object.entries(payload)) {
    const value = clean(raw);
    if (value !== null) put(tracker, name, ts, value);
  }
  tracker.newest = Math.max(tracker.newest ?? ts, ts);
  if (seq !== null) tracker.seq = Math.max(tracker.seq ?? seq, seq);
}

/**
 * Take an answer of the history endpoint.
 * @param {Tracker} tracker
 * @param {{seq: (number|null)[], ts: number[], fields: Object<string, Value[]>}} answer
 */
export function trackHistory(tracker, answer) {
  const columns = Object.entries(answer.fields);
  answer.ts.forEach((ts, i) => {
    const payload = Object.fromEntries(columns.map(([name, column]) => [name, column[i]]));
    trackSample(tracker, { seq: answer.seq[i], ts, payload });
  });
}

/** @param {Track} track @returns {number} ms, the median spacing of its values */
function periodOf(track) {
  if (track.period === null) {
    const spacings = track.seen.slice(1).map(({ ts }, i) => ts - track.seen[i].ts);
    track.period = spacings.length ? median(spacings) : UNKNOWN_PERIOD_MS;
  }
  return track.period;
}

/**
 * The newest value of a field at device time `now`. A silent machine keeps its readings, and they grow old; a field
 * that is missing while the machine sends others is listed for a minute, a slow one for three of its periods.
 * @param {Tracker} tracker @param {string} name @param {number} now
 * @returns {{value: Value, ageMs: number, stale: boolean, track: Track}|null} null where it is not listed
 */
export function readTrack(tracker, name, now) {
  const track = tracker.tracks.get(name);
  if (!track) return null;
  const { ts, value } = track.seen[track.seen.length - 1];
  const limit = JOIN_PERIODS * periodOf(track);
  if (tracker.newest - ts > Math.max(LISTED_MS, limit)) return null;
  const ageMs = Math.max(0, now - ts);
  return { value, ageMs, stale: ageMs > limit, track };
}

/**
 * Lists that the live service takes: so many names each, in a message of so many bytes.
 * @param {string[]} names @param {number} fieldsMax @param {number} bytesMax
 * @returns {string[][]}
 */
export function splitNames(names, fieldsMax, bytesMax) {
  const lists = [];
  let room = 0;
  for (const name of names) {
    const bytes = new TextEncoder().encode(JSON.stringify(name)).length + 1;
    const last = lists.at(-1);
    if (last && last.length < fieldsMax && bytes <= room) last.push(name);
    else lists.push([name]);
    room = lists.at(-1).length === 1 ? bytesMax - bytes : room - bytes;
  }
  return lists;
}
