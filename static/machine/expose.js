/** Copies for tests and for the curious: `window.ducoPage`. Nothing on the page can be changed through them. */

/** @param {() => import('./board.js').Board|undefined} current */
export function exposeState(current) {
  const cards = () => current()?.cards ?? [];
  window.ducoPage = Object.freeze({
    /** What is held of a field. */
    series(msgType, field) {
      const { seq = [], ts = [], fields } = current()?.sources.get(msgType)?.feed.table ?? {};
      return { seq: [...seq], ts: [...ts], v: [...(fields?.get(field) ?? [])] };
    },
    /** What a chart drew last of a field, over how much time. */
    points(msgType, field) {
      const drawn = cards().filter(({ group }) => group.msgType === msgType).map((card) => card.traceOf(field));
      const { t = [], v = [], lo, hi, joined = [] } = drawn.find(Boolean) ?? {};
      return { ts: [...t], v: [...v], lo: lo ? [...lo] : null, hi: hi ? [...hi] : null, joined: [...joined] };
    },
    /** How often charts were drawn. */
    get drawn() {
      return cards().reduce((sum, card) => sum + card.drawn, 0);
    },
    /** The window, device ms. */
    get range() {
      const board = current();
      return board ? { ...board.window.range(board.now()), now: board.now(), isLive: board.window.isLive } : null;
    },
    /** Live samples so far. */
    get received() {
      return current()?.sources.received ?? 0;
    },
  });
}
