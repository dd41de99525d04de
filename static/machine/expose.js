/** Copies for tests and for the curious: `window.ducoPage`. Nothing on the page can be changed through them. */

/** @param {() => import('./session.js').Session|null} current */
export function exposeState(current) {
  const source = (msgType) => current()?.board.sources.get(msgType);
  window.ducoPage = Object.freeze({
    /** What is held of a field. */
    series(msgType, field) {
      const table = source(msgType)?.feed.table;
      if (!table) return { seq: [], ts: [], v: [] };
      return { seq: [...table.seq], ts: [...table.ts], v: [...(table.fields.get(field) ?? [])] };
    },
    /** What a chart drew last of a field, over how much time. */
    points(msgType, field) {
      const cards = current()?.board.cards.filter(({ group }) => group.msgType === msgType) ?? [];
      const trace = cards.map((card) => card.traceOf(field)).find(Boolean);
      if (!trace) return { ts: [], v: [], lo: null, hi: null, joined: [] };
      const { t, v, lo, hi, joined } = trace;
      return { ts: [...t], v: [...v], lo: lo && [...lo], hi: hi && [...hi], joined: [...joined] };
    },
    /** How often charts were drawn. */
    get drawn() {
      return current()?.board.cards.reduce((sum, card) => sum + card.drawn, 0) ?? 0;
    },
    /** The window, device ms. */
    get range() {
      const board = current()?.board;
      return board ? { ...board.window.range(board.now()), now: board.now(), isLive: board.window.isLive } : null;
    },
    /** Live samples so far. */
    get received() {
      return current()?.received ?? 0;
    },
  });
}
