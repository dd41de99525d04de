/** One machine on the screen: joins its groups, streams, cards and commands, and says whether data comes. */
import { localMs, serverClock } from '../data/clock.js';
import { Bar } from '../view/bar.js';
import { askAccount, mayOperate } from '../base/account.js';
import { byId } from '../base/dom.js';
import { page, texts } from '../texts.js';
import { Board } from './board.js';
import { Commands } from './commands.js';
import { Control } from './control.js';
import { Layout, painter } from './layout.js';
import { Poll } from './poll.js';
import { Presence } from './presence.js';
import { RealTime } from './command.js';
import { Signals } from '../signals/signals.js';

const TICK_MS = 500;
/** Ticks so far apart: this machine slept, or the tab was frozen. */
const ASLEEP_MS = 5000;
/** A colleague's change of the groups shows after so long. */
const GROUPS_MS = 30_000;
const HEARTBEAT_MS = 60_000;
const CHART_PX = 600;
/** Heard so lately, a machine is in real time: what it sends in batches is not. */
const RECENT_MS = 2000;

/**
 * @typedef {object} SessionHandlers
 * @property {(state: import('./presence.js').State, lastDataAt: number|null, isStopped: boolean, isOff: boolean) => void} onState
 *   called again and again; Unix ms by the server's clock
 * @property {(message: string) => void} onNotice '' takes it away
 * @property {(isEmpty: boolean) => void} onGroups
 * @property {() => void} onChange the URL has to follow `board.params`
 */

export class Session {
  #handlers;
  #view;
  #presence = new Presence(localMs());
  #signals;
  #commands;
  #realTime;
  #bar;
  #control;
  #layout;
  #timer = 0;
  #due = 0;
  #poll;
  #tickedAt = localMs();
  #steppedMs = serverClock.steppedMs;
  #wasDown = false;
  #wasOnline = true;
  /** Nothing comes, and this user cannot change that. */
  #isOff = false;
  #listening = new AbortController();
  #complain = (message) => this.#handlers.onNotice(page.serverSays(message));

