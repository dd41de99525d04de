/** The section "Commands" of one machine: its ledger, read while the section is open and seen. */
import { getCommands } from '../data/api.js';
import { serverClock } from '../data/clock.js';
import { account } from '../base/account.js';
import { byId, tell } from '../base/dom.js';
import { html, render } from '../base/ui.js';
import { Section } from '../signals/section.js';
import { commands as words, page, texts } from '../texts.js';
import { formatMoment } from '../view/times.js';
import { viewerId } from './command.js';
import { Poll } from './poll.js';

const LIMIT = 50;

const moment = (ms) => formatMoment(ms, serverClock.now());

/**
 * Roles are written out: on a phone the rows are laid out as blocks, and browsers then forget what they were.
 * @param {import('../data/api.js').Command} command
 */
function row(command) {
  const { commandId, action, who, state, queued } = command;
  const details = words.details(command, moment);
  return html`<tr role="row" key=${`${commandId}\n${who}`} data-state=${state}>
    <th class="c-when" role="rowheader" scope="row">${moment(queued)}</th>
    <td class="c-action" role="cell">${words.action(action)}</td>
    <td class="c-who" role="cell">${words.who(who, [viewerId, account.name], account.auth === 'none')}</td>
    <td class="c-state" role="cell"><details>
      <summary>${words.state(command)}</summary>
      <dl>${details.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
    </details></td>
  </tr>`;
}

export class Commands {
  #poll;
  #section = new Section('commands', () => this.reload());

  /** @param {{tenant: string, chassisId: string}} machine */
  constructor({ tenant, chassisId }) {
    this.#poll = new Poll(() => getCommands(tenant, chassisId, LIMIT), {
      onAnswer: (commands) => this.#show(commands),
      onError: ({ message }) => tell('commands-note', texts.notLoaded(page.commands, message)),
    });
  }

  start() {
    tell('commands-note', texts.loading);
    this.#section.start();
  }

  stop() {
    this.#section.stop();
    this.#show([]);
  }

  /** There may be a new one. Does nothing while nobody sees it. */
  reload() {
    if (this.#section.isSeen) this.#poll.run();
    else this.#poll.stop();
  }

  #show(commands) {
    const newest = commands.length < LIMIT ? '' : texts.commandsNewest(LIMIT);
    tell('commands-note', commands.length ? newest : texts.commandsNone);
    byId('commands-table').hidden = commands.length === 0;
    render(commands.map(row), byId('commands-rows'));
  }
}
