/** The bar under the machine's head: which time is shown and how finely, and what can be taken away. */
import { element, setText } from '../base/dom.js';
import { recall, remember } from '../base/storage.js';
import { formatAge, spanText, view } from '../texts.js';
import { isTaken } from '../base/keys.js';
import { button, menu } from './menu.js';
import { Take } from './takeaway.js';
import { inputText, rangeText } from './times.js';
import { FULL_MAX_MS, SPANS_MS } from './window.js';

/** Earlier and later go by half a window. */
const STEP = 0.5;
/** What has a use of its own for the space key. */
const TAKES_SPACE = 'button, summary, a';

/** Unlike `disabled` it keeps the focus where it is. */
function allow(node, isAllowed) {
  node.ariaDisabled = String(!isAllowed);
}

/** How finely the window is shown, or why it is not. @returns {{text: string, isBad?: boolean}} */
function resolution({ sources, window }) {
  const pasts = [...sources.values()].map((source) => source.past);
  const failed = pasts.find((past) => past.state === 'failed');
  if (failed) return { text: view.failed(failed.message), isBad: true };
  // A live window is loaded anew again and again; what is shown meanwhile is right.
  if (pasts.some((past) => past.state === 'loading' && (!window.isLive || !past.range))) return { text: view.loading };
  const steps = pasts.map((past) => (past.resolution === 'bucket' ? past.range.stepMs : 0));
  const step = Math.max(0, ...steps);
  const full = pasts.filter((past) => past.resolution === 'full').map((past) => past.range);
  const thinned = full.find((range) => range.isThinned);
  if (thinned) return { text: view.extremes(spanText(thinned.stepMs)) };
  return { text: full.length ? view.frames : step ? view.buckets(spanText(step)) : view.seconds };
}

