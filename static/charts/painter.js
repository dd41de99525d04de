/** Decides when charts are drawn: one a frame, each at most twice a second, none over and over that nobody sees. */

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const INTERVAL_MS = 500;
/** With reduced motion the charts move when data comes, which is once a second. */
const CALM_INTERVAL_MS = 1000;

/**
 * @typedef {{element: Element, draw: (isForced: boolean) => void, seen?: (isInSight: boolean) => void}} Drawable
 *   isForced: something else than time went on
 */

export class Painter {
  /**
   * drawnAt: -Infinity where it is wanted at once.
   * @type {Map<Element, {item: Drawable, isVisible: boolean, drawnAt: number}>}
   */
  #entries = new Map();
  #observer = new IntersectionObserver((seen) => this.#seen(seen), { rootMargin: '80px' });
  #timer = 0;
  #frame = 0;

  constructor() {
    // A hidden tab is woken once, and then draws everything that it missed.
    document.addEventListener('visibilitychange', () => this.redraw());
  }

  /** @param {Drawable} item */
  add(item) {
    this.#entries.set(item.element, { item, isVisible: false, drawnAt: 0 });
    this.#observer.observe(item.element);
  }

  /** @param {Drawable} item */
  remove(item) {
    this.#observer.unobserve(item.element);
    this.#entries.delete(item.element);
    this.#plan();
  }

  /** Draw it once even out of sight, so that it never scrolls in, or is printed, blank. @param {Drawable} item */
  drawOnce(item) {
    const entry = this.#entries.get(item.element);
    if (!entry) return;
    entry.drawnAt = -Infinity;
    this.#plan();
  }

  /** Draw all that is in sight at the next frames. */
  redraw() {
    for (const entry of this.#entries.values()) if (entry.isVisible) entry.drawnAt = -Infinity;
    this.#plan();
  }

  #seen(changes) {
    for (const { target, isIntersecting } of changes) {
      const entry = this.#entries.get(target);
      if (!entry) continue;
      entry.isVisible = isIntersecting;
      entry.item.seen?.(isIntersecting);
      if (isIntersecting) entry.drawnAt = -Infinity;
    }
    this.#plan();
  }

  #plan() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    const due = [...this.#entries.values()].filter(({ isVisible, drawnAt }) => isVisible || drawnAt === -Infinity);
    const next = due.reduce((a, b) => (b.drawnAt < a.drawnAt ? b : a), due[0]);
    if (!next || document.hidden) return;
    const draw = () => {
      this.#frame = requestAnimationFrame(() => this.#paint(next));
    };
    const wait = next.drawnAt + (calm.matches ? CALM_INTERVAL_MS : INTERVAL_MS) - performance.now();
    if (wait <= 0) draw();
    else this.#timer = setTimeout(draw, wait);
  }

  #paint(entry) {
    const isForced = entry.drawnAt === -Infinity;
    entry.drawnAt = performance.now();
    try {
      entry.item.draw(isForced);
    } finally {
      this.#plan(); // one chart that fails must not stop the others
    }
  }
}
