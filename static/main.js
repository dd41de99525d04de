/** The page: which tenant, machine and view the URL names, and what the page says about them. */
import { CHOICES, chooseTheme, initTheme, themeChoice } from './base/theme.js';
import { DeviceList, deviceName } from './machine/devices.js';
import { byId, fillTexts, setText } from './base/dom.js';
import { readRoute, writeRoute } from './view/route.js';
import { Session } from './machine/session.js';
import { exposeState } from './machine/expose.js';
import { initKeys } from './base/keys.js';
import { empties, offlineText, page, states } from './texts.js';
import { serverClock } from './data/clock.js';

const DEFAULT_TENANT = 'duco';
/** The URL follows the view, not more often than this. */
const URL_MS = 500;

/** @type {Session|null} */
let session = null;
/** @type {DeviceList|null} */
let list = null;
/** @type {import('./data/api.js').Device[]|null} */
let devices = null;
/** What is on the screen. @type {import('./view/route.js').Route} */
let shown = { tenant: '', view: 'live', chassisId: '', params: {} };
let isServerAway = false;
let urlTimer = 0;

function showState(state, lastDataAt, isStopped) {
  document.documentElement.dataset.state = state;
  byId('state').hidden = false;
  setText(byId('state'), states[state]);
  const isOffline = state === 'offline';
  byId('offline').hidden = !isOffline;
  if (!isOffline) return;
  const { title, detail } = offlineText({ lastDataAt, isServerAway, isStopped }, serverClock.now());
  setText(byId('offline-title'), title);
  setText(byId('offline-detail'), detail);
}

function hideState() {
  byId('offline').hidden = true;
  byId('state').hidden = true;
  document.documentElement.dataset.state = 'connecting';
}

function showEmpty(what) {
  byId('empty').hidden = what === null;
  if (!what) return;
  setText(byId('empty-title'), what.title);
  setText(byId('empty-detail'), what.detail);
}

function showNotice(text) {
  byId('notice').hidden = text === '';
  setText(byId('notice'), text);
}

/** The other view of the machine keeps its window. */
function linkTabs(params) {
  for (const view of ['live', 'metrics']) {
    byId(`tab-${view}`).href = writeRoute({ ...shown, view, params });
    byId(`tab-${view}`).ariaCurrent = view === shown.view ? 'page' : null;
  }
}

/** Breadcrumb, tabs and titles. */
function showFrame(device = null) {
  const { tenant, view, chassisId } = shown;
  const isPortal = view === 'portal';
  const name = device ? deviceName(device) : chassisId;
  setText(byId('crumb-tenant'), tenant);
  setText(byId('crumb-machine'), isPortal ? '' : name);
  byId('crumb-portal').href = writeRoute({ tenant, view: 'portal', params: { q: byId('filter').value } });
  byId('crumb-portal').ariaCurrent = isPortal ? 'page' : null;
  linkTabs(session?.board.params);
  byId('head').hidden = !isPortal && !session;
  setText(byId('title'), isPortal ? page.liveView : name);
  setText(byId('subtitle'), isPortal ? tenant : device?.name ? chassisId : '');
  const title = isPortal ? page.liveView : view === 'metrics' ? page.metrics : page.liveData;
  document.title = `${isPortal ? tenant : name} – ${title}`;
}

/** The machines are a page of their own in the portal, and stand beside a machine. */
function layOut() {
  const { view } = shown;
  document.documentElement.dataset.view = view;
  const isPortal = view === 'portal';
  const home = isPortal ? byId('main') : byId('rail');
  if (byId('machines').parentNode === home) return;
  if (isPortal) byId('head').after(byId('machines'));
  else {
    const wasInList = byId('machines').contains(document.activeElement);
    home.append(byId('machines'));
    if (wasInList) byId('main').focus({ preventScroll: true });
  }
  scrollTo(0, 0);
}

function closeSession() {
  session?.close();
  session = null;
  hideState();
  showNotice('');
}

