/** Every text that the page shows. */
import { formatMoment, formatTime } from '../view/times.js';

const UNITS = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's'], [1, 'ms']];

/** @param {number} ms whole @param {number} most so many units, from the largest on */
function inUnits(ms, most, units = UNITS) {
  const first = units.findIndex(([size]) => ms >= size);
  if (first < 0) return '0 s';
  const parts = units.slice(first, first + most).map(([size, unit], i) => {
    const count = Math.floor((i ? ms % units[first][0] : ms) / size);
    return count ? `${count} ${unit}` : '';
  });
  return parts.filter(Boolean).join(' ');
}

/** @param {number} ms @returns {string} "8 s", "3 min", "2 h", "5 d" */
export function formatAge(ms) {
  return inUnits(ms - (ms % 1000), 1);
}

/** @param {number} ms @returns {string} in its two largest units: "2 min", "1 h 5 min", "12 s 500 ms"; no days */
export function spanText(ms) {
  return inUnits(Math.round(ms), 2, UNITS.slice(1));
}

export const texts = {
  /** @param {boolean} is */
  onOff: (is) => (is ? 'on' : 'off'),
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
  signalsNone: 'The machine has sent no signal within the last minute. As soon as one comes, it appears here.',
  signalsNotFound: 'No signal with a value matches the search.',
  loading: 'Loading …',
  /** @param {string} what @param {string} message */
  notLoaded: (what, message) => `${what} could not be loaded: ${message}`,
  commandsNone: 'No command to this machine is on record.',
  /** @param {number} count */
  commandsNewest: (count) => `The newest ${count} are shown.`,
  /** @param {number} ms */
  stale: (ms) => `${formatAge(ms)} old`,
};

/** @param {string[]} titles of charts */
export function foldedText(titles) {
  const charts = titles.length === 1 ? '1 chart' : `${titles.length} charts`;
  return `${charts} without values from this machine: ${titles.join(', ')}`;
}

const MSG_TYPES = { vehicle_can: 'Vehicle CAN', client_raw_data: 'Telematics unit' };

/** @param {string} msgType */
export function msgTypeName(msgType) {
  return MSG_TYPES[msgType] ?? msgType;
}

/** The ledger of a machine and its answers. */
export const commands = {
  /** @param {import('../machine/command.js').Answer} answer */
  answer({ status, realtime, ts, source }) {
    if (status !== 200) return `Device refused: status ${status}`;
    const at = Number.isFinite(ts) ? formatTime(ts) : '–';
    const onOff = texts.onOff(realtime);
    // From the lease: somebody watches already, so the device was not asked anew.
    if (source === 'lease') return `Real-time ${onOff}, device answered ${at}`;
    return `Device answered: real-time ${onOff}, ${at}`;
  },
  /** @param {import('../data/api.js').ApiError} error */
  error: ({ status, message }) => COMMAND_ERRORS[status] ?? `The command failed: ${message}`,
  /** @param {string} action */
  action: (action) => ({ start: 'Real-time on', stop: 'Real-time off' })[action] ?? action,
  /** @param {string} who of the ledger @param {string[]} own this page's and its user's @param {boolean} isNameless nobody signs in */
  who(who, own, isNameless) {
    if (own.includes(who)) return 'You';
    return { cron: 'The server, to keep it on', anonymous: 'Unnamed client' }[who] ?? (isNameless ? 'Another viewer' : who);
  },
  /** What is known of a command, and no more. @param {import('../data/api.js').Command} command */
  state({ state, sent, answer }) {
    const isSent = sent !== null;
    if (state === 'expired') return isSent ? 'Expired without an answer' : 'Expired before it was sent';
    if (state === 'failed') return answer ? 'Refused by the machine' : isSent ? 'Failed' : 'Failed, not sent';
    return COMMAND_STATES[state] ?? state;
  },
  /**
   * What else the ledger has of a command, as name and text.
   * @param {import('../data/api.js').Command} command @param {(ms: number) => string} moment
   * @returns {[string, string][]}
   */
  details({ state, commandId, sent, answered, answer, error, beats, lastBeat }, moment) {
    const isUnsure = state === 'failed' && !answer; // whether it left is not known then
    const { status, payload } = answer ?? {};
    const details = [
      [isUnsure ? 'Tried' : 'Sent', sent && moment(sent)],
      ['Answered', answered && moment(answered)],
      [`Answer of the ${state === 'leased' ? 'server' : 'machine'}`, answer && [`status ${status}`, ...said(payload)].join(', ')],
      ['Error', error],
      ['Asked again', beats && `${beats} ×, last ${moment(lastBeat)}`],
      ['Id', commandId],
    ];
    return details.filter(([, text]) => text);
  },
};

const COMMAND_STATES = {
  queued: 'Waits to be sent',
  sent: 'Sent, no answer yet',
  acknowledged: 'Acknowledged by the machine',
  leased: 'Kept on by lease, not sent',
};

