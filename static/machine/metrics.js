/** What the metrics view has beside cards, and what it asks for. */
import { HealthTiles } from '../metrics/tiles.js';
import { METRIC_FIELDS } from '../metrics/health.js';
import { MapCard } from '../metrics/map.js';

const RAW = 'client_raw_data';
const CAN = 'vehicle_can';
/** The map colours the track by it, where the machine has it. */
const SPEED = 'speed';

export const MSG_TYPES = [RAW, CAN];

/** @param {Map<string, Map<string, Object>>} known fields by msgType and name @returns {[string, string[]][]} fields by msgType */
export function metricFields(known) {
  return [[RAW, METRIC_FIELDS], ...(known.get(CAN)?.has(SPEED) ? [[CAN, [SPEED]]] : [])];
}

let made = { board: null, source: null, items: [] };

/** Map and tiles; the same ones as long as their data comes from the same source. @param {import('./board.js').Board} board */
export function metricItems(board) {
  const source = board.sources.get(RAW);
  if (made.board !== board || made.source !== source) {
    made = { board, source, items: [new MapCard(source, board), new HealthTiles(source, board)] };
  }
  return made.items;
}
