/**
 * One machine's samples as the live service gives them: over any number of connections one table, each sample once,
 * and what to ask for next. Pure: local time is an argument; times of samples are Unix ms of the device's clock.
 */
import { KEEP_MS, clear, createTable, insertSample, newestSeq, newestTs, trim } from './columns.js';

/** Holes that are asked for again; more than these and the oldest are left as they are. */
const HOLES_MAX = 64;
/** A step back of so many seqs is no stray sample. */
const ANEW = 600;
/** What a fixed window holds of the table at most. */
export const HELD_MS = 900_000;

/**
 * @typedef {import('./columns.js').Table} Table
 * @typedef {import('./live.js').Message} Message
 * @typedef {object} Sequence
 * @property {Table} table
 * @property {number} historyS what is asked for, and what counts as lacking
 * @property {[number, number][]} holes seqs that the server named as left out, first and last
 * @property {number|null} passed on this connection: the seq that everything in order comes after
 * @property {{seq: number|null, ts: number|null, at: number}|null} end where what lies before now ends; null once past it
 * @property {boolean} hasHistory what the window held before this page came is known
 * @property {number|null} heldFrom device time from which on rows are held longer than usual
 * @property {number} dropped rows of those that were too many
 * @property {boolean} isDoubted the server does not know the position that was asked from
 */

/**
 * @typedef {object} Outcome
 * @property {boolean} isNew a sample that was not held
 * @property {boolean} isLive it came as it was sent, and stands last
 * @property {boolean} isCaughtUp with this message everything from before is there
 * @property {number|null} heardAt local ms: when the server had its newest sample, as far as this message tells
 */

/** @param {Iterable<string>} fields @param {number} historyS @returns {Sequence} */
export function createSequence(fields, historyS) {
  const table = createTable(fields);
  return {
    table, historyS, holes: [], passed: null, end: null, hasHistory: false, isDoubted: false, heldFrom: null, dropped: 0,
  };
}

/** Rows from there on stay, up to HELD_MS. @param {Sequence} sequence @param {number|null} ts device ms, null: no more */
export function holdFrom(sequence, ts) {
  if ((ts === null) !== (sequence.heldFrom === null)) sequence.dropped = 0;
  sequence.heldFrom = ts;
}

function forget(sequence) {
  const { table, heldFrom } = sequence;
  const held = heldFrom === null ? 0 : newestTs(table) - heldFrom;
  const gone = trim(table, Math.min(HELD_MS, Math.max(KEEP_MS, held)));
  if (heldFrom !== null) sequence.dropped += gone.filter((ts) => ts >= heldFrom).length;
}

/** The first seq of a hole that is not held and not too old to be asked for. A machine sends one a second at most. */
function firstLacking({ table, historyS }, [from, to], newest) {
  for (let seq = Math.max(from, newest - historyS); seq <= to; seq++) if (!table.known.has(seq)) return seq;
  return null;
}

/**
 * A connection is there: what to ask for. It goes on from the newest sample, or from before the first hole, as the
 * server fills holes on the connection only that it named them on.
 * @param {Sequence} sequence
 * @returns {{history: number, last: true, since?: number}} options of INIT_FIELD_LIST
 */
export function openSequence(sequence) {
  const newest = newestSeq(sequence.table);
  sequence.end = sequence.passed = null;
  sequence.isDoubted = false;
  const options = { history: sequence.historyS, last: true };
  if (newest === null) return options;
  const lacking = sequence.holes.map((hole) => firstLacking(sequence, hole, newest));
  sequence.holes = sequence.holes.filter((_, i) => lacking[i] !== null);
  const firsts = lacking.filter((seq) => seq !== null);
  sequence.passed = Math.min(newest, ...firsts.map((seq) => seq - 1));
  return { ...options, since: sequence.passed };
}

function addHole(sequence, { from, to }) {
  if (sequence.holes.some(([first, last]) => first <= from && to <= last)) return;
  sequence.holes.push([from, to]);
  if (sequence.holes.length > HOLES_MAX) sequence.holes.shift();
}

/**
 * Everything comes in order, so a seq that stands before those that have passed is one of a machine that lost its
 * memory. A single stray one is none.
 */
function isBegunAnew({ table, passed, isDoubted }, seq, ts) {
  const newest = newestTs(table);
  if (seq === null || passed === null || seq > passed || table.known.has(seq) || newest === null) return false;
  return isDoubted || ts > newest || passed - seq >= ANEW;
}

/** Whether a position is at the end of what lies before now, or past it. */
function isPast({ seq: endSeq, ts: endTs }, seq, ts) {
  return (seq !== null && endSeq !== null && seq >= endSeq) || (ts !== null && endTs !== null && ts >= endTs);
}

const NOTHING = { isNew: false, isLive: false, isCaughtUp: false, heardAt: null };

/** It comes before anything else: where the past ends, which is then sent as what is live is. */
function takeKnown(sequence, { seq, ts, ageMs }, localMs) {
  const { passed, historyS } = sequence;
  const at = localMs - ageMs;
  const isNothing = ts === null;
  const isHeld = seq !== null && passed !== null && passed >= seq;
  if (!isNothing && !isHeld && ageMs < historyS * 1000) {
    sequence.end = { seq, ts, at };
    return NOTHING;
  }
  sequence.hasHistory = true;
  return { ...NOTHING, isCaughtUp: true, heardAt: isNothing ? null : at };
}

/** Past the end: from here on what comes is live. */
function reach(sequence, seq, ts) {
  const { end } = sequence;
  if (end === null || !isPast(end, seq, ts)) return null;
  sequence.end = null;
  sequence.hasHistory = true;
  return end.at;
}

function takeGap(sequence, { from, to, reason }) {
  if (reason === 'unknown') sequence.isDoubted = true;
  if (from !== null) addHole(sequence, { from, to });
  const at = reach(sequence, to, null);
  return { ...NOTHING, isCaughtUp: at !== null, heardAt: at };
}

function takeSample(sequence, sample, localMs) {
  const { table } = sequence;
  const { seq, ts } = sample;
  if (isBegunAnew(sequence, seq, ts)) {
    clear(table);
    sequence.holes = [];
    sequence.passed = null;
  }
  const row = insertSample(table, sample);
  const isLast = row >= 0 && row === table.ts.length - 1;
  forget(sequence);
  sequence.isDoubted = false;
  if (seq !== null) sequence.passed = Math.max(sequence.passed ?? seq, seq);
  const isLive = sequence.end === null;
  const at = reach(sequence, seq, ts);
  if (isLive) sequence.hasHistory = true;
  return { isNew: row >= 0, isLive: isLive && isLast, isCaughtUp: at !== null, heardAt: isLive ? localMs : at };
}

/**
 * Take a message of the connection that `openSequence` began.
 * @param {Sequence} sequence @param {Message} message @param {number} localMs when it came
 * @returns {Outcome}
 */
export function takeMessage(sequence, message, localMs) {
  switch (message.kind) {
    case 'sample':
      return takeSample(sequence, message, localMs);
    case 'fill': {
      const isNew = insertSample(sequence.table, message) >= 0;
      forget(sequence);
      return { ...NOTHING, isNew };
    }
    case 'gap':
      return takeGap(sequence, message);
    case 'known':
      return takeKnown(sequence, message, localMs);
    default:
      return NOTHING;
  }
}
