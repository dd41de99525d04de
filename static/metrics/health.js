/** The App's health: its fields (`duco_rt/app_fields.py`), what is sensible for them, its charts. Pure. */
import { metrics } from '../texts.js';

/** Field → unit, in the order of the tiles. */
export const UNITS = {
  cpu_percent: '%', memory_percent: '%', disk_percent: '%', load_1min: '', uptime_s: '', app_cpu_percent: '%',
  app_memory_mb: 'MB', second_late_ms: 'ms', bus_load_percent: '%', can_frames_per_s: '1/s', can_ids: '',
  realtime: '', realtime_remaining_s: 's', upload_latency_ms: 'ms', queue_messages: '', sent_messages: '', dropped_messages: '',
};

/** What the metrics view asks of client_raw_data. */
export const METRIC_FIELDS = [...Object.keys(UNITS), 'gps_lat', 'gps_lng', 'timestamp'];

/** Above this a value is worth a look, or bad. */
const MOST = {
  cpu_percent: [90, 'warn'], memory_percent: [90, 'warn'], disk_percent: [90, 'bad'],
  second_late_ms: [500, 'warn'], queue_messages: [30, 'warn'], dropped_messages: [Infinity],
};

/**
 * @param {string} field @param {number} value @param {number} grown by so much within what is shown
 * @returns {{level: 'good'|'warn'|'bad', text: string}|null} null where every value is as good as another
 */
export function judge(field, value, grown) {
  if (field === 'dropped_messages' && grown > 0) return { level: 'bad', text: metrics.dropped(grown) };
  if (!MOST[field]) return null;
  const [most, beyond] = MOST[field];
  const level = value > most ? beyond : 'good';
  return { level, text: metrics.judged[level] };
}

/** How much a counter grew; it starts at 0 with each start of the App. @param {Iterable<number>} values @returns {number} */
export function growth(values) {
  let sum = 0;
  let before = Infinity;
  for (const value of values) {
    if (value > before) sum += value - before;
    before = value;
  }
  return sum;
}

const line = (field) => ({ field, label: metrics.fields[field], color: null, style: null, dash: false });

/** @returns {import('../data/api.js').Group[]} the charts below the tiles */
export function healthGroups() {
  const groups = {
    computer: ['cpu_percent', 'memory_percent', 'bus_load_percent'],
    frames: ['can_frames_per_s'],
    upload: ['upload_latency_ms', 'queue_messages'],
    app: ['app_cpu_percent', 'app_memory_mb'],
  };
  return Object.entries(groups).map(([name, fields], order) => ({
    groupId: `health-${name}`,
    title: metrics.groups[name],
    msgType: 'client_raw_data',
    order,
    version: 0,
    lines: fields.map(line),
    axes: name === 'computer' ? [{ unit: '%', side: 'left', min: 0, max: 100 }] : [],
    limits: [],
  }));
}
