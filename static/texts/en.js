/** Every text that the page shows. */
import { formatAge, formatMoment, formatTime } from '../base/format.js';

export const texts = {
  noName: 'Unnamed machine',
  online: 'Online',
  offline: 'Offline',
  realtime: 'Real-time',
  neverSeen: 'never',
  waiting: 'Waiting for the machine',
  noValue: 'no value yet',
  unknownField: 'not in this machine’s parsing',
  asking: 'Asking the machine for real-time data …',
  /** @param {number} ms */
  lastSeen: (ms) => (ms < 3000 ? 'now' : `${formatAge(ms)} ago`),
  seenTitle: 'Last seen',
  unfold: 'Show',
  foldAgain: 'Hide',
  signalsHint: 'Latest value of everything that the machine sends',
  signalsLoading: 'Loading signals …',
  signalsNone: 'The machine has sent no signal within the last minute. As soon as one comes, it appears here.',
  signalsNotFound: 'No signal with a value matches the search.',
  /** @param {string} message */
  signalsFailed: (message) => `Signals could not be loaded: ${message}`,
  commandsHint: 'What this machine was asked, by whom, and what is known of it',
  commandsLoading: 'Loading commands …',
  commandsNone: 'No command to this machine is on record.',
  /** @param {number} count */
  commandsNewest: (count) => `The newest ${count} are shown.`,
  /** @param {string} message */
  commandsFailed: (message) => `Commands could not be loaded: ${message}`,
  /** @param {number} ms */
  stale: (ms) => `${formatAge(ms)} old`,
};

/** @param {string[]} titles of charts */
export function foldedText(titles) {
  const charts = titles.length === 1 ? '1 chart' : `${titles.length} charts`;
  return `${charts} without values from this machine: ${titles.join(', ')}`;
}

/** @param {{shown: number, found: number, total: number}} counts @param {boolean} isSearching */
export function signalsText({ shown, found, total }, isSearching) {
  const all = `${found} of ${total} signals have values`;
  return isSearching ? `${shown} shown; ${all}` : all;
}

export const states = { connecting: 'Connecting', live: 'Live', offline: 'No data' };

const MSG_TYPES = { vehicle_can: 'Vehicle CAN', client_raw_data: 'Telematics unit' };

/** @param {string} msgType */
export function msgTypeName(msgType) {
  return MSG_TYPES[msgType] ?? msgType;
}

/** @param {import('../machine/command.js').Answer} answer */
export function answerText({ status, realtime, ts, source }) {
  if (status !== 200) return `Device refused: status ${status}`;
  const at = Number.isFinite(ts) ? formatTime(ts) : '–';
  const onOff = realtime ? 'on' : 'off';
  // From the lease: somebody watches already, so the device was not asked anew.
  if (source === 'lease') return `Real-time ${onOff}, device answered ${at}`;
  return `Device answered: real-time ${onOff}, ${at}`;
}

const COMMAND_ERRORS = {
  0: 'The command did not reach the server',
  400: 'The server did not accept the command',
  401: 'Not signed in: real-time data was not asked for',
  403: 'Not allowed to ask this machine for real-time data',
  404: 'The server does not know this machine',
  409: 'The machine is offline. It is asked again as soon as it is back',
  504: 'The machine did not answer in time. It is asked again within a minute',
};

/** @param {import('../data/api.js').ApiError} error */
export function commandErrorText(error) {
  return COMMAND_ERRORS[error.status] ?? `The command failed: ${error.message}`;
}

const ACTIONS = { start: 'Real-time on', stop: 'Real-time off' };

/** @param {string} action */
export function actionText(action) {
  return ACTIONS[action] ?? action;
}

/** @param {string} who of the ledger @param {string} viewerId this page's own */
export function whoText(who, viewerId) {
  if (who === viewerId) return 'You';
  return { cron: 'The server, to keep it on', anonymous: 'Unnamed client' }[who] ?? 'Another viewer';
}

/** What is known of a command, and no more. @param {import('../data/api.js').Command} command */
export function commandStateText({ state, sent, answer }) {
  switch (state) {
    case 'queued':
      return 'Waits to be sent';
    case 'sent':
      return 'Sent, no answer yet';
    case 'acknowledged':
      return 'Acknowledged by the machine';
    case 'leased':
      return 'Kept on by lease, not sent';
    case 'expired':
      return sent === null ? 'Expired before it was sent' : 'Expired without an answer';
    case 'failed':
      return answer ? 'Refused by the machine' : sent === null ? 'Failed, not sent' : 'Failed';
    default:
      return state;
  }
}

