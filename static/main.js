/** The page: which tenant, machine and view the URL names, and what the page says about them. */
import { CHOICES, chooseTheme, initTheme, themeChoice } from './base/theme.js';
import { account, askAccount, mayOperate } from './base/account.js';
import { DeviceList, deviceName } from './machine/devices.js';
import { byId, fillTexts, setText, tell } from './base/dom.js';
import { readRoute, writeRoute } from './view/route.js';
import { Poll } from './machine/poll.js';
import { Session } from './machine/session.js';
import { exposeState } from './machine/expose.js';
import { initKeys } from './base/keys.js';
import { empties, page } from './texts.js';
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

/** @param {import('./machine/presence.js').State|''} state '' where nothing is said of a machine */
function showState(state, lastDataAt = null, isStopped = false, isOff = false) {
  document.documentElement.dataset.state = state || 'connecting';
  tell('state', page.states[state] ?? '');
  byId('offline').hidden = state !== 'offline';
  if (state !== 'offline') return;
  const [title, detail] = page.offline({ lastDataAt, isServerAway, isStopped, isOff }, serverClock.now());
  setText(byId('offline-title'), title);
  setText(byId('offline-detail'), detail);
}

/** Instead of charts or machines; nothing takes it away. */
function showEmpty(title = '', detail = '') {
  byId('empty').hidden = !title;
  setText(byId('empty-title'), title);
  setText(byId('empty-detail'), detail);
}

/** What the URL says behind `?`. @returns {Object<string, string>|undefined} */
function currentParams() {
  return shown.view === 'portal' ? { q: byId('filter').value } : session?.board.params;
}

/** The other view of the machine keeps its window. */
function linkTabs() {
  for (const view of ['live', 'metrics']) {
    byId(`tab-${view}`).href = writeRoute({ ...shown, view, params: currentParams() });
    byId(`tab-${view}`).ariaCurrent = view === shown.view ? 'page' : null;
  }
}

/** Breadcrumb, tabs and titles. @param {import('./data/api.js').Device} [device] */
function showFrame(device) {
  const { tenant, view, chassisId } = shown;
  const isPortal = view === 'portal';
  const name = device ? deviceName(device) : chassisId;
  setText(byId('crumb-tenant'), tenant || page.tenants);
  byId('crumb-portal').parentNode.hidden = !tenant;
  if (account.tenants.length > 1) byId('crumb-tenant').href = '#/';
  setText(byId('crumb-machine'), isPortal ? '' : name);
  byId('crumb-portal').href = writeRoute({ tenant, view: 'portal', params: { q: byId('filter').value } });
  byId('crumb-portal').ariaCurrent = isPortal ? 'page' : null;
  linkTabs();
  byId('head').hidden = !isPortal && !session;
  setText(byId('title'), !tenant ? page.tenants : isPortal ? page.liveView : name);
  setText(byId('subtitle'), isPortal ? tenant : device?.name ? chassisId : '');
  document.title = `${isPortal ? tenant || page.tenants : name} – ${page[{ portal: 'liveView', live: 'liveData', metrics: 'metrics' }[view]]}`;
}

/** The machines are a page of their own in the portal, and stand beside a machine. */
function layOut() {
  const { view } = shown;
  document.documentElement.dataset.view = view;
  const machines = byId('machines');
  const home = view === 'portal' ? byId('main') : byId('rail');
  if (machines.parentNode === home) return;
  const hadFocus = machines.contains(document.activeElement);
  if (view === 'portal') byId('head').after(machines);
  else home.append(machines);
  if (hadFocus) byId('main').focus({ preventScroll: true });
  scrollTo(0, 0);
}

function closeSession() {
  session?.close();
  session = null;
  showState('');
  tell('notice', '');
}

function openSession() {
  closeSession();
  showEmpty();
  session = new Session(shown, {
    onState: showState,
    onNotice: (text) => tell('notice', text),
    onGroups: (isEmpty) => {
      showEmpty(...(isEmpty ? empties.noGroups(mayOperate(shown.tenant)) : []));
      if (isEmpty) showState('');
    },
    onChange: followView,
  });
  session.open();
}

/** The URL says what is shown, so that it can be sent to a colleague. */
function writeUrl() {
  urlTimer = 0;
  const at = readRoute(location.hash);
  const params = currentParams();
  // Otherwise the reader is on the way to somewhere else.
  if (!params || writeRoute({ ...at, params }) !== writeRoute({ ...shown, params })) return;
  shown = { ...shown, params }; // also for a machine that comes back
  const hash = writeRoute(shown);
  if (hash !== location.hash) history.replaceState(null, '', hash);
  linkTabs();
}

function followView() {
  urlTimer ||= setTimeout(writeUrl, URL_MS);
}

function showMachine(device, isMoved) {
  if (session?.board.chassisId !== device.chassisId) openSession();
  else {
    session.show(shown.view);
    if (isMoved && writeRoute(shown) !== writeRoute({ ...shown, params: currentParams() })) session.board.params = shown.params;
  }
  session.listed(device);
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
    const unknown = isPortal ? [] : empties.unknownDevice(tenant, chassisId);
    showEmpty(...(!devices ? empties.loading : devices.length ? unknown : empties.noDevices(tenant)));
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
  if (error.status === 401) return; // on the way to sign in
  isServerAway = error.status === 0 || error.status >= 500;
  byId('devices').classList.toggle('old', isServerAway);
  if (!devices) showEmpty(...(isServerAway ? empties.noServer : empties.refused(error.message)));
}

/** The URL changed, by a click, by Back or by hand. */
function followUrl() {
  const { tenant } = shown;
  const route = readRoute(location.hash);
  const { tenants } = account;
  shown = { ...route, tenant: route.tenant || (tenants.length > 1 ? '' : tenants[0] ?? DEFAULT_TENANT) };
  if (!shown.tenant) shown.view = 'portal';
  document.documentElement.classList.toggle('viewer', !mayOperate(shown.tenant));
  if (shown.tenant !== tenant || !list) {
    closeSession();
    list?.stop();
    devices = null;
    byId('filter').value = '';
    list = new DeviceList(shown.tenant, { onList, onError: onListError, onSearch: followView });
  }
  if (devices && shown.view !== 'portal' && !shown.chassisId) onList(devices);
  else showRouted(true);
}

function showTheme() {
  const text = page.themes[themeChoice()];
  setText(byId('theme-text'), text);
  byId('theme').ariaLabel = text; // on a phone the symbol stands alone
}

function begin() {
  signIn.stop();
  byId('account').hidden = account.auth === 'none';
  setText(byId('user'), account.name);
  addEventListener('hashchange', followUrl);
  followUrl();
}

const signIn = new Poll(askAccount, { onAnswer: begin, onError: onListError });

function start() {
  document.documentElement.lang = page.lang;
  fillTexts(page);
  initTheme();
  initKeys();
  exposeState(() => session?.board);
  showTheme();
  byId('skip').onclick = (event) => {
    event.preventDefault(); // the hash names a machine
    byId('main').focus();
  };
  byId('theme').onclick = () => chooseTheme(CHOICES[(CHOICES.indexOf(themeChoice()) + 1) % CHOICES.length]);
  byId('edit').onclick = () => session?.board.edit?.(null);
  byId('refresh').onclick = () => session?.refresh();
  addEventListener('themechange', showTheme);
  addEventListener('pagehide', closeSession);
  // A page that comes out of the back-forward cache has been left before, perhaps by signing out.
  addEventListener('pageshow', (event) => event.persisted && signIn.run());
  signIn.run();
}

start();
