/** The server's HTTP endpoints. Knows nothing of the page. All URLs are relative to it. */
import { localMs, serverClock } from './clock.js';

const TIMEOUT_MS = 15_000;
/** History of a day, or of every frame, takes its time. */
const HISTORY_MS = 60_000;
/** The Date header has whole seconds. */
const DATE_TOLERANCE_MS = 1000;
/** The server's limit for one history request. */
const HISTORY_FIELDS_MAX = 100;

/** What went wrong with a request. `status` is 0 where no answer came. */
export class ApiError extends Error {
  /** @param {number} status @param {string} code @param {string} message @param {Object|null} [body] the whole answer */
  constructor(status, code, message, body = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

async function readBody(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

/**
 * Ask for JSON.
 * @param {string} url @param {RequestInit} [options] @param {number} [timeoutMs]
 * @throws {ApiError} its code is `timeout` or `unreachable` where no answer came, `aborted` where the asker gave up
 */
export async function request(url, options = {}, timeoutMs = TIMEOUT_MS) {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  let response;
  let body;
  try {
    response = await fetch(url, { cache: 'no-store', ...options, signal });
    serverClock.heard(Date.parse(response.headers.get('date')), localMs(), DATE_TOLERANCE_MS);
    body = await readBody(response);
    signal.throwIfAborted();
  } catch (error) {
    const code = options.signal?.aborted ? 'aborted' : timeout.aborted ? 'timeout' : 'unreachable';
    throw new ApiError(0, code, String(error));
  }
  if (!response.ok) {
    const { code = 'http', message = response.statusText } = body?.error ?? {};
    throw new ApiError(response.status, String(code), String(message), body);
  }
  if (body === null) throw new ApiError(response.status, 'not_json', 'The answer is not JSON');
  return body;
}

const part = encodeURIComponent;

/** @param {string} tenant @returns {string} the tenant's part of all URLs */
export function datasets(tenant) {
  return `api/resources/${part(tenant)}/_common/datasets`;
}

/**
 * @typedef {{chassisId: string, name: string, online: boolean, realtime: boolean, lastSeen: number|null}} Device
 * @typedef {{name: string, unit: string|null, min: number|null, max: number|null,
 *   choices: Object<string, string>|null, description: string|null, message?: string|null}} Field
 * @typedef {{field: string, label: string|null, color: string|null}} Line
 * @typedef {{groupId: string, title: string, msgType: string, lines: Line[], order: number}} Group
 * @typedef {{commandId: string, action: string, reason: string, who: string, state: string, queued: number,
 *   sent: number|null, answered: number|null, answer: {status: number, payload: Object}|null, error: string|null,
 *   beats: number, lastBeat: number|null}} Command
 */

/** @param {string} tenant @returns {Promise<Device[]>} */
export function getDevices(tenant) {
  return request(datasets(tenant));
}

/** @param {string} tenant @returns {Promise<Group[]>} in their order */
export async function getGroups(tenant) {
  const { groups } = await request(`${datasets(tenant)}/_groups`);
  return [...groups].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
}

/** @param {string} tenant @param {string} chassisId @param {string} msgType @returns {Promise<Field[]>} */
export function getFields(tenant, chassisId, msgType) {
  return request(`${datasets(tenant)}/${part(chassisId)}/fields?msgType=${part(msgType)}`);
}

/** A machine may not have a msgType at all; then it has no fields of it. @type {typeof getFields} */
export async function getFieldsIfAny(tenant, chassisId, msgType) {
  try {
    return await getFields(tenant, chassisId, msgType);
  } catch (error) {
    if (error.status === 400 || error.status === 404) return [];
    throw error;
  }
}

/**
 * History, of the last 2 min unless told otherwise. More fields than one request takes come as several answers.
 * @param {{tenant: string, chassisId: string, msgType: string}} stream
 * @param {string[]} fields
 * @param {Object<string, string|number>} [query] from, to, points, stats, resolution
 * @param {AbortSignal} [signal]
 * @returns {Promise<Object[]>} as docs/formats.md has them
 */
export async function getHistory(stream, fields, query = {}, signal = undefined) {
  const base = `${datasets(stream.tenant)}/${part(stream.chassisId)}/history?`;
  const answers = [];
  for (let i = 0; i < fields.length; i += HISTORY_FIELDS_MAX) {
    const names = fields.slice(i, i + HISTORY_FIELDS_MAX).join(',');
    // One after the other: the server works on few large ones at once.
    const url = base + new URLSearchParams({ msgType: stream.msgType, fields: names, ...query });
    answers.push(await request(url, { signal }, HISTORY_MS));
  }
  return answers;
}

/**
 * The commands that a machine was given, newest first. Times are Unix ms by the server's clock.
 * @param {string} tenant @param {string} chassisId @param {number} limit
 * @returns {Promise<Command[]>}
 */
export async function getCommands(tenant, chassisId, limit) {
  const { commands } = await request(`${datasets(tenant)}/${part(chassisId)}/commands?limit=${limit}`);
  return commands;
}

/** @param {{tenant: string, chassisId: string, msgType: string}} stream @returns {string} an absolute ws: URL */
export function liveUrl({ tenant, chassisId, msgType }) {
  const url = new URL(`${datasets(tenant)}/${part(chassisId)}/live?msgType=${part(msgType)}`, document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/**
 * Switch real-time upload. `keepalive` lets the request outlive the page.
 * @param {string} chassisId
 * @param {{action: 'start'|'stop', commandId: string, viewerId: string}} command
 * @param {boolean} [keepalive]
 * @returns {Promise<{status: number, payload: {action: string, realtime: boolean, ts: number, source: string}}>}
 */
export function setRealTimeUpload(chassisId, command, keepalive = false) {
  const body = { methodName: 'setRealTimeUpload', payload: { ...command, reason: 'user_action' } };
  const options = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    keepalive,
  };
  // No hub but this one has devices; the server forwards what it does not answer itself.
  return request(`api/iothubs/ducohub/devices/${part(chassisId)}/methods`, options);
}
