/** Every text that the page shows. */
import { formatAge, formatMoment, formatTime } from '../base/format.js';

export const texts = {
  noName: 'Unnamed machine',
  online: 'Online',
  offline: 'Offline',
  realtime: 'Real-time',
  neverSeen: 'never',
  waiting: 'Waiting for the machine',
  noValues: 'No values in the last 2 minutes',
  noValue: 'no value yet',
  unknownField: 'not in this machine’s parsing',
  asking: 'Asking the machine for real-time data …',
  toDark: 'Dark theme',
  toLight: 'Light theme',
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
  /** @param {string} title @param {string[]} labels */
  chart: (title, labels) => `Line chart ${title}, last 2 minutes: ${labels.join(', ')}`,
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
 * @param {{lastDataAt: number|null, isServerAway: boolean}} what @param {number} now
 * @returns {{title: string, detail: string}}
 */
export function offlineText({ lastDataAt, isServerAway }, now) {
  const since = lastDataAt === null ? 'No data from this machine yet.' : `No data since ${formatMoment(lastDataAt, now)}.`;
  if (isServerAway) {
    return { title: 'The server does not answer', detail: `${since} The page keeps trying to reach it.` };
  }
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
    detail: `Tenant “${tenant}” has no such machine. Choose one from the list.`,
  }),
  noServer: {
    title: 'The server does not answer',
    detail: 'Check that duco_rt is running and that it can be reached. The page tries again by itself.',
  },
  /** @param {string} message */
  refused: (message) => ({ title: 'The server refused the request', detail: message }),
  noGroups: {
    title: 'No charts yet',
    detail: 'This tenant has no chart groups. As soon as one is defined, its charts appear here after a reload.',
  },
};

/** What index.html shows, by the `data-text` and `data-label` of its elements. */
export const page = {};

/** Time window, zoom, pause, taking away. */
export const view = {};

/** Charts, legend, cursor, tables. */
export const charts = {};

/** The editor of chart groups. */
export const groups = {};

/** Real-time control and the state of the stream. */
export const control = {};

/** The metrics view. */
export const metrics = {};
