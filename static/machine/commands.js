/** The section "Commands" of one machine: its ledger, read while the section is open and seen. */
import { ApiError, getCommands } from '../data/api.js';
import { serverClock } from '../data/clock.js';
import { viewerId } from './command.js';
import { byId, element, setText } from '../base/dom.js';
import { formatMoment } from '../base/format.js';
import { actionText, commandDetails, commandStateText, texts, whoText } from '../texts.js';

const REFRESH_MS = 5000;
const LIMIT = 50;

/** @typedef {import('../data/api.js').Command} Command */

/** Roles are written out: on a phone the rows are laid out as blocks, and browsers then forget what they were. */
function buildRow() {
  const cell = (name, content) => element('td', { class: `c-${name}`, role: 'cell' }, content);
  const when = element('th', { class: 'c-when', role: 'rowheader', scope: 'row' });
  const action = cell('action', []);
  const who = cell('who', []);
  const state = element('summary');
  const more = element('dl', { class: 'command-more' });
  const row = element('tr', { role: 'row' }, [
    when, action, who, cell('state', element('details', {}, [state, more])),
  ]);
  return { row, when, action, who, state, more, key: '' };
}

function describe(entry, command) {
  const key = JSON.stringify(command);
  if (key === entry.key) return;
  entry.key = key;
  const moment = (ms) => formatMoment(ms, serverClock.now());
  entry.row.dataset.state = command.state;
  setText(entry.when, moment(command.queued));
  setText(entry.action, actionText(command.action));
  setText(entry.who, whoText(command.who, viewerId));
  setText(entry.state, commandStateText(command));
  const details = commandDetails(command, moment);
  entry.more.replaceChildren(
    ...details.flatMap(([name, text]) => [element('dt', {}, name), element('dd', {}, text)]),
  );
}

export class Commands {
  #tenant;
  #chassisId;
  /** By command, so that what is unfolded and focused stays so. */
  #entries = new Map();
  #isClosed = false;
  #timer = 0;
  /** An answer to a question asked before the last one is not used. */
  #asked = 0;
  #sync = () => {
    if (this.#isWanted) this.reload();
    else clearTimeout(this.#timer);
  };

  /** @param {string} tenant @param {string} chassisId */
  constructor(tenant, chassisId) {
    this.#tenant = tenant;
    this.#chassisId = chassisId;
  }

  start() {
    byId('commands').hidden = false;
    byId('commands').ontoggle = this.#sync;
    document.addEventListener('visibilitychange', this.#sync);
    setText(byId('commands-hint'), texts.commandsHint);
    this.#say(texts.commandsLoading);
    this.#sync();
  }

  stop() {
    this.#isClosed = true;
    this.#sync();
    document.removeEventListener('visibilitychange', this.#sync);
    byId('commands').ontoggle = null;
    byId('commands').hidden = true;
    byId('commands-table').hidden = byId('commands-end').hidden = true;
    byId('commands-rows').replaceChildren();
  }

  /** There may be a new one. Does nothing while nobody sees it. */
  reload() {
    clearTimeout(this.#timer);
    if (this.#isWanted) this.#load();
  }

  get #isWanted() {
    return byId('commands').open && !this.#isClosed && !document.hidden;
  }

  async #load() {
    const mine = ++this.#asked;
    try {
      const commands = await getCommands(this.#tenant, this.#chassisId, LIMIT);
      if (mine !== this.#asked || this.#isClosed) return;
      this.#show(commands);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine !== this.#asked || this.#isClosed) return;
      this.#say(texts.commandsFailed(error.message));
    }
    if (this.#isWanted) this.#timer = setTimeout(() => this.#load(), REFRESH_MS);
  }

  #say(text) {
    byId('commands-note').hidden = text === '';
    setText(byId('commands-note'), text);
  }

  #show(commands) {
    this.#say(commands.length ? '' : texts.commandsNone);
    byId('commands-table').hidden = commands.length === 0;
    byId('commands-end').hidden = commands.length < LIMIT;
    setText(byId('commands-end'), texts.commandsNewest(LIMIT));
    const keys = commands.map(({ commandId, who }) => `${commandId}\n${who}`);
    this.#forgetOthers(new Set(keys));
    const rows = byId('commands-rows');
    commands.forEach((command, i) => {
      const entry = this.#entries.get(keys[i]) ?? buildRow();
      this.#entries.set(keys[i], entry);
      describe(entry, command);
      if (rows.children[i] !== entry.row) rows.insertBefore(entry.row, rows.children[i] ?? null);
    });
  }

  #forgetOthers(keys) {
    for (const [key, { row }] of this.#entries) {
      if (keys.has(key)) continue;
      row.remove();
      this.#entries.delete(key);
    }
  }
}