  /** @param {import('../view/route.js').Route} route @param {SessionHandlers} handlers */
  constructor(route, handlers) {
    this.#view = route.view;
    this.#handlers = handlers;
    this.board = new Board(route, {
      onWindow: () => this.#windowChanged(),
      onChange: handlers.onChange,
      onGroups: () => this.#poll.run(),
      ofFeed: (msgType) => this.#feedHandlers(msgType),
    });
    this.#layout = new Layout(this.board);
    this.#poll = new Poll(() => this.#layout.ask(this.#view === 'metrics'), {
      onAnswer: (answer) => this.#show(answer),
      onError: ({ message }) => handlers.onNotice(texts.notLoaded(page.charts, message)),
    }, GROUPS_MS);
    this.#signals = new Signals(route, this.#complain);
    this.#commands = new Commands(route);
    this.#realTime = new RealTime(route.chassisId, this.#commandHandlers(), !mayOperate(route.tenant));
    this.#bar = new Bar(this.board);
    this.#control = new Control(this.board, this.#realTime);
    this.board.params = route.params;
  }

  open() {
    const { signal } = this.#listening;
    const wake = () => document.hidden || this.#wake();
    addEventListener('themechange', () => this.#layout.restyle(), { signal });
    for (const name of ['online', 'pageshow']) addEventListener(name, wake, { signal });
    for (const name of ['visibilitychange', 'resume']) document.addEventListener(name, wake, { signal });
    byId('controls').replaceChildren(this.#bar.element);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#realTime.start();
    this.#poll.run();
    this.#signals.start();
    this.#commands.start();
    this.#tick();
  }

  close() {
    this.#listening.abort();
    clearInterval(this.#timer);
    clearTimeout(this.#due);
    this.#poll.stop();
    this.board.close();
    this.#realTime.stop();
    this.board.sources.close();
    this.#layout.close();
    this.#bar.dispose();
    this.#control.close();
    byId('controls').replaceChildren();
    this.#signals.stop();
    this.#commands.stop();
  }

  /** New sockets, a new command; what is held stays, and the rest comes. */
  refresh() {
    this.#presence.reopen(localMs());
    this.#wasDown = false;
    this.#handlers.onNotice('');
    this.#realTime.start();
    this.board.sources.open();
    this.#signals.refresh();
    this.#poll.run();
    this.#tick();
  }

  /**
   * What the list of machines says. One that comes back is asked at once instead of at the next heartbeat.
   * @param {import('../data/api.js').Device} device
   */
  listed(device) {
    const { online, realtime } = device;
    if (online && !this.#wasOnline) this.#realTime.start();
    this.#wasOnline = online;
    if (!this.#realTime.isViewer) return;
    this.#isOff = online && !realtime;
    this.#control.told(device);
  }

  /** @param {'live'|'metrics'} view */
  show(view) {
    if (view === this.#view) return;
    this.#view = view;
    this.#poll.run();
  }

  #commandHandlers() {
    return {
      onAsk: () => this.#control.asking(),
      onAnswer: (answer) => {
        // It answers, so it is there, whatever the list said a moment ago: no need to ask when the list follows.
        if (answer.status === 200) this.#wasOnline = true;
        this.#control.answer(answer);
        this.#commands.reload();
      },
      onError: (error) => {
        // Not there, or not reached: it is asked as soon as the list has it. One that is slow waits for the heartbeat.
        if (error.status === 409 || error.status === 0) this.#wasOnline = false;
        this.#control.error(error);
        this.#commands.reload();
      },
    };
  }

  #feedHandlers(msgType) {
    return {
      onData: (heardAt) => {
        this.#presence.hear(msgType, heardAt);
        // Sooner than the list says it.
        if (this.#isOff && localMs() - heardAt < RECENT_MS) this.listed({ online: true, realtime: true });
        this.#tell();
      },
      onStatus: (payload, atLocal) => {
        this.#presence.tell(msgType, payload.stream);
        if (msgType === this.#presence.best([...this.board.sources.keys()])) this.#control.status(payload, atLocal);
        this.#tell();
      },
      onChange: () => this.#layout.changed(msgType),
      // A server that was away may have started anew, and its machines with it. One command for all sockets.
      onUp: () => {
        if (this.#wasDown) this.#realTime.start();
        this.#wasDown = false;
      },
      onDown: (retryMs) => {
        this.#wasDown = true;
        if (retryMs !== null) return;
        this.#handlers.onNotice(page.notAllowed);
        askAccount().catch(() => {}); // signed out, or the token was taken back: the page is left
      },
      onError: this.#complain,
    };
  }

  #show(answer) {
    if (!this.#layout.isKnown) this.#handlers.onNotice('');
    this.#layout.show(answer);
    this.#handlers.onGroups(this.#layout.isBare);
    this.#tick();
  }

  #windowChanged() {
    this.#tick();
    painter.redraw();
    this.board.changed();
  }

  /** The page was away, or the network changed: everything is made right at once. */
  #wake() {
    this.board.sources.wake();
    this.#signals.wake();
    const { lastBeatAt } = this.#realTime;
    if (lastBeatAt !== null && localMs() - lastBeatAt > HEARTBEAT_MS) this.#realTime.start();
    this.#poll.run();
  }

  /** Whether this machine slept since the last tick: local time may stand still then, the server's does not. */
  #hasSlept() {
    const now = localMs();
    const hasSlept = now - this.#tickedAt > ASLEEP_MS || serverClock.steppedMs !== this.#steppedMs;
    this.#tickedAt = now;
    this.#steppedMs = serverClock.steppedMs;
    return hasSlept;
  }

  #tick() {
    const hasSlept = this.#hasSlept();
    this.#tell();
    if (document.hidden) return;
    if (hasSlept) {
      this.#wake();
      this.#realTime.start();
    }
    this.board.sources.want(byId('cards').firstElementChild?.clientWidth || CHART_PX);
    this.#layout.tick();
    this.#bar.tick();
    this.#control.tick();
  }

  /** Say how it is, now and when it is due to change: offline is told at that moment, not at the next tick. */
  #tell() {
    if (this.#layout.isBare) return;
    clearTimeout(this.#due);
    const now = localMs();
    const { lastAt, dueAt } = this.#presence;
    const at = lastAt === null ? null : serverClock.now(lastAt);
    this.#handlers.onState(this.#presence.state(now), at, this.#realTime.isStopped, this.#isOff);
    if (now < dueAt) this.#due = setTimeout(() => this.#tell(), dueAt - now + 1);
  }
}
