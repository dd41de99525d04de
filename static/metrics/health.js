/** The App's health: its fields (`duco_rt/app_fields.py`), what is sensible for them, its charts. Pure. */
import { metrics } from '../texts.js';

/** In the order of the tiles. */
export const TILES = [
  'cpu_percent', 'memory_percent', 'disk_percent', 'load_1min', 'uptime_s', 'app_cpu_percent', 'app_memory_mb',
  'second_late_ms', 'bus_load_percent', 'can_frames_per_s', 'can_ids', 'realtime', 'realtime_remaining_s',
  'upload_latency_ms', 'queue_messages', 'sent_messages', 'dropped_messages',
];

/** What the metrics view asks of client_raw_data. */
export const METRIC_FIELDS = [...TILES, 'gps_lat', 'gps_lng'];

/** Above this a value is worth a look. */
const MOST = {
  cpu_percent: 90, memory_percent: 90, disk_percent: 90, second_late_ms: 500, queue_messages: 30, dropped_messages: Infinity,
};

/** The charts below the tiles, in the order of their titles. */
const CHARTS = [
  ['cpu_percent', 'memory_percent', 'disk_percent', 'bus_load_percent'],
  ['can_frames_per_s', 'can_ids'],
  ['upload_latency_ms', 'second_late_ms', 'queue_messages', 'dropped_messages'],
  ['app_cpu_percent', 'app_memory_mb'],
];

/** @param {string} field @returns {string} for readers: without its unit, "CPU", "App memory" */
export function fieldTitle(field) {
  const words = field.replace(/_(percent|mb|per_s|m?s)$/, '').replaceAll('_', ' ');
  return words.replace(/\b(cpu|can)\b|^./g, (part) => part.toUpperCase());
}

/** How much a counter grew; it starts at 0 with each start of the App. @param {number[]} values @returns {number} */
export const growth = (values) => values.reduce((sum, value, i) => sum + Math.max(0, value - (values[i - 1] ?? value)), 0);

/**
 * @param {string} field @param {number} value @param {number[]} [values] within what is shown
 * @returns {{level: 'good'|'warn'|'bad', text: string}|null} null where every value is as good as another
 */
export function judge(field, value, values = []) {
  if (!MOST[field]) return null;
  const dropped = field === 'dropped_messages' ? growth(values) : 0;
  if (dropped) return { level: 'bad', text: metrics.dropped(dropped) };
  const level = value <= MOST[field] ? 'good' : field === 'disk_percent' ? 'bad' : 'warn';
  return { level, text: metrics.judged[level] };
}

/** @returns {import('../data/api.js').Group[]} built in */
export function healthGroups() {
  return CHARTS.map((fields, i) => ({
    groupId: `health-${i}`,
    title: metrics.groups[i],
    msgType: 'client_raw_data',
    lines: fields.map((field) => ({ field, label: fieldTitle(field) })),
  }));
}
