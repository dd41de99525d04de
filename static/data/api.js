/** The server's HTTP endpoints. Knows nothing of the page but how to leave it. All URLs are relative to it. */
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
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Ask for JSON. Where nobody is signed in any more, the browser goes to the sign-in page, and from there back.
 * @param {string} url @param {RequestInit} [options] @param {number} [timeoutMs]
 * @throws {ApiError}
 */
export async function request(url, options = {}, timeoutMs = TIMEOUT_MS) {
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(options.signal ? [options.signal] : [])]);
  let response;
  let body;
  try {
    response = await fetch(url, { cache: 'no-store', ...options, signal });
    serverClock.heard(Date.parse(response.headers.get('date')), localMs(), DATE_TOLERANCE_MS);
    body = await response.json().catch(() => null);
    signal.throwIfAborted();
  } catch (error) {
    throw new ApiError(0, String(error));
  }
  if (response.ok && body !== null) return body;
  if (response.status === 401) globalThis.location?.replace(`sign-in${location.hash}`);
  throw new ApiError(response.status, String(body?.error?.message ?? `HTTP ${response.status}`));
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
  const { groups } = await request(`${datasets(tenant)}/_groups`, { cache: 'no-cache' });
  return [...groups].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
}

const device = ({ tenant, chassisId }) => `${datasets(tenant)}/${part(chassisId)}`;

/**
 * A machine may not have a msgType at all; then it has no fields of it.
 * @param {string} tenant @param {string} chassisId @param {string} msgType @returns {Promise<Field[]>}
 */
export async function getFieldsIfAny(tenant, chassisId, msgType) {
  try {
    return await request(`${device({ tenant, chassisId })}/fields?msgType=${part(msgType)}`);
  } catch (error) {
    if (error.status === 400 || error.status === 404) return [];
    throw error;
  }
}

/** @param {T[]} list @param {number} most @returns {T[][]} parts of so many at most @template T */
export function inParts(list, most) {
  const parts = [];
  for (let i = 0; i < list.length; i += most) parts.push(list.slice(i, i + most));
  return parts;
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
  const answers = [];
  for (const names of inParts(fields, HISTORY_FIELDS_MAX)) {
    // One after the other: the server works on few large ones at once.
    const params = new URLSearchParams({ msgType: stream.msgType, fields: names.join(), ...query });
    answers.push(await request(`${device(stream)}/history?${params}`, { signal }, HISTORY_MS));
  }
  return answers;
}

/**
 * The commands that a machine was given, newest first. Times are Unix ms by the server's clock.
 * @param {string} tenant @param {string} chassisId @param {number} limit
 * @returns {Promise<Command[]>}
 */
export async function getCommands(tenant, chassisId, limit) {
  const { commands } = await request(`${device({ tenant, chassisId })}/commands?limit=${limit}`);
  return commands;
}

/** @param {{tenant: string, chassisId: string, msgType: string}} stream @returns {string} an absolute ws: URL */
export function liveUrl(stream) {
  const url = new URL(`${device(stream)}/live?msgType=${part(stream.msgType)}`, document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
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
