/**
 * What lies before a feed's table, or a fixed window, from the history endpoint: asked for when it is needed, at the
 * resolution that can be seen; what there was stays until the new is there.
 */
import { ApiError, getHistory } from './api.js';
import { newestTs, wholeFrom } from './columns.js';
import { WINDOW_MS } from './feed.js';
import { view } from '../texts.js';
import { backoff } from './live.js';
import { toRange } from './ranges.js';

const POINTS_MIN = 400;
const POINTS_MAX = 2000;
const SECOND_MS = 1000;
const DAY_MS = 86_400_000;
/** A fixed window of this length has every frame without being asked for it. */
const FULL_AT_ONCE_MS = 120_000;
const FULL_MAX_MS = 6 * 3_600_000;
/** Of each field; of more frames the lowest and highest of each bucket. */
const FULL_POINTS = 4000;
/** Wheel and drag give many windows in a row. */
const DEBOUNCE_MS = 150;
/** A bit more than the window, so that lines enter and leave at its edges. */
const MARGIN_MS = 2000;
/** The table's oldest row comes so near to the end of the range before a new one is asked for. */
const SPARE_MS = 60_000;
/** Of a machine that is silent the live window is asked for again so rarely. */
const SILENT_MS = 300_000;
/** The store has a frame that late. */
const SETTLE_MS = 4000;
/** It has one sample a second, texts among them, which frames would lack. */
const NO_FRAMES = 'client_raw_data';
const LIVE_FULL_MS = 10_000;

/**
 * @typedef {{from: number, to: number, isLive: boolean, widthPx: number, isFull: boolean}} Wish times are device ms
 * @typedef {{key: string, from: number, to: number, isLive: boolean, isFull: boolean, points: number, stepMs: number}} Plan
 */

/** Buckets of whole seconds, about as many as were asked for: each has as many samples, and the next answer the same ones. */
function inBuckets(from, to, about) {
  const stepMs = SECOND_MS * Math.max(1, Math.round((to - from) / about / SECOND_MS));
  const points = Math.min(Math.ceil((to - from + 1) / stepMs), Math.floor(DAY_MS / stepMs));
  return { from: to + 1 - points * stepMs, to, points, stats: 'min,max,mean,seconds' };
}

export class Past {
  /** @type {import('./ranges.js').Range|null} */
  range = null;
  /** @type {'idle'|'loading'|'failed'} */
  state = 'idle';
  /** Why it failed, or why there is less than what was wanted. */
  message = '';
  /** Grows with each change of the range. */
  revision = 0;
  #stream;
  #fields;
  #table;
  #onChange;
  #ask;
  /** @type {Plan & {isEarly: boolean}|null} what the range was asked for */
  #done = null;
  /** @type {Plan|null} */
  #asked = null;
  #abort = new AbortController();
  #timer = 0;
  #failures = 0;

  /**
   * @param {import('./feed.js').Stream} stream @param {string[]} fields
   * @param {{table: () => import('./columns.js').Table, onChange: () => void, ask?: typeof getHistory}} options
   */
  constructor(stream, fields, { table, onChange, ask = getHistory }) {
    this.#stream = stream;
    this.#fields = fields;
    this.#table = table;
    this.#onChange = onChange;
    this.#ask = ask;
  }

  /** @returns {'second'|'bucket'|'full'|''} what the range has; '' where there is none */
  get resolution() {
    if (!this.range) return '';
    if (this.range.isFull) return 'full';
    return this.range.stepMs > SECOND_MS ? 'bucket' : 'second';
  }