/**
 * What else the ledger has of a command, as name and text.
 * @param {import('../data/api.js').Command} command @param {(ms: number) => string} moment
 * @returns {[string, string][]}
 */
export function commandDetails({ state, commandId, reason, sent, answered, answer, error, beats, lastBeat }, moment) {
  const isUnsure = state === 'failed' && !answer; // whether it left is not known then
  const last = lastBeat === null ? '' : `, last ${moment(lastBeat)}`;
  const details = [
    [isUnsure ? 'Tried' : 'Sent', sent === null ? null : moment(sent)],
    ['Answered', answered === null ? null : moment(answered)],
    [state === 'leased' ? 'Answer of the server' : 'Answer of the machine', answer ? shortAnswer(answer, moment) : null],
    ['Error', error],
    ['Asked again', beats > 0 ? `${beats} ×${last}` : null],
    ['Reason', reason],
    ['Id', commandId],
  ];
  return details.filter(([, text]) => text);
}

/** Without what the row says already. */
function shortAnswer({ status, payload }, moment) {
  const { commandId, action, source, realtime, ts, ...rest } = payload ?? {};
  const parts = [`status ${status}`];
  if (typeof realtime === 'boolean') parts.push(`real-time ${realtime ? 'on' : 'off'}`);
  if (Number.isFinite(ts)) parts.push(moment(ts));
  return [...parts, ...Object.entries(rest).map(([name, value]) => `${name} ${JSON.stringify(value)}`)].join(', ');
}

/**
 * The offline banner: what is missing since when, and what happens next.
 * @param {{lastDataAt: number|null, isServerAway: boolean, isStopped: boolean}} what @param {number} now Unix ms
 * @returns {{title: string, detail: string}}
 */
export function offlineText({ lastDataAt, isServerAway, isStopped }, now) {
  const since = lastDataAt === null ? 'No data from this machine yet.' : `No data since ${formatMoment(lastDataAt, now)}.`;
  if (isServerAway) {
    return { title: 'The server does not answer', detail: `${since} The page keeps trying to reach it.` };
  }
  if (isStopped) return { title: control.stopped.title, detail: `${since} ${control.stopped.detail}` };
  const next = 'It may be switched off or out of coverage; charts go on by themselves when data comes.';
  return { title: 'Offline', detail: `${since} ${next}` };
}

export const empties = {
  loading: { title: 'Loading machines …', detail: '' },
  noDevices: (tenant) => ({
    title: 'No machines yet',
    detail: `Tenant “${tenant}” has no machine. Add one with “duco_rt device add”; it then appears here.`,
  }),
  unknownDevice: (tenant, chassisId) => ({
    title: `${chassisId} is not known`,
    detail: `Tenant “${tenant}” has no such machine. Choose one of its machines.`,
  }),
  noServer: {
    title: 'The server does not answer',
    detail: 'Check that duco_rt is running and that it can be reached. The page tries again by itself.',
  },
  /** @param {string} message */
  refused: (message) => ({ title: 'The server refused the request', detail: message }),
  noGroups: {
    title: 'No charts yet',
    detail: 'This tenant has no chart groups. Make one with “Edit charts”; its charts appear here.',
  },
};

