/** The machines of a tenant, in the portal and in the rail: asked for every 5 s, changed in place. */
import { ApiError, getDevices } from '../data/api.js';
import { byId, element, setText } from '../base/dom.js';
import { page, texts } from '../texts.js';
import { serverClock } from '../data/clock.js';
import { writeRoute } from '../view/route.js';

const REFRESH_MS = 5000;
/** So many rows are in the page at most; thousands would cost the browser a second. */
const SHOWN_MAX = 200;
/** On a phone, beside a machine, a search is of use from this many machines on. */
const SEARCH_FROM = 8;

/** @typedef {import('../data/api.js').Device} Device */

/** @param {Device} device */
export function deviceName(device) {
  return device.name || device.chassisId || texts.noName;
}

function buildEntry(tenant, chassisId) {
  const dot = element('span', { class: 'dot', role: 'img' });
  const name = element('span', { class: 'device-name' });
  const badge = element('span', { class: 'badge' }, texts.realtime);
  const seen = element('span', { class: 'device-seen', title: texts.seenTitle });
  const id = element('span', { class: 'device-id' }, chassisId);
  const href = writeRoute({ tenant, view: 'live', chassisId });
  const link = element('a', { class: 'device', href, 'data-chassis': chassisId }, [
    dot,
    name,
    element('span', { class: 'device-meta' }, [id, badge, seen]),
  ]);
  return { item: element('li', {}, link), link, dot, name, badge, seen };
}

function update({ link, dot, name, badge, seen }, device) {
  const state = device.online ? texts.online : texts.offline;
  link.classList.toggle('online', device.online);
  if (dot.title !== state) {
    dot.title = state;
    dot.setAttribute('aria-label', state);
  }
  setText(name, deviceName(device));
  name.title = name.textContent;
  badge.hidden = !device.realtime;
  setText(seen, device.lastSeen === null ? texts.neverSeen : texts.lastSeen(serverClock.now() - device.lastSeen));
}

/** How many links stand in a row. */
function columnsOf(links) {
  const top = links[0].offsetTop;
  const next = links.findIndex((link) => link.offsetTop !== top);
  return next < 1 ? 1 : next;
}

export class DeviceList {
  #tenant;
  #onList;
  #onError;
  #onSearch;
  #timer = 0;
  #isStopped = false;
  /** @type {Device[]|null} */
  #devices = null;
  /** What a search looks at, by device. @type {string[]} */
  #haystack = [];
  /** Rows that were shown once. */
  #entries = new Map();
  #current = '';

  /**
   * @param {string} tenant
   * @param {(devices: Device[]) => void} onList @param {(error: import('../data/api.js').ApiError) => void} onError
   * @param {(text: string) => void} onSearch what is searched for changed
   */
  constructor(tenant, onList, onError, onSearch) {
    this.#tenant = tenant;
    this.#onList = onList;
    this.#onError = onError;
    this.#onSearch = onSearch;
    byId('filter').oninput = () => this.#searched();
    byId('machines').onkeydown = (event) => this.#key(event);
    byId('devices').replaceChildren();
    byId('machines-more').hidden = true;
    setText(byId('machines-count'), '');
  }

  start() {
    this.#load();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#isStopped = true;
  }

  /** @param {string} chassisId the one that is shown, '' for none */
  setCurrent(chassisId) {
    const isNew = chassisId !== this.#current;
    this.#current = chassisId;
    if (!isNew) return;
    this.#show();
    this.#entries.get(chassisId)?.link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** @param {string} text */
  search(text) {
    if (byId('filter').value === text) return;
    byId('filter').value = text;
    this.#show();
  }

  async #load() {
    try {
      const devices = await getDevices(this.#tenant);
      if (!this.#isStopped) this.#take(devices);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!this.#isStopped) this.#onError(error);
    } finally {
      if (!this.#isStopped) this.#timer = setTimeout(() => this.#load(), REFRESH_MS);
    }
  }

  #take(devices) {
    this.#devices = devices;
    this.#haystack = devices.map(({ chassisId, name }) => `${chassisId}\n${name}`.toLowerCase());
    this.#show();
    this.#onList(devices);
  }

  #searched() {
    this.#show();
    this.#onSearch(byId('filter').value);
  }

  #show() {
    if (!this.#devices) return;
    const words = byId('filter').value.trim().toLowerCase().split(/\s+/);
    const found = this.#devices.filter((_, i) => words.every((word) => this.#haystack[i].includes(word)));
    const shown = found.filter((device, i) => i < SHOWN_MAX || device.chassisId === this.#current);
    this.#place(shown);
    const counts = { total: this.#devices.length, found: found.length, online: found.filter((d) => d.online).length };
    setText(byId('machines-count'), page.counts(counts, words[0] !== ''));
    byId('machines').classList.toggle('few', this.#devices.length < SEARCH_FROM);
    byId('machines-more').hidden = shown.length === found.length && found.length > 0;
    setText(byId('machines-more'), found.length ? page.more(found.length - shown.length) : page.notFound);
  }

  /** Rows are made once, and moved only where they stand wrong: focus and scroll stay. */
  #place(devices) {
    const list = byId('devices');
    const ids = new Set(devices.map(({ chassisId }) => chassisId));
    for (const item of [...list.children]) if (!ids.has(item.firstChild.dataset.chassis)) item.remove();
    devices.forEach((device, i) => {
      const { chassisId } = device;
      if (!this.#entries.has(chassisId)) this.#entries.set(chassisId, buildEntry(this.#tenant, chassisId));
      const entry = this.#entries.get(chassisId);
      if (list.children[i] !== entry.item) list.insertBefore(entry.item, list.children[i] ?? null);
      update(entry, device);
      if (chassisId === this.#current) entry.link.setAttribute('aria-current', 'page');
      else entry.link.removeAttribute('aria-current');
    });
  }

  /** Arrows go from the search into the list and about in it, as it is laid out. */
  #key(event) {
    const search = byId('filter');
    if (event.key === 'Escape' && (search.value || document.activeElement !== search)) {
      search.value = '';
      search.focus();
      this.#searched();
      return;
    }
    const links = [...byId('devices').querySelectorAll('a')];
    const at = links.indexOf(document.activeElement);
    if (event.key === 'Enter' && at < 0) links[0]?.click();
    const next = links.length ? this.#next(event.key, at, links) : at;
    if (at >= 0 && event.key.startsWith('Arrow')) event.preventDefault(); // neither scrolls nor moves the time window
    if (next === at) return;
    event.preventDefault();
    (links[next] ?? search).focus();
  }

  /** @returns {number} the link to go to, -1 for the search, `at` to stay */
  #next(key, at, links) {
    const last = links.length - 1;
    if (at < 0) return key === 'ArrowDown' ? 0 : at;
    const columns = columnsOf(links);
    const by = { ArrowDown: columns, ArrowUp: -columns, ArrowRight: 1, ArrowLeft: -1 }[key];
    if (key === 'Home') return 0;
    if (key === 'End') return last;
    if (!by) return at;
    return at + by > last ? at : Math.max(-1, at + by);
  }
}