const COMMAND_ERRORS = {
  0: 'The command did not reach the server',
  401: 'Not signed in',
  403: 'Not allowed to ask this machine for real-time data',
  409: 'The machine is offline. It is asked again as soon as it is back',
  504: 'The machine did not answer in time. It is asked again within a minute',
};

/** Of an answer what the row does not say already. */
function said(payload) {
  const { commandId, action, source, ts, realtime, ...rest } = payload ?? {};
  const isOn = typeof realtime === 'boolean' ? [`real-time ${texts.onOff(realtime)}`] : [];
  return [...isOn, ...Object.entries(rest).map(([name, value]) => `${name} ${JSON.stringify(value)}`)];
}

/** Title and detail of what stands where nothing else can. */
export const empties = {
  loading: ['Loading machines …'],
  noDevices: (tenant) => ['No machines yet', `Add one to tenant “${tenant}” with “duco_rt device add”; it then appears here.`],
  unknownDevice: (tenant, chassisId) => [`${chassisId} is not known`, `Choose another machine of tenant “${tenant}”.`],
  noServer: ['The server does not answer', 'Check that duco_rt is running and can be reached. The page tries again by itself.'],
  /** @param {string} message */
  refused: (message) => ['The server refused the request', message],
  /** @param {boolean} mayEdit */
  noGroups: (mayEdit) => ['No charts yet', mayEdit ? 'Make one with “Edit charts”.' : 'An operator can make some.'],
};

/** What index.html shows, by the `data-text`, `data-label` and `data-hint` of its elements; and the frame of the page. */
export const page = {
  lang: 'en',
  states: { connecting: 'Connecting', live: 'Live', offline: 'No data' },
  /**
   * The offline banner: what is missing since when, and what happens next.
   * @param {{lastDataAt: number|null, isServerAway: boolean, isStopped: boolean, isOff: boolean}} what @param {number} now Unix ms
   * @returns {[string, string]} title and detail
   */
  offline({ lastDataAt, isServerAway, isStopped, isOff }, now) {
    const since = lastDataAt === null ? 'No data from this machine yet.' : `No data since ${formatMoment(lastDataAt, now)}.`;
    if (isServerAway) return [empties.noServer[0], `${since} The page keeps trying to reach it.`];
    if (isStopped) return [control.byYou, `${since} This page no longer asks the machine for real-time data. Start begins again.`];
    if (isOff) return [control.off, since];
    return ['Offline', `${since} It may be switched off or out of coverage; charts go on by themselves when data comes.`];
  },
  /** @param {{shown: number, found: number, total: number}} counts @param {boolean} isSearching */
  signalCounts({ shown, found, total }, isSearching) {
    const all = `${found} of ${total} signals have values`;
    return isSearching ? `${shown} shown; ${all}` : all;
  },
  skip: 'Skip to the content',
  signedIn: 'Signed in',
  signOut: 'Sign out',
  tenants: 'Tenants',
  /** @param {{total: number, found: number}} counts @param {boolean} isSearching */
  tenantCounts: ({ total, found }, isSearching) => `${isSearching ? `${found} of ` : ''}${total} tenants`,
  crumbs: 'You are here',
  liveView: 'Live View',
  liveData: 'Live Data',
  metrics: 'Metrics',
  tabs: 'Views of this machine',
  edit: 'Edit charts',
  machines: 'Machines',
  search: 'Search by name or id',
  refresh: 'Refresh',
  signals: 'All signals',
  signalsSearch: 'Search name, unit or description',
  signal: 'Signal',
  value: 'Value',
  unit: 'Unit',
  about: 'Message · description',
  age: 'Age',
  commands: 'Commands',
  commandsHint: 'What this machine was asked, newest first',
  when: 'When',
  command: 'Command',
  who: 'Who',
  state: 'State',
  control: 'Real-time',
  history: 'History',
  historyTitle: 'All commands to this machine',
  beatTitle: 'Last time that this page asked the machine to go on',
  watchTitle: 'Viewers who keep this machine’s real-time data on',
  lastsTitle: 'How long the machine sends on without another command',
  delayTitle: 'From the end of a second on the machine until it is shown here',
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
  charts: 'Charts',
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
  noFrames: 'Single frames of this time are not stored.',
  /** @param {string} span */
  extremes: (span) => `lowest and highest of each ${span}`,
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
  close: 'Close',
  none: 'No chart is chosen, or it is not there any more. “New” makes one.',
  unnamed: 'Without title',
  unsaved: 'unsaved',
  add: 'New',
  copy: 'Copy',
  delete: 'Delete',
  import: 'Import …',
  export: 'Export',
  exportAll: 'Export all',
  /** @param {string} title */
  copyOf: (title) => `${title} (copy)`,
  title: 'Title',
  lines: 'Lines',
  axes: 'Axes',
  limits: 'Limits',
  automatic: 'automatic',
  search: 'Add a signal: name, unit, message or description',
  hits: 'Signals of this machine',
  used: 'in the chart',
  /** @param {number} found @param {number} max how many are shown */
  found: (found, max) => {
    if (found > max) return `${found} signals; the first ${max} are shown.`;
    return found ? '' : 'No signal matches. A chart has signals of one source only.';
  },
  noUnit: 'no unit',
  label: 'Label',
  color: 'Colour',
  automaticColor: 'automatic colour',
  dashed: 'dashed',
  style: 'Style',
  styles: { '': 'style automatic', line: 'line', step: 'steps' },
  side: 'Side',
  sides: { left: 'left', right: 'right' },
  min: 'Minimum',
  max: 'Maximum',
  value: 'Value',
  from: 'From',
  to: 'To',
  unit: 'Unit',
  level: 'Level',
  levels: { info: 'information', warn: 'warning', bad: 'danger' },
  addLimit: 'Add a limit',
  addBand: 'Add a band',
  /** What a control is for. @param {string} what @param {string} name of a line, an axis or a limit */
  of: (what, name) => `${what} of ${name}`,
  axis: (unit) => `axis ${unit}`,
  limit: (n) => `limit ${n}`,
  moveUp: (name) => `Move ${name} up`,
  moveDown: (name) => `Move ${name} down`,
  remove: (name) => `Remove ${name}`,
  // What is wrong
  titleLength: '1 to 200 characters',
  noNumber: 'not a number',
  /** @param {number} low */
  above: (low) => `must be above ${low}`,
  noValue: 'a value is needed',
  save: 'Save',
  discard: 'Discard',
  nothingChanged: 'Nothing is changed.',
  decide: 'Choose above first.',
  // What differs
  conflict: 'Changed by somebody else meanwhile',
  conflictGone: 'Deleted by somebody else meanwhile',
  keepMine: 'Keep mine',
  discardMine: 'Discard mine',
  added: 'added',
  removed: 'removed',
  changed: 'changed',
  rearranged: 'rearranged',
  /** @param {number|null} low @param {number|null} high */
  span: (low, high) => {
    if (low === high) return low ?? 'automatic';
    return low === null ? `up to ${high}` : high === null ? `from ${low}` : `${low} to ${high}`;
  },
  // What happened
  undo: 'Undo',
  dismiss: 'Dismiss',
  /** @param {string} title */
  saved: (title) => `Saved “${title}”.`,
  deleted: (title) => `Deleted “${title}”.`,
  discarded: (title) => `Discarded the changes of “${title}”.`,
  noServer: 'the server does not answer.',
  changedMeanwhile: 'somebody else has changed or deleted it meanwhile. The newest is shown now.',
  /** @param {string} message */
  failed: (message) => `Not done: ${message}`,
  /** @param {number} count @param {number} all */
  imported: (count, all) => `${count} of ${all} charts imported.`,
  /** @param {string} file */
  notImported: (file) => `${file} is not a file of chart groups.`,
};