/** What index.html shows, by the `data-text`, `data-label` and `data-hint` of its elements; and the frame of the page. */
export const page = {
  lang: 'en',
  skip: 'Skip to the content',
  crumbs: 'You are here',
  portal: 'Portal',
  liveView: 'Live View',
  liveData: 'Live Data',
  metrics: 'Metrics',
  tabs: 'Views of this machine',
  edit: 'Edit charts',
  machines: 'Machines',
  search: 'Search',
  searchLabel: 'Search machines by name or id',
  refresh: 'Refresh',
  signals: 'All signals',
  signalsSearch: 'Search name, unit or description',
  signalsSearchLabel: 'Search signals by name, unit or description',
  signal: 'Signal',
  value: 'Value',
  unit: 'Unit',
  about: 'Message · description',
  age: 'Age',
  commands: 'Commands',
  commandsLabel: 'Commands, newest first',
  when: 'When',
  command: 'Command',
  who: 'Who',
  state: 'State',
  keys: 'Keyboard',
  close: 'Close',
  themes: { system: 'System theme', light: 'Light theme', dark: 'Dark theme' },
  /** @param {{total: number, online: number, found: number}} counts @param {boolean} isSearching */
  counts({ total, online, found }, isSearching) {
    const all = `${total} ${total === 1 ? 'machine' : 'machines'}, ${online} online`;
    return isSearching ? `${found} of ${all}` : all;
  },
  /** @param {number} count */
  more: (count) => `… ${count} more, refine the search`,
  notFound: 'No machine matches the search.',
  /** @param {string} message */
  chartsFailed: (message) => `Charts could not be loaded: ${message}`,
  /** @param {string} message */
  serverSays: (message) => `The server says: ${message}`,
  notAllowed: 'The server does not allow this page to see live data.',
  /** What keys do, by place. */
  keyLists: [
    ['Everywhere', [
      ['/', 'Search machines'],
      ['?', 'This list'],
    ]],
    ['Machines', [
      ['↑ ↓ ← →', 'Move among machines'],
      ['Enter', 'Open the machine'],
      ['Esc', 'Clear the search'],
    ]],
    ['In a chart', [
      ['← →', 'Next point; with Shift ten'],
      ['Home, End', 'First and last point'],
      ['Enter', 'Pin the cursor'],
      ['Esc', 'Let it go'],
      ['+ −', 'Zoom'],
      ['Page Up, Page Down', 'Earlier, later'],
    ]],
    ['In a legend', [
      ['Enter', 'Hide or show the line'],
      ['Ctrl+Enter', 'Show it alone'],
    ]],
  ],
};

/** Time window, zoom, pause, taking away. */
export const view = {
  bar: 'Time shown',
  pause: 'Pause',
  pauseTitle: 'Stand still; data goes on being collected (P or Space)',
  toNow: 'Back to now',
  toNowTitle: 'Go on with live data (N, P or Space)',
  /** @param {string} age */
  behind: (age) => `${age} behind`,
  earlier: 'Earlier (←)',
  later: 'Later (→)',
  span: 'Length of the window',
  zoomOut: 'Zoom out',
  zoomOutTitle: 'Back to before the last zoom (Z)',
  goTo: 'Go to time',
  goToTitle: 'Show any time (G)',
  from: 'From',
  to: 'To',
  show: 'Show',
  badTimes: '“From” and “To” have to be times, “From” the earlier one, at most 24 hours apart.',
  everyFrame: 'Every frame',
  everyFrameTitle: 'Every single frame instead of seconds (F)',
  fullAlready: 'A window this short shows every frame by itself.',
  fullLong: 'Zoom in first: single frames are shown of at most 6 hours.',
  seconds: 'seconds',
  frames: 'every frame',
  /** @param {string} span */
  buckets: (span) => `buckets of ${span}`,
  loading: 'loading …',
  /** @param {string} message */
  failed: (message) => `Earlier data is not loaded: ${message}`,
  statistics: 'Statistics',
  statisticsTitle: 'Minimum, mean and maximum of what is shown (S)',
  takeAway: 'Take away',
  takeAwayTitle: 'Save or share what is shown (T)',
  csv: 'CSV of the window',
  png: 'PNG of the page',
  link: 'Copy link',
  linkToMoment: 'Copy link to this moment',
  linkField: 'Link to this view',
  copied: 'Link copied',
  copyByHand: 'Copy the link from here:',
  cancel: 'Cancel',
  /** @param {number} share 0…1 */
  csvProgress: (share) => `CSV: ${Math.round(share * 100)} %`,
  /** @param {number} rows */
  csvSaved: (rows) => `CSV saved, ${rows === 1 ? '1 row' : `${rows} rows`}`,
  csvEmpty: 'The window has no values to save.',
  /** @param {string} message */
  csvFailed: (message) => `The CSV could not be made: ${message}`,
  pngSaved: 'PNG saved',
  pngEmpty: 'There is no chart to save.',
  pngFailed: 'The picture could not be made: it is too large for this browser.',
  /** For the list of all keys. */
  keys: [
    ['P, Space', 'Pause, and back to now'],
    ['N', 'Back to now'],
    ['← →', 'Earlier, later'],
    ['Z', 'Zoom out: back to before the last zoom'],
    ['G', 'Go to any time'],
    ['F', 'Every frame'],
    ['S', 'Statistics'],
    ['T', 'Take away: CSV, PNG, link'],
  ],
};

