/** The strip "Real-time": the machine's answer, start and stop, and what is known of the stream. */
import { byId, element, setText } from '../base/dom.js';
import { formatAge } from '../base/format.js';
import { localMs, serverClock } from '../data/clock.js';
import { newestTs } from '../data/columns.js';
import { answerText, commandErrorText, control, texts } from '../texts.js';
import { button } from '../view/menu.js';
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
  #answer = element('p', { id: 'answer', role: 'status' });
  #switch = button('', '', () => this.#toggle());
  #facts = ['beat', 'watch', 'lasts', 'delay'].map((name) => {
    const title = control[`${name}Title`];
    return [name, element('li', { class: name, ...(title && { title }) })];
  });

  /** @param {object} board as docs/page.md has it @param {import('./command.js').RealTime} realTime */
  constructor(board, realTime) {
    this.#board = board;
    this.#realTime = realTime;
    const history = button(control.history, control.historyTitle, () => this.#showHistory());
    this.element = element('section', { class: 'control', 'aria-label': control.label }, [
      this.#answer, this.#switch, history, element('ul', {}, this.#facts.map(([, item]) => item)),
    ]);
    this.tick();
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
    const lasts = status?.watchdog_s ?? null;
    const said = {
      beat: control.beat(orUnknown(lastBeatAt, (at) => control.ago(formatAge(local - at)))),
      watch: control.watch(status?.watching ?? null),
      lasts: control.lasts(orUnknown(lasts, (s) => clockText(s - (local - this.#statusAt) / 1000))),
      delay: delayText(status?.stream === 'live' ? this.#delay.ms : null),
    };
    for (const [name, item] of this.#facts) setText(item, said[name]);
    setText(this.#switch, isStopped ? control.start : control.stop);
    this.#switch.title = isStopped ? control.startTitle : control.stopTitle;
  }

  /** STATUS came. @param {object} payload as docs/live.md has it @param {number} atLocal localMs then */
  status(payload, atLocal) {
    this.#status = payload;
    this.#statusAt = atLocal;
    this.#delay.status(payload);
  }

  /** The machine is being asked. */
  asking() {
    this.#say('asking', this.#realTime.isStopped ? control.stopping : texts.asking);
  }

  /** @param {import('./command.js').Answer} answer */
  answer(answer) {
    const { isStopped } = this.#realTime;
    const isGood = answer.status === 200 && answer.realtime !== isStopped;
    const said = answerText(answer);
    if (!isStopped) this.#say(isGood ? 'good' : 'bad', said);
    else this.#say('stopped', `${control.byYou}. ${answer.realtime ? `${control.others}. ` : ''}${said}`);
    this.tick();
  }

  /** @param {import('../data/api.js').ApiError} error */
  error(error) {
    this.#say('bad', commandErrorText(error));
  }

  #toggle() {
    if (this.#realTime.isStopped) this.#realTime.startByUser();
    else this.#realTime.stopByUser();
    this.tick();
  }

  #showHistory() {
    byId('commands').open = true;
    byId('commands').scrollIntoView();
    byId('commands-summary').focus({ preventScroll: true });
  }

  #say(kind, text) {
    this.#answer.dataset.kind = kind;
    setText(this.#answer, text);
  }
}
