/** Light or dark: the system's choice until the reader makes one. Also the colours that canvas needs as values. */
import { PALETTE, assignDashes } from './palette.js';
import { remember } from './storage.js';

const system = matchMedia('(prefers-color-scheme: dark)');
/** Knows what CSS calls a colour. */
const pen = document.createElement('canvas').getContext('2d');

const INKS = {
  light: {
    text: '#17202a', label: '#5d6875', grid: '#17202a18', axis: '#ccd3da', surface: '#ffffff',
    warn: '#8a5a00', bad: '#a8361f',
  },
  dark: {
    text: '#e8edf2', label: '#97a3b0', grid: '#e8edf214', axis: '#35414d', surface: '#161d24',
    warn: '#f0b84a', bad: '#ff9a85',
  },
};

/** @typedef {'system'|'light'|'dark'} Choice */
/** @type {Choice[]} */
export const CHOICES = ['system', 'light', 'dark'];

/** @returns {Choice} what the reader chose */
export function themeChoice() {
  return document.documentElement.dataset.theme ?? 'system';
}

/** @returns {'light'|'dark'} */
function theme() {
  return document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light');
}

/** @returns {Object<string, string>} text, label, grid, axis, surface; warn and bad of limits */
export function inks() {
  return INKS[theme()];
}

/**
 * @param {number} index of the line in its chart @param {string|null} [wanted] by the group, as CSS has it; one of the
 *   light palette stands for the same one of the dark palette
 * @returns {string} `#rrggbb`
 */
export function lineColor(index, wanted = null) {
  const colors = PALETTE[theme()];
  const own = PALETTE.light.indexOf(wanted?.toLowerCase());
  pen.fillStyle = colors[own < 0 ? index % colors.length : own];
  const automatic = pen.fillStyle;
  if (wanted && own < 0) pen.fillStyle = wanted; // stays what it was where that is no colour
  return pen.fillStyle[0] === '#' ? pen.fillStyle : automatic; // no transparent lines
}

/**
 * @param {{color?: string|null, dash?: boolean}[]} lines of one chart, as its group has them
 * @returns {{color: string, dash: number[]}[]} `#rrggbb`; on and off in px, empty for a solid line
 */
export function lineStyles(lines) {
  const styles = lines.map(({ color, dash }, i) => ({ color: lineColor(i, color), dash }));
  return assignDashes(styles).map((dash, i) => ({ ...styles[i], dash }));
}

const tell = () => dispatchEvent(new Event('themechange'));

/** @param {Choice} choice from now on */
export function chooseTheme(choice) {
  if (choice === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  remember('theme', choice);
  tell();
}

/** Follow the system; early.js has taken the stored choice. Fires `themechange` on the window. */
export function initTheme() {
  system.addEventListener('change', tell);
}