/** Charts, legend, cursor, tables. */
export const charts = {
  /** @param {string} title @param {string[]} labels */
  chart: (title, labels) => `Line chart ${title}: ${labels.join(', ')}`,
  keys:
    'Left and right move the cursor by one point, with Shift by ten; Home and End to the ends; Enter pins it, Escape ' +
    'takes it away; plus and minus zoom; Page up and Page down move the window. Table shows all values.',
  noValues: 'No values in this window',
  noValueHere: 'none here',
  switchHint: 'Click: hide or show. Ctrl-click or hold: show alone.',
  table: 'Table',
  picture: 'PNG',
  edit: 'Edit',
  time: 'Time',
  /** @param {string} title */
  tableOf: (title) => `Table of the values of ${title}`,
  /** @param {string} title */
  pictureOf: (title) => `PNG: save ${title} as a picture`,
  /** @param {string} title */
  editOf: (title) => `Edit ${title}`,
  copy: 'Copy',
  copied: 'Copied',
  notCopied: 'Not allowed',
  /** @param {{min: string, mean: string|null, max: string}} summary of what is shown; states have no mean */
  statistics: ({ min, mean, max }) => [`min\u00a0${min}`, mean && `mean\u00a0${mean}`, `max\u00a0${max}`].filter(Boolean).join(' · '),
  /** @param {number} count of rows that are not in the table */
  moreRows: (count) => `${count} more in CSV`,
  /** @param {number} ms Unix ms @returns {string} local "29 Nov" */
  date: (ms) => new Date(ms).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' }),
};

