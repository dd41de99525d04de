/** The machines of a tenant, in the portal and in the rail: asked for every 5 s. */
import { getDevices } from '../data/api.js';
import { account } from '../base/account.js';
import { byId, setText, tell } from '../base/dom.js';
import { html, render } from '../base/ui.js';
import { serverClock } from '../data/clock.js';
import { Poll } from './poll.js';
import { isFound } from '../signals/signaltable.js';
import { page, texts } from '../texts.js';
import { writeRoute } from '../view/route.js';

/** So many rows are in the page at most; thousands would cost the browser a second. */
const SHOWN_MAX = 200;
/** On a phone, beside a machine, a search is of use from this many machines on. */
const SEARCH_FROM = 8;

/** @typedef {import('../data/api.js').Device} Device */

/** @param {Device} device */
export function deviceName(device) {
  return device.name || device.chassisId || texts.noName;
}

/** @param {Device} device @param {string} tenant '' for a row that is a tenant itself @param {boolean} isCurrent */
function row(device, tenant, isCurrent) {
  const { chassisId, online, realtime, lastSeen } = device;
  if (!tenant) {
    const place = writeRoute({ tenant: chassisId, view: 'portal' });
    return html`<li key=${chassisId}><a class="device" href=${place}><span class="device-name">${chassisId}</span></a></li>`;
  }
  const name = deviceName(device);
  const state = online ? texts.online : texts.offline;
  const href = writeRoute({ tenant, view: 'live', chassisId });
  return html`<li key=${chassisId}>
    <a class=${online ? 'device online' : 'device'} href=${href} data-chassis=${chassisId} aria-current=${isCurrent ? 'page' : null}>
      <span class="dot" role="img" title=${state} aria-label=${state} />
      <span class="device-name" title=${name}>${name}</span>
      <span class="device-meta">
        <span class="device-id">${chassisId}</span>
        ${realtime && html`<span class="badge">${texts.realtime}</span>`}
        <span class="device-seen" title=${texts.seenTitle}>
          ${lastSeen === null ? texts.neverSeen : texts.lastSeen(serverClock.now() - lastSeen)}
        </span>
      </span>
    </a>
  </li>`;
}

export class DeviceList {
  #tenant;
  #onSearch;
  #poll;
  /** @type {Device[]|null} */
  #devices = null;
  #current = '';

  /**
   * @param {string} tenant '' for the list of all tenants instead
   * @param {{onList: (devices: Device[]) => void, onError: (error: import('../data/api.js').ApiError) => void, onSearch: () => void}} handlers
   *   onSearch: something else is searched for
   */
  constructor(tenant, { onList, onError, onSearch }) {
    this.#tenant = tenant;
    this.#onSearch = onSearch;
    this.#poll = new Poll(() => (tenant ? getDevices(tenant) : account.tenants.map((chassisId) => ({ chassisId }))), {
      onAnswer: (devices) => {
        this.#devices = devices;
        this.#show();
        onList(devices);
      },
      onError,
    });
    byId('filter').oninput = () => this.#searched();
    byId('machines').onkeydown = (event) => this.#key(event);
    render(null, byId('devices'));
    tell('machines-more', '');
    setText(byId('machines-count'), '');
    this.#poll.run();
  }

  stop() {
    this.#poll.stop();
  }

  /** @param {string} chassisId the one that is shown, '' for none */
  setCurrent(chassisId) {
    if (chassisId === this.#current) return;
    this.#current = chassisId;
    this.#show();
    byId('devices').querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** @param {string} text */
  search(text) {
    byId('filter').value = text;
    this.#show();
  }

  #searched() {
    this.#show();
    this.#onSearch();
  }

  #show() {
    const devices = this.#devices;
    if (!devices) return;
    const search = byId('filter').value.trim();
    const found = devices.filter(({ chassisId, name }) => isFound(`${chassisId}\n${name}`.toLowerCase(), search));
    const shown = found.filter(({ chassisId }, i) => i < SHOWN_MAX || chassisId === this.#current);
    render(shown.map((device) => row(device, this.#tenant, device.chassisId === this.#current)), byId('devices'));
    const counts = { total: devices.length, found: found.length, online: found.filter(({ online }) => online).length };
    setText(byId('machines-count'), (this.#tenant ? page.counts : page.tenantCounts)(counts, search !== ''));
    byId('machines').classList.toggle('few', devices.length < SEARCH_FROM);
    const more = found.length - shown.length;
    tell('machines-more', more ? page.more(more) : found.length || !search ? '' : page.notFound);
  }

  /** Arrows go from the search into the list, about in it and back. */
  #key(event) {
    const search = byId('filter');
    const stops = [search, ...byId('devices').querySelectorAll('a')];
    const at = stops.indexOf(document.activeElement);
    if (event.key === 'Escape' && (at || search.value)) {
      search.value = '';
      search.focus();
      this.#searched();
    } else if (event.key === 'Enter' && at === 0) stops[1]?.click();
    // In the search left and right move the caret.
    const by = { ArrowDown: 1, ArrowUp: -1, ...(at && { ArrowRight: 1, ArrowLeft: -1 }) }[event.key];
    if (!by) return;
    event.preventDefault(); // neither scrolls nor moves the time window
    stops[at + by]?.focus();
  }
}
