/** Light or dark: the system's choice until the reader makes one. Also the colours that canvas needs as values. */
import { PALETTE, assignDashes } from './palette.js';
import { recall, remember } from './storage.js';

const KEY = 'theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const canvas = document.createElement('canvas').getContext('2d');

const INKS = {
  light: {
    text: '#17202a', label: '#5d6875', grid: '#17202a18', axis: '#ccd3da', surface: '#ffffff',
    info: '#5d6875', warn: '#8a5a00', bad: '#a8361f',
  },
  dark: {
    text: '#e8edf2', label: '#97a3b0', grid: '#e8edf214', axis: '#35414d', surface: '#161d24',
    info: '#97a3b0', warn: '#f0b84a', bad: '#ff9a85',
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
export function theme() {
  return document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light');
}

/** @returns {Object<string, string>} text, label, grid, axis, surface; info, warn and bad of limits */
export function inks() {
  return INKS[theme()];
}

/** @param {string} color as CSS has it @returns {string} `#rrggbb`, without its transparency */
function toHex(color) {
  canvas.fillStyle = color;
  if (canvas.fillStyle.startsWith('#')) return canvas.fillStyle;
  const parts = canvas.fillStyle.match(/\d+/g).slice(0, 3);
  return `#${parts.map((part) => Number(part).toString(16).padStart(2, '0')).join('')}`;
}

/**
 * @param {number} index of the line in its chart @param {string|null} [wanted] by the group; one of the light palette
 *   stands for the same one of the dark palette
 * @returns {string} `#rrggbb`
 */
export function lineColor(index, wanted = null) {
  const colors = PALETTE[theme()];
  const own = wanted ? PALETTE.light.indexOf(wanted.toLowerCase()) : -1;
  if (own >= 0) return colors[own];
  return toHex(wanted && CSS.supports('color', wanted) ? wanted : colors[index % colors.length]);
}

/**
 * @param {{color?: string|null, dash?: boolean}[]} lines of one chart, as its group has them
 * @returns {{color: string, dash: number[]}[]} `#rrggbb`; on and off in px, empty for a solid line
 */
export function lineStyles(lines) {
  const colors = lines.map((line, i) => lineColor(i, line.color));
  const dashes = assignDashes(lines.map(({ dash }, i) => ({ color: colors[i], dash: Boolean(dash) })));
  return colors.map((color, i) => ({ color, dash: dashes[i] }));
}

/** @param {Choice} choice from now on */
export function chooseTheme(choice) {
  if (choice === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  remember(KEY, choice);
  dispatchEvent(new Event('themechange'));
}

/** Take the stored choice, and follow the system where there is none. Fires `themechange` on the window. */
export function initTheme() {
  const choice = recall(KEY);
  if (choice === 'light' || choice === 'dark') document.documentElement.dataset.theme = choice;
  system.addEventListener('change', () => dispatchEvent(new Event('themechange')));
}
