/** Light or dark: the system's choice until the reader makes one. Also the colours that canvas needs as values. */
import { recall, remember } from './storage.js';

const KEY = 'theme';
const system = matchMedia('(prefers-color-scheme: dark)');

/** Okabe and Ito's colours, told apart with any colour vision, shifted to 3:1 and more on each ground. */
const LINES = {
  light: ['#0072b2', '#d55e00', '#00866a', '#b5508c', '#a87900', '#2a9fd6', '#414b57'],
  dark: ['#58b4ee', '#ff8b4d', '#2fc79c', '#e493c3', '#e6cb45', '#a3dcf7', '#b6c1cd'],
};
const INKS = {
  light: { label: '#5d6875', grid: '#e8ecf0', axis: '#ccd3da', pointer: '#8994a0' },
  dark: { label: '#97a3b0', grid: '#232c36', axis: '#35414d', pointer: '#748190' },
};

/** @returns {'light'|'dark'} */
export function theme() {
  return document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light');
}

/** @returns {{label: string, grid: string, axis: string, pointer: string}} */
export function inks() {
  return INKS[theme()];
}

/**
 * @param {number} index of the line in its chart @param {string|null} wanted by the group
 * @returns {{color: string, isDashed: boolean}} dashed where the colours start again
 */
export function lineStyle(index, wanted) {
  const colors = LINES[theme()];
  const own = wanted && CSS.supports('color', wanted) ? wanted : null;
  return { color: own ?? colors[index % colors.length], isDashed: !own && index >= colors.length };
}

/** The other theme from now on. */
export function toggleTheme() {
  const next = theme() === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  remember(KEY, next);
  dispatchEvent(new Event('themechange'));
}

/** Take the stored choice, and follow the system where there is none. Fires `themechange` on the window. */
export function initTheme() {
  const choice = recall(KEY);
  if (choice === 'light' || choice === 'dark') document.documentElement.dataset.theme = choice;
  system.addEventListener('change', () => dispatchEvent(new Event('themechange')));
}