function openSession() {
  closeSession();
  showEmpty(null);
  session = new Session(shown, {
    onState: showState,
    onNotice: showNotice,
    onGroups: (isEmpty) => {
      showEmpty(isEmpty ? empties.noGroups : null);
      if (isEmpty) hideState();
    },
    onChange: followView,
  });
  session.open();
}

/** The URL says what is shown, so that it can be sent to a colleague. */
function writeUrl() {
  urlTimer = 0;
  const { tenant, view, chassisId } = readRoute(location.hash);
  // The reader is on the way to somewhere else.
  if (tenant !== shown.tenant || view !== shown.view || chassisId !== shown.chassisId) return;
  const params = view === 'portal' ? { q: byId('filter').value } : session?.board.params;
  if (!params) return;
  const hash = writeRoute({ ...shown, params });
  if (hash !== location.hash) history.replaceState(null, '', hash);
  linkTabs(params);
}

function followView() {
  urlTimer ||= setTimeout(writeUrl, URL_MS);
}

function showMachine(device, isMoved) {
  if (session?.chassisId !== device.chassisId) openSession();
  else {
    session.show(shown.view);
    const isOther = writeRoute(shown) !== writeRoute({ ...shown, params: session.board.params });
    if (isMoved && isOther) session.board.params = shown.params;
  }
  session.listed(device.online);
}

/** Show what the URL names. @param {boolean} isMoved whether the URL is another one than before */
function showRouted(isMoved) {
  const { tenant, view, chassisId, params } = shown;
  const isPortal = view === 'portal';
  const device = devices?.find((each) => each.chassisId === chassisId);
  layOut();
  if (isPortal && isMoved) list.search(params.q ?? '');
  if (device && !isPortal) showMachine(device, isMoved);
  else {
    closeSession();
    const unknown = isPortal ? null : empties.unknownDevice(tenant, chassisId);
    showEmpty(!devices ? empties.loading : devices.length ? unknown : empties.noDevices(tenant));
  }
  list.setCurrent(chassisId);
  showFrame(device);
}

function onList(found) {
  isServerAway = false;
  byId('devices').classList.remove('old');
  devices = found;
  if (shown.view !== 'portal' && !shown.chassisId && found.length) {
    shown.chassisId = (found.find(({ online }) => online) ?? found[0]).chassisId;
    history.replaceState(null, '', writeRoute(shown));
  }
  showRouted(false);
}

function onListError(error) {
  isServerAway = error.status === 0 || error.status >= 500;
  byId('devices').classList.toggle('old', isServerAway);
  if (!devices) showEmpty(isServerAway ? empties.noServer : empties.refused(error.message));
}

/** The URL changed, by a click, by Back or by hand. */
function followUrl() {
  const { tenant } = shown;
  const route = readRoute(location.hash);
  shown = { ...route, tenant: route.tenant || DEFAULT_TENANT };
  if (shown.tenant !== tenant) {
    closeSession();
    list?.stop();
    devices = null;
    byId('filter').value = '';
    list = new DeviceList(shown.tenant, onList, onListError, followView);
    list.start();
  }
  if (devices && shown.view !== 'portal' && !shown.chassisId) onList(devices);
  else showRouted(true);
}

function showThemeButton() {
  const text = page.themes[themeChoice()];
  setText(byId('theme-text'), text);
  byId('theme').setAttribute('aria-label', text); // on a phone the symbol stands alone
}

function start() {
  document.documentElement.lang = page.lang;
  fillTexts(page);
  initTheme();
  initKeys();
  exposeState(() => session);
  showThemeButton();
  byId('skip').onclick = (event) => {
    event.preventDefault(); // the hash names a machine
    byId('main').focus();
  };
  byId('theme').onclick = () => chooseTheme(CHOICES[(CHOICES.indexOf(themeChoice()) + 1) % CHOICES.length]);
  byId('edit').onclick = () => session?.board.edit?.(null);
  byId('refresh').onclick = () => session?.refresh();
  addEventListener('themechange', showThemeButton);
  addEventListener('hashchange', followUrl);
  addEventListener('pagehide', closeSession);
  // A page that comes out of the back-forward cache has been left before.
  addEventListener('pageshow', (event) => event.persisted && showRouted(false));
  followUrl();
}

start();
