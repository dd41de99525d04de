/** The list of machines: asked for every 5 s, changed in place so that focus and scroll stay. */
import { getDevices, serverNow } from '../data/api.js';
import { byId, element, setText } from '../base/dom.js';
import { texts } from '../texts.js';

const REFRESH_MS = 5000;
/** A filter is of use from this many machines on. */
const FILTER_FROM = 8;

/** @typedef {import('../data/api.js').Device} Device */

/** @param {string} tenant @param {string} chassisId */
export function deviceHash(tenant, chassisId) {
  return `#/${encodeURIComponent(tenant)}/${encodeURIComponent(chassisId)}`;
}

function buildEntry(tenant, chassisId) {
  const dot = element('span', { class: 'dot', role: 'img' });
  const name = element('span', { class: 'device-name' });
  const badge = element('span', { class: 'badge' }, texts.realtime);
  const seen = element('span', { class: 'device-seen', title: texts.seenTitle });
  const id = element('span', { class: 'device-id' }, chassisId);
  const attributes = { class: 'device', href: deviceHash(tenant, chassisId), 'data-chassis': chassisId };
  const link = element('a', attributes, [
    dot,
    name,
    element('span', { class: 'device-meta' }, [id, badge, seen]),
  ]);
  return { item: element('li', {}, link), link, dot, name, badge, seen };
}

/** @param {Device} device */
export function deviceName(device) {
  return device.name || device.chassisId || texts.noName;
}

export class DeviceList {
  #tenant;
  #onList;
  #onError;
  #timer = 0;
  #entries = new Map();
  #current = '';
  #filter = '';

  /**
   * @param {string} tenant
   * @param {(devices: Device[]) => void} onList @param {(error: import('../data/api.js').ApiError) => void} onError
   */
  constructor(tenant, onList, onError) {
    this.#tenant = tenant;
    this.#onList = onList;
    this.#onError = onError;
    byId('filter').oninput = (event) => {
      this.#filter = event.target.value.trim().toLowerCase();
      this.#applyFilter();
    };
    byId('devices').replaceChildren();
  }

  start() {
    this.#load();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#onList = this.#onError = () => {};
    this.#timer = -1;
  }

  /** @param {string} chassisId the one that is shown */
  setCurrent(chassisId) {
    const isNew = chassisId !== this.#current;
    this.#current = chassisId;
    for (const [id, { link }] of this.#entries) {
      if (id === chassisId) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (isNew) this.#entries.get(chassisId)?.link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  async #load() {
    try {
      const devices = await getDevices(this.#tenant);
      if (this.#timer !== -1) this.#show(devices);
      this.#onList(devices);
    } catch (error) {
      this.#onError(error);
    }
    if (this.#timer !== -1) this.#timer = setTimeout(() => this.#load(), REFRESH_MS);
  }

  #show(devices) {
    const list = byId('devices');
    const ids = new Set(devices.map((device) => device.chassisId));
    for (const [id, { item }] of this.#entries) {
      if (ids.has(id)) continue;
      item.remove();
      this.#entries.delete(id);
    }
    devices.forEach((device, i) => {
      if (!this.#entries.has(device.chassisId)) {
        this.#entries.set(device.chassisId, buildEntry(this.#tenant, device.chassisId));
      }
      const entry = this.#entries.get(device.chassisId);
      if (list.children[i] !== entry.item) list.insertBefore(entry.item, list.children[i] ?? null);
      this.#update(entry, device);
    });
    byId('filter').hidden = devices.length < FILTER_FROM;
    this.setCurrent(this.#current);
    this.#applyFilter();
  }

  #update({ link, dot, name, badge, seen }, device) {
    link.classList.toggle('online', device.online);
    dot.setAttribute('aria-label', device.online ? texts.online : texts.offline);
    dot.title = device.online ? texts.online : texts.offline;
    setText(name, deviceName(device));
    name.title = deviceName(device);
    badge.hidden = !device.realtime;
    setText(seen, device.lastSeen === null ? texts.neverSeen : texts.lastSeen(serverNow() - device.lastSeen));
  }

  #applyFilter() {
    for (const [id, { item, name }] of this.#entries) {
      const text = `${id} ${name.textContent}`.toLowerCase();
      item.hidden = this.#filter !== '' && !text.includes(this.#filter);
    }
  }
}