/** Real-time control and the state of the stream. */
export const control = {
  start: ['Start', 'Ask the machine for real-time data'],
  stop: ['Stop', 'No longer ask the machine for real-time data'],
  stopping: 'Stopping …',
  byYou: 'Stopped by you',
  on: 'Real-time upload is on',
  off: 'Real-time upload is off; an operator can start it',
  others: 'Others keep it on',
  /** @param {string} age */
  beat: (age) => `heartbeat ${age}`,
  /** @param {string} age */
  ago: (age) => `${age} ago`,
  /** @param {number|null} count */
  watch: (count) => (count === 1 ? '1 viewer' : `${count ?? '–'} viewers`),
  /** @param {string} time */
  lasts: (time) => `goes on for ${time} without us`,
  /** @param {string} seconds */
  delay: (seconds) => `${seconds} from the machine to this screen`,
  /** @param {string} age @param {boolean} isBehind */
  clock: (age, isBehind) => `machine’s clock is ${age} ${isBehind ? 'behind' : 'ahead'}`,
};

/** The metrics view. */
export const metrics = {
  track: 'Track',
  keys: 'Drag or arrow keys move, + and − or Ctrl with the wheel zoom, double click or 0 shows all',
  zoomIn: 'Zoom in',
  fit: 'Fit',
  follow: 'Follow',
  noPlace: 'No position in this window.',
  /** @param {{lat: number, lng: number}} place */
  place: ({ lat, lng }) => `${lat.toFixed(5)}, ${lng.toFixed(5)}`,
  /** @param {number} m */
  length: (m) => {
    const [size, unit] = m < 999.5 ? [m, 'm'] : [m / 1000, 'km'];
    return `${Number(size.toPrecision(3))} ${unit}`;
  },
  /** @param {number} m */
  squares: (m) => `squares of ${metrics.length(m)}`,
  /** @param {number} m @param {string} from @param {string} to */
  facts: (m, from, to) => `${metrics.length(m)} from ${from} (ring) to ${to} (dot)`,
  health: 'App and computer',
  judged: { good: 'fine', warn: 'high', bad: 'too high' },
  /** @param {number} count */
  dropped: (count) => `${count} newly lost`,
  /** In its two largest units. @param {number} s */
  duration: (s) => inUnits(s * 1000, 2),
  groups: ['Computer', 'CAN', 'Upload', 'App'],
};
