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
  /** @type {Map<Element, {item: Drawable, isVisible: boolean, isWanted: boolean, drawnAt: number}>} */
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
    this.#entries.set(item.element, { item, isVisible: false, isWanted: false, drawnAt: -Infinity });
    this.#observer.observe(item.element);
  }

  /** @param {Drawable} item */
  remove(item) {
    this.#observer.unobserve(item.element);
    this.#entries.delete(item.element);
  }

  /** Draw it once even out of sight, so that it never scrolls in, or is printed, blank. @param {Drawable} item */
  drawOnce(item) {
    const entry = this.#entries.get(item.element);
    if (!entry) return;
    entry.isWanted = true;
    entry.drawnAt = -Infinity;
    this.#plan();
  }

  /** Draw all that is in sight at the next frames. */
  redraw() {
    for (const entry of this.#entries.values()) entry.drawnAt = -Infinity;
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

  #oldest() {
    let oldest = null;
    for (const entry of this.#entries.values()) {
      const isDue = entry.isVisible || entry.isWanted;
      if (isDue && (!oldest || entry.drawnAt < oldest.drawnAt)) oldest = entry;
    }
    return oldest;
  }

  #plan() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    const next = this.#oldest();
    if (!next || document.hidden) return;
    const interval = calm.matches ? CALM_INTERVAL_MS : INTERVAL_MS;
    const wait = next.drawnAt + interval - performance.now();
    const draw = () => {
      this.#frame = requestAnimationFrame(() => this.#paint(next));
    };
    if (wait <= 0) draw();
    else this.#timer = setTimeout(draw, wait);
  }

  #paint(entry) {
    const isForced = entry.drawnAt === -Infinity;
    entry.drawnAt = performance.now();
    entry.isWanted = false;
    try {
      if (this.#entries.has(entry.item.element)) entry.item.draw(isForced);
    } finally {
      this.#plan(); // one chart that fails must not stop the others
    }
  }
}