/** The editor of chart groups. */
export const groups = {
  heading: 'Edit charts',
  list: 'Charts',
  close: 'Close',
  loading: 'Loading charts …',
  /** @param {string} message */
  loadFailed: (message) => `Charts could not be loaded: ${message} `,
  again: 'Try again',
  none: 'No chart is chosen. “New” makes one.',
  unknownGroup: 'The chart of this address is not there any more.',
  unnamed: 'Without title',
  unsaved: 'unsaved',
  add: 'New',
  copy: 'Copy',
  delete: 'Delete',
  import: 'Import …',
  export: 'Export',
  exportAll: 'Export all',
  /** @param {string} title */
  copyOf: (title) => `${title.slice(0, 190)} (copy)`,
  groupTitle: 'Title',
  lines: 'Lines',
  axes: 'Axes',
  limits: 'Limits',
  automatic: 'automatic',
  colorAutomatic: 'colour automatic',
  search: 'Add a signal: name, unit, message or description',
  hits: 'Signals of this machine',
  used: 'in the chart',
  /** @param {number} found @param {number} shown */
  found: (found, shown) => {
    if (found > shown) return `${found} signals; the first ${shown} are shown.`;
    return found ? '' : 'No signal of this machine matches the search.';
  },
  /** @param {string} name @param {string} msgType @param {string} own */
  otherSource: (name, msgType, own) =>
    `${name} comes from “${msgTypeName(msgType)}”, this chart’s lines from “${msgTypeName(own)}”. A chart has lines of one source: make another chart for it.`,
  unknown: 'not in this machine’s parsing',
  noUnit: 'no unit',
  label: 'Label',
  dashed: 'dashed',
  colors: ['blue', 'orange', 'green', 'purple', 'ochre', 'sky blue', 'grey'],
  ownColor: 'own colour',
  styles: { '': 'style automatic', line: 'line', step: 'steps' },
  sides: { '': 'side automatic', left: 'left', right: 'right' },
  kinds: { '': 'Line', band: 'Band' },
  levels: { info: 'information', warn: 'warning', bad: 'danger' },
  min: 'Minimum',
  max: 'Maximum',
  value: 'Value',
  from: 'From',
  to: 'To',
  addLimit: 'Add a limit',
  color: 'Colour',
  anyColor: 'Any colour',
  style: 'Style',
  side: 'Side',
  kind: 'Kind',
  unit: 'Unit',
  level: 'Level',
  /** What a control is for. @param {string} what @param {string} name of a line, an axis or a limit */
  of: (what, name) => `${what} of ${name}`,
  axis: (unit) => `axis ${unit}`,
  limit: (n) => `limit ${n}`,
  moveUp: (name) => `Move ${name} up (Alt+↑)`,
  moveDown: (name) => `Move ${name} down (Alt+↓)`,
  remove: (name) => `Remove ${name}`,
  // What is wrong
  titleLength: '1 to 200 characters',
  textLength: 'At most 200 characters',
  /** @param {number} max */
  tooMany: (max) => `At most ${max}`,
  noNumber: 'Not a number',
  /** @param {number} low */
  above: (low) => `Must be above ${low}`,
  noBand: 'From or to is needed',
  noValue: 'A value is needed',
  /** @param {string} place as in the form, such as `lines.0.label` @param {string} what */
  wrongAt: (place, what) => `${WRONG_PLACES[place.split('.')[0]]}: ${what[0].toLowerCase()}${what.slice(1)}.`,
  save: 'Save',
  discard: 'Discard',
  /** @param {string} moment */
  unsavedSince: (moment) => `Unsaved changes from ${moment}.`,
  nothingChanged: 'Nothing is changed.',
  decide: 'Choose above first.',
  // What differs
  conflict: 'Changed by somebody else meanwhile',
  conflictGone: 'Deleted by somebody else meanwhile',
  theirs: (moment) => `What they changed, last at ${moment}:`,
  keepMine: 'Keep mine',
  takeTheirs: 'Take theirs',
  saveCopy: 'Save mine as a copy',
  saveAsNew: 'Save as new',
  letGo: 'Discard mine',
  /** @param {string} text what it is now, or which */
  titleNow: (text) => `Title is now “${text}”`,
  sourceNow: (msgType) => `Signals now come from “${msgTypeName(msgType)}”`,
  linesAdded: (text) => `Lines added: ${text}`,
  linesRemoved: (text) => `Lines removed: ${text}`,
  linesChanged: (text) => `Look or label of lines changed: ${text}`,
  linesMoved: 'Order of the lines changed',
  axesNow: (text) => `Axes changed: ${text}`,
  axesReset: (text) => `Axes automatic again: ${text}`,
  limitsAdded: (text) => `Limits added: ${text}`,
  limitsRemoved: (text) => `Limits removed: ${text}`,
  limitsMoved: 'Order of the limits changed',
  otherChange: 'Lines of a signal that has several changed',
  /** @param {number|null} low @param {number|null} high */
  span: (low, high) => (low === null ? `up to ${high}` : high === null ? `from ${low}` : `${low} to ${high}`),
  // What happened
  undo: 'Undo',
  dismiss: 'Dismiss',
  /** @param {string} title */
  saved: (title) => `Saved “${title}”.`,
  removed: (title) => `Deleted “${title}”.`,
  discarded: (title) => `Discarded the changes of “${title}”.`,
  kept: (title) => `Saved “${title}” over their version.`,
  noServer: 'the server does not answer.',
  changedMeanwhile: 'somebody else has changed or deleted it meanwhile. The newest is shown now.',
  /** @param {string} message */
  saveFailed: (message) => `Not saved: ${message} Your changes are kept here.`,
  removeFailed: (message) => `Not deleted: ${message}`,
  moveFailed: (message) => `Not moved: ${message}`,
  undoFailed: (message) => `Not undone: ${message}`,
  /** @param {number} count @param {number} all */
  imported: (count, all) => `${count} of ${all} charts imported.`,
  importFailed: (title, message) => `“${title}” could not be imported: ${message}`,
  /** @param {string} file @param {string[]} errors */
  notImported: (file, errors) =>
    `Nothing of ${file} is imported. ${errors.slice(0, 5).join('; ')}${errors.length > 5 ? `; and ${errors.length - 5} more` : ''}.`,
  noJson: (message) => `It is not JSON: ${message}`,
  noGroupsFile: 'It is not a file of chart groups: "duco_groups": 1 and the list "groups" are missing',
  notAllowed: 'missing or not allowed',
  /** @param {number} n @param {string} title @param {string} place @param {string} what */
  importError: (n, title, place, what) => `Chart ${n}${title && ` “${title}”`}${place && `, ${place}`}: ${what}`,
};

