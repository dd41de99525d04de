/** The strip "Real-time": the machine's answer, start and stop, and what is known of the stream. */
import { byId, setText } from '../base/dom.js';
import { localMs, serverClock } from '../data/clock.js';
import { newestTs } from '../data/columns.js';
import { commands, control, formatAge, texts } from '../texts.js';
import { Delay } from './delay.js';

/** A delay outside of these says more of the machine's clock than of the way. */
const DELAY_MIN_MS = -2000;
const DELAY_MAX_MS = 60_000;
/** STATUS comes every 2 s; what is older than this says nothing of now. */
const STATUS_MS = 15_000;
const UNKNOWN = '–';

/** @param {number|null} ms @param {(ms: number) => string} write */
const orUnknown = (ms, write) => (ms === null ? UNKNOWN : write(ms));

/** @param {number} s @returns {string} "2:48" */
function clockText(s) {
  const whole = Math.max(0, Math.ceil(s));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** @param {number|null} ms */
function delayText(ms) {
  if (ms === null) return control.delay(UNKNOWN);
  if (ms < DELAY_MIN_MS) return control.clock(formatAge(-ms), false);
  if (ms > DELAY_MAX_MS) return control.clock(formatAge(ms), true);
  return control.delay(`${Math.max(0, ms / 1000).toFixed(1)} s`);
}

export class Control {
  #board;
  #realTime;
  #status = null;
  #statusAt = -Infinity;
  #delay = new Delay((at) => serverClock.now(at));

  /** @param {import('./board.js').Board} board @param {import('./command.js').RealTime} realTime */
  constructor(board, realTime) {
    this.#board = board;
    this.#realTime = realTime;
    byId('control').hidden = false;
    byId('history').onclick = showHistory;
    byId('realtime').onclick = () => {
      realTime.toggle();
      this.tick();
    };
    this.tick();
  }

  close() {
    byId('control').hidden = true;
  }

  /** Ages and countdowns; called twice a second while the page is seen. */
  tick() {
    const local = localMs();
    for (const { feed } of this.#board.sources.values()) {
      const ts = newestTs(feed.table);
      if (ts !== null) this.#delay.shown(ts, local);
    }
    const { lastBeatAt, isStopped } = this.#realTime;
    const status = local - this.#statusAt < STATUS_MS ? this.#status : null;
    const said = {
      beat: control.beat(orUnknown(lastBeatAt, (at) => control.ago(formatAge(local - at)))),
      watch: control.watch(status?.watching ?? null),
      lasts: control.lasts(orUnknown(status?.watchdog_s ?? null, (s) => clockText(s - (local - this.#statusAt) / 1000))),
      delay: delayText(status?.stream === 'live' ? this.#delay.ms : null),
    };
    for (const [id, text] of Object.entries(said)) setText(byId(id), text);
    const [name, title] = isStopped ? control.start : control.stop;
    setText(byId('realtime'), name);
    byId('realtime').title = title;
  }

  /** STATUS came. @param {object} payload as docs/live.md has it @param {number} atLocal localMs then */
  status(payload, atLocal) {
    this.#status = payload;
    this.#statusAt = atLocal;
    this.#delay.status(payload);
  }

  /** The machine is being asked. */
  asking() {
    say('asking', this.#realTime.isStopped ? control.stopping : texts.asking);
  }

  /** What the list of machines says, to who cannot ask the machine. @param {import('../data/api.js').Device} device */
  told({ online, realtime }) {
    const [kind, text] = !online ? ['bad', texts.offline] : realtime ? ['good', control.on] : ['stopped', control.off];
    say(kind, text);
  }

  /** @param {import('./command.js').Answer} answer */
  answer(answer) {
    const { isStopped } = this.#realTime;
    const said = commands.answer(answer);
    if (!isStopped) say(answer.status === 200 && answer.realtime ? 'good' : 'bad', said);
    else say('stopped', `${control.byYou}. ${answer.realtime ? `${control.others}. ` : ''}${said}`);
    this.tick();
  }

  /** @param {import('../data/api.js').ApiError} error */
  error(error) {
    say('bad', commands.error(error));
  }
}

function say(kind, text) {
  byId('answer').dataset.kind = kind;
  setText(byId('answer'), text);
}

function showHistory() {
  byId('commands').open = true;
  byId('commands').scrollIntoView();
  byId('commands-summary').focus({ preventScroll: true });
}