/** A menu to go to any time: from and to, in the reader's time zone. */
function goToMenu(board, signal) {
  const field = (name) => element('input', { type: 'datetime-local', step: '1', name });
  const [from, to] = [field('from'), field('to')];
  const wrong = element('p', { role: 'alert', class: 'bad' });
  const form = element('form', { novalidate: '' }, [
    element('label', {}, [view.from, from]),
    element('label', {}, [view.to, to]),
    wrong,
    element('button', { class: 'quiet' }, view.show),
  ]);
  const goTo = menu(view.goToTitle, [form], signal, () => {
    const range = board.window.range(board.now());
    from.value = inputText(range.from);
    to.value = inputText(Math.ceil(range.to / 1000) * 1000);
    setText(wrong, '');
    from.focus();
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    const [begin, end] = [Date.parse(from.value), Date.parse(to.value)];
    const isGood = begin < end && end - begin <= SPANS_MS.at(-1);
    setText(wrong, isGood ? '' : view.badTimes);
    if (!isGood) return;
    goTo.close();
    board.window.zoom(begin, end);
  };
  return goTo;
}

export class Bar {
  #board;
  #listening = new AbortController();
  #take;
  #goTo;
  #span = element('select', { 'aria-label': view.span, title: view.span }, SPANS_MS.map(spanOption));
  #behind = element('span', { class: 'behind' });
  #finely = element('span', { class: 'resolution' });
  #pause = this.#acting(view.pause, '', (window, now) => (window.isLive ? window.pause(now) : window.goLive()));
  #earlier = this.#acting('←', view.earlier, (window, now) => window.pan(-STEP, now));
  #later = this.#acting('→', view.later, (window, now) => window.pan(STEP, now));
  #back = this.#acting(view.zoomOut, view.zoomOutTitle, (window) => window.back());
  #full = button(view.everyFrame, view.everyFrameTitle, () => this.#toggleFull());
  #statistics = button(view.statistics, view.statisticsTitle, () => this.#toggleStatistics());

  /** @param {object} board as docs/page.md has it */
  constructor(board) {
    this.#board = board;
    board.showsStatistics = recall('statistics') === '1';
    const { signal } = this.#listening;
    this.#take = new Take(board, signal);
    this.#goTo = goToMenu(board, signal);
    this.#earlier.ariaLabel = view.earlier;
    this.#later.ariaLabel = view.later;
    this.#span.onchange = () => board.window.setSpan(Number(this.#span.value));
    this.element = element('div', { class: 'bar', role: 'group', 'aria-label': view.bar }, [
      element('div', {}, [this.#pause, this.#behind]),
      element('div', {}, [this.#earlier, this.#span, this.#later, this.#back, this.#goTo.element]),
      element('div', { class: 'finely' }, [this.#full, this.#finely]),
      element('div', { class: 'bar-end' }, [this.#take.note, this.#take.cancel, this.#statistics, this.#take.menu.element]),
    ]);
    document.addEventListener('keydown', (event) => this.#key(event), { signal });
    // What is sticky below it has to know where it ends.
    const root = document.documentElement.style;
    const sized = new ResizeObserver(() => root.setProperty('--bar', `${this.element.offsetHeight}px`));
    sized.observe(this.element);
    signal.addEventListener('abort', () => sized.disconnect());
    this.tick();
  }

  /** Bring what is said up to date; called twice a second, and after every change of the window. */
  tick() {
    const { window, sources, showsStatistics } = this.#board;
    const now = this.#board.now();
    const { from, to } = window.range(now);
    setText(this.#pause, window.isLive ? view.pause : view.toNow);
    this.#pause.title = window.isLive ? view.pauseTitle : view.toNowTitle;
    this.#behind.hidden = window.isLive;
    setText(this.#behind, view.behind(formatAge(window.behindMs(now))));
    allow(this.#later, !window.isLive && to < now);
    allow(this.#back, window.canBack);
    setText(this.#goTo.summary, window.isLive ? view.goTo : rangeText(from, to, now));
    this.#showSpan(window.spanMs(now));
    const { text, isBad = false } = resolution(this.#board);
    setText(this.#finely, text);
    this.#finely.title = isBad ? '' : [...sources.values()].map((source) => source.past.message).find(Boolean) ?? '';
    this.#finely.classList.toggle('bad', isBad);
    allow(this.#full, !this.#whyNotFull());
    this.#full.ariaPressed = String(window.isFull || text === view.frames);
    this.#statistics.ariaPressed = String(showsStatistics);
  }

  /** Listens no more, and makes no more. */
  dispose() {
    this.#listening.abort();
  }

  /** A button that changes the window. */
  #acting(text, title, change) {
    return button(text, title, (node) => {
      if (node.ariaDisabled !== 'true') change(this.#board.window, this.#board.now());
    });
  }

  #showSpan(ms) {
    const value = String(ms);
    const own = this.#span.querySelector('[data-own]');
    if (own?.value !== value) own?.remove();
    if (![...this.#span.options].some((option) => option.value === value)) {
      const option = spanOption(ms);
      option.dataset.own = '';
      this.#span.append(option);
    }
    if (this.#span.value !== value) this.#span.value = value;
  }

  /** @returns {string} '' where every frame can be asked for, or no more be asked for */
  #whyNotFull() {
    const { window } = this.#board;
    if (window.isFull) return '';
    if (window.spanMs() > FULL_MAX_MS) return view.fullLong;
    return resolution(this.#board).text === view.frames ? view.fullAlready : '';
  }

  /** Where it is not possible it says why. */
  #toggleFull() {
    const why = this.#whyNotFull();
    this.#take.say(why);
    if (!why) this.#board.window.isFull = !this.#board.window.isFull;
  }

  #toggleStatistics() {
    this.#board.showsStatistics = !this.#board.showsStatistics;
    remember('statistics', this.#board.showsStatistics ? '1' : '0');
    for (const card of this.#board.cards) card.tick();
    this.tick();
  }

  #key(event) {
    const { target, key } = event;
    if (isTaken(event) || (key === ' ' && target.closest(TAKES_SPACE))) return;
    const isLive = this.#board.window.isLive;
    const pressed = {
      ' ': this.#pause, p: this.#pause, n: isLive ? null : this.#pause, z: this.#back,
      ArrowLeft: this.#earlier, ArrowRight: this.#later, g: this.#goTo.summary,
      f: this.#full, s: this.#statistics, t: this.#take.menu.summary,
    }[key.length === 1 ? key.toLowerCase() : key];
    if (!pressed) return;
    event.preventDefault();
    pressed.click();
  }
}

function spanOption(ms) {
  return element('option', { value: String(ms) }, spanText(ms));
}