  /** The window that is shown; to be called again and again, as time passes. @param {Wish} wish */
  want(wish) {
    const plan = this.#plan(wish);
    if (!plan) {
      if (!this.range && !this.#asked) return;
      this.stop();
      this.revision++;
      this.#say('idle', '');
    } else if (this.#isCovered(plan)) {
      if (!this.#asked) return;
      this.#cancel();
      this.#say('idle');
    } else if (this.#asked?.key !== plan.key) {
      this.#cancel();
      this.#asked = plan;
      this.#failures = 0;
      this.#timer = setTimeout(() => this.#load(plan), DEBOUNCE_MS);
      this.#say('loading');
    }
  }

  stop() {
    this.#cancel();
    this.range = this.#done = null;
  }

  /** @returns {Plan|null} null where the table has all of it */
  #plan({ from, to, isLive, widthPx, isFull: isAsked }) {
    const spanMs = to - from;
    const oldest = wholeFrom(this.#table());
    const isFull = this.#stream.msgType !== NO_FRAMES && (isAsked ? spanMs <= FULL_MAX_MS : !isLive && spanMs <= FULL_AT_ONCE_MS);
    // The feed itself asks for what a short live window lacks.
    const isNeeded = isFull || (from < oldest && (!isLive || spanMs > WINDOW_MS));
    if (!isNeeded || !this.#fields.length) return null;
    const points = Math.min(POINTS_MAX, Math.max(POINTS_MIN, Math.ceil(widthPx / 100) * 100));
    const stepMs = isFull ? (2 * spanMs) / FULL_POINTS : Math.max(SECOND_MS, spanMs / points);
    const key = String([isLive ? Math.round(spanMs) : [from, to], isFull, points]);
    return { key, from, to, isLive, isFull, points, stepMs };
  }

  #isCovered(plan) {
    const { range } = this;
    const done = this.#done;
    const { from, to, isLive, isFull } = plan;
    if (!range || done.isFull !== isFull || done.stepMs > 1.5 * plan.stepMs) return false;
    const slackMs = Math.max(2, done.stepMs);
    if (range.from > from + slackMs) return false;
    const oldest = wholeFrom(this.#table());
    const aheadMs = oldest === Infinity ? SILENT_MS : SPARE_MS;
    const mostMs = !isLive ? slackMs : isFull ? Math.max(LIVE_FULL_MS, (to - from) / 20) : aheadMs;
    const isReached = to - range.to <= mostMs;
    if (isFull) return isReached && !(done.isEarly && this.#isSettled(plan));
    return isReached || oldest <= range.to - (isLive ? SPARE_MS : 0);
  }

  /** Whether the store has all frames of a window by now, as far as the table tells. */
  #isSettled({ to }) {
    return newestTs(this.#table()) >= to + SETTLE_MS;
  }

  async #load(plan) {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const isEarly = !this.#isSettled(plan);
    try {
      const [range, message] = await this.#best(plan, signal);
      if (signal.aborted) return;
      this.range = range;
      this.#done = { ...plan, isEarly };
      this.revision++;
      this.#cancel();
      this.#say('idle', message);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (signal.aborted) return;
      this.#timer = setTimeout(() => this.#load(plan), backoff(this.#failures++, Math.random()));
      this.#say('failed', error.message);
    }
  }

  /** Where the server refuses every frame, or has none any more, buckets and why. @returns {Promise<[import('./ranges.js').Range, string]>} */
  async #best(plan, signal) {
    const { isFull, stepMs } = plan;
    try {
      const range = await this.#get(plan, isFull, stepMs > SECOND_MS, signal);
      if (!isFull || range.newest > -Infinity) return [range, ''];
      const less = await this.#get(plan, false, true, signal);
      return less.newest > -Infinity ? [less, view.noFrames] : [range, ''];
    } catch (error) {
      if (!isFull || error.status !== 400) throw error;
      return [await this.#get(plan, false, true, signal), error.message];
    }
  }

  async #get({ stepMs, points, isLive, ...plan }, isFull, isInBuckets, signal) {
    const margin = Math.max(MARGIN_MS, 2 * stepMs);
    const longest = isFull ? FULL_MAX_MS : DAY_MS;
    const from = Math.floor(Math.max(plan.from - margin, plan.to - longest));
    const to = Math.ceil(Math.min(plan.to + (isLive ? 0 : margin), from + longest));
    let query = { from, to, stats: 'min,max' };
    if (isFull) query = { from, to, resolution: 'full', points: FULL_POINTS };
    else if (isInBuckets) query = inBuckets(from, to, points);
    const answers = await this.#ask(this.#stream, this.#fields, query, signal);
    // Frames say nothing of seconds that are missing, nor of how many there were.
    if (isFull) answers.push(...await this.#ask(this.#stream, this.#fields, { from, to, points: 2, stats: 'count' }, signal));
    return toRange(answers, query.points);
  }

  #cancel() {
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#asked = null;
  }

  #say(state, message = this.message) {
    this.state = state;
    this.message = message;
    this.#onChange();
  }
}