const WRONG_PLACES = { title: 'Title', lines: 'Lines', axes: 'Axes', limits: 'Limits' };

/** Real-time control and the state of the stream. */
export const control = {
  label: 'Real-time',
  start: 'Start',
  startTitle: 'Ask the machine for real-time data',
  stop: 'Stop',
  stopTitle: 'No longer ask the machine for real-time data',
  stopping: 'Stopping …',
  byYou: 'Stopped by you',
  others: 'Others keep it on',
  /** @param {string} age */
  beat: (age) => `heartbeat ${age}`,
  beatTitle: 'Last time that this page asked the machine to go on',
  /** @param {string} age */
  ago: (age) => `${age} ago`,
  /** @param {number|null} count */
  watch: (count) => (count === 1 ? '1 watches' : `${count ?? '–'} watch`),
  watchTitle: 'Viewers who keep this machine’s real-time data on',
  /** @param {string} time */
  lasts: (time) => `goes on for ${time} without us`,
  lastsTitle: 'How long the machine sends on without another command',
  /** @param {string} seconds */
  delay: (seconds) => `${seconds} from the machine to this screen`,
  delayTitle: 'From the end of a second on the machine until it is shown here',
  /** @param {string} age @param {boolean} isBehind */
  clock: (age, isBehind) => `machine’s clock is ${age} ${isBehind ? 'behind' : 'ahead'}`,
  history: 'History',
  historyTitle: 'All commands to this machine',
  /** For the banner while no data comes. */
  stopped: {
    title: 'Stopped by you',
    detail: 'This page no longer asks the machine for real-time data. Start begins again.',
  },
};

/** The metrics view. */
export const metrics = {
  track: 'Track',
  map: 'Map of the track',
  keys: 'Drag moves, + and − or Ctrl with the wheel zoom, double click shows all; arrow keys, 0 shows all',
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  fit: 'Fit',
  follow: 'Follow',
  copy: 'Copy',
  copyPlace: 'Copy the position',
  north: 'N',
  noPlace: 'No position in this window.',
  /** @param {{lat: number, lng: number}} place */
  place: ({ lat, lng }) => `${lat.toFixed(5)}, ${lng.toFixed(5)}`,
  /** @param {number} m */
  length: (m) => (m < 999.5 ? `${Number(m.toPrecision(3))} m` : `${Number((m / 1000).toPrecision(3))} km`),
  /** @param {number} m @param {string} from @param {string} to */
  facts: (m, from, to) => `${metrics.length(m)} from ${from} (ring) to ${to} (dot)`,
  /** @param {number} ms */
  old: (ms) => `${formatAge(ms)} old`,
  health: 'App and computer',
  judged: { good: 'fine', warn: 'high', bad: 'too high' },
  /** @param {number} count */
  dropped: (count) => `${count} newly lost`,
  realtime: ['Batches', 'Real time'],
  /** @param {number} s */
  duration: (s) => {
    const [d, h, m] = [Math.floor(s / 86_400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : `${m} min`;
  },
  /** @param {number} ms */
  ahead: (ms) => (Math.abs(ms) < 50 ? 'in step' : `${(Math.abs(ms) / 1000).toFixed(1)} s ${ms > 0 ? 'ahead' : 'behind'}`),
  clockTitle: 'The machine’s clock against the server’s; the time that data is on its way counts as behind',
  fields: {
    cpu_percent: 'Processor', memory_percent: 'Memory', disk_percent: 'Disk', load_1min: 'Load, 1 min', uptime_s: 'Running for',
    app_cpu_percent: 'App: processor', app_memory_mb: 'App: memory', second_late_ms: 'Closing late',
    bus_load_percent: 'Bus load', can_frames_per_s: 'CAN frames', can_ids: 'CAN streams', realtime: 'Upload',
    realtime_remaining_s: 'Real time left', upload_latency_ms: 'Upload latency', queue_messages: 'Waiting messages',
    sent_messages: 'Sent messages', dropped_messages: 'Lost messages', timestamp: 'Clock',
  },
  groups: { computer: 'Computer', frames: 'CAN frames', upload: 'Upload', app: 'App' },
};
