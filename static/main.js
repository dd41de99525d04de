/** The page: which tenant and machine the URL names, and what the page says about them. */
import { DeviceList, deviceHash, deviceName } from './machine/devices.js';
import { byId, setText } from './base/dom.js';
import { Session } from './machine/session.js';
import { answerText, commandErrorText, empties, offlineText, states, texts } from './texts.js';
import { initTheme, theme, toggleTheme } from './base/theme.js';

const DEFAULT_TENANT = 'duco';

/** @type {Session|null} */
let session = null;
/** @type {DeviceList|null} */
let list = null;
/** @type {import('./data/api.js').Device[]|null} */
let devices = null;
let tenant = '';
let isServerAway = false;
let wasOnline = false;

/** @returns {{tenant: string, chassisId: string}} from `#/tenant/chassisId` */
function route() {
  const [, first, second] = location.hash.split('/').map((text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  });
  return { tenant: first || DEFAULT_TENANT, chassisId: second ?? '' };
}

function showState(state, lastDataAt) {
  document.documentElement.dataset.state = state;
  byId('state').hidden = false;
  setText(byId('state'), states[state]);
  const isOffline = state === 'offline';
  byId('offline').hidden = !isOffline;
  if (!isOffline) return;
  const { title, detail } = offlineText({ lastDataAt, isServerAway }, Date.now());
  setText(byId('offline-title'), title);
  setText(byId('offline-detail'), detail);
}

function showEmpty(what) {
  byId('empty').hidden = what === null;
  byId('head').hidden = what !== null && session === null;
  if (!what) return;
  setText(byId('empty-title'), what.title);
  setText(byId('empty-detail'), what.detail);
}

function showNotice(text) {
  byId('notice').hidden = text === '';
  setText(byId('notice'), text);
}

function showAnswer(kind, text) {
  byId('answer').dataset.kind = kind;
  setText(byId('answer'), text);
}

function showTitle(device) {
  setText(byId('title'), deviceName(device));
  setText(byId('subtitle'), device.name ? device.chassisId : '');
  document.title = `${deviceName(device)} – Live Data`;
}

function showGroups(isEmpty) {
  showEmpty(isEmpty ? empties.noGroups : null);
  if (isEmpty) hideState();
}

function hideState() {
  byId('offline').hidden = true;
  byId('state').hidden = true;
  document.documentElement.dataset.state = 'connecting';
}

function closeSession() {
  session?.close();
  session = null;
  hideState();
  showNotice('');
}

function openSession(device) {
  closeSession();
  wasOnline = device.online;
  session = new Session(
    tenant,
    device.chassisId,
    {
      onState: showState,
      onNotice: showNotice,
      onGroups: showGroups,
    },
    {
      onAsk: () => showAnswer('asking', texts.asking),
      onAnswer: showDeviceAnswer,
      onError: showCommandError,
    },
  );
  showEmpty(null);
  showTitle(device);
  list.setCurrent(device.chassisId);
  session.open();
}

function showDeviceAnswer(answer) {
  const isGood = answer.status === 200 && answer.realtime;
  // It answers, so it is there, whatever the list said a moment ago: no need to ask when the list follows.
  if (isGood) wasOnline = true;
  showAnswer(isGood ? 'good' : 'bad', answerText(answer));
}

function showCommandError(error) {
  // Not there, or not reached: it is asked as soon as the list has it. One that is slow waits for the heartbeat.
  if (error.status === 409 || error.status === 0) wasOnline = false;
  showAnswer('bad', commandErrorText(error));
}

/** Show the machine that the URL names, or the first one that is online. */
function showRouted() {
  if (!devices) return;
  const { chassisId } = route();
  const device = chassisId
    ? devices.find((d) => d.chassisId === chassisId)
    : (devices.find((d) => d.online) ?? devices[0]);
  if (device) {
    if (!chassisId) history.replaceState(null, '', deviceHash(tenant, device.chassisId));
    if (session?.chassisId !== device.chassisId) openSession(device);
    else showTitle(device);
    askReturned(device);
    return;
  }
  closeSession();
  list.setCurrent('');
  showEmpty(devices.length ? empties.unknownDevice(tenant, chassisId) : empties.noDevices(tenant));
}

/** A machine that comes back is asked at once instead of at the next heartbeat. */
function askReturned(device) {
  if (device.online && !wasOnline) session.ask();
  wasOnline = device.online;
}

function setServerAway(isAway) {
  isServerAway = isAway;
  byId('devices').classList.toggle('old', isAway);
}

function onList(found) {
  setServerAway(false);
  devices = found;
  showRouted();
}

function onListError(error) {
  setServerAway(error.status === 0 || error.status >= 500);
  if (!session) showEmpty(isServerAway ? empties.noServer : empties.refused(error.message));
}

/** The URL changed, by a click or by hand. */
function followUrl() {
  const next = route();
  if (next.tenant === tenant) {
    showRouted();
    return;
  }
  closeSession();
  list?.stop();
  tenant = next.tenant;
  devices = null;
  showEmpty(empties.loading);
  list = new DeviceList(tenant, onList, onListError);
  list.start();
}

function showThemeButton() {
  const text = theme() === 'dark' ? texts.toLight : texts.toDark;
  setText(byId('theme-text'), text);
  byId('theme').setAttribute('aria-label', text); // on a phone the symbol stands alone
}

/** Copies for tests and for the curious; nothing on the page can be changed through them. */
function exposeState() {
  const series = (msgType, field) => {
    const table = session?.feeds.get(msgType)?.table;
    if (!table) return { seq: [], ts: [], v: [] };
    return { seq: [...table.seq], ts: [...table.ts], v: [...(table.fields.get(field) ?? [])] };
  };
  window.ducoPage = Object.freeze({
    series,
    get received() {
      return session?.received ?? 0;
    },
  });
}

function start() {
  initTheme();
  exposeState();
  showThemeButton();
  byId('skip').addEventListener('click', (event) => {
    event.preventDefault(); // the hash names a machine
    byId('main').focus();
  });
  byId('theme').addEventListener('click', toggleTheme);
  byId('refresh').addEventListener('click', () => session?.refresh());
  addEventListener('themechange', showThemeButton);
  addEventListener('hashchange', followUrl);
  addEventListener('online', () => session?.refresh());
  addEventListener('pagehide', closeSession);
  // A page that comes out of the back-forward cache has been left before.
  addEventListener('pageshow', (event) => {
    if (event.persisted) showRouted();
  });
  followUrl();
}

start();
