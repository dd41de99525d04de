/** The lines of a chart: what its group says of them, what the machine's parsing knows, how they look in this theme. */
import { lineStyles } from '../base/theme.js';

/**
 * @typedef {import('./chart.js').Line & {isKnown: boolean, description: string}} Line
 */

/**
 * @param {import('../data/api.js').Group} group @param {Map<string, import('../data/api.js').Field>} fields by name
 * @returns {Line[]}
 */
export function buildLines(group, fields) {
  const styles = lineStyles(group.lines);
  return group.lines.map((line, index) => {
    const field = fields.get(line.field);
    const choices = Object.keys(field?.choices ?? {}).length > 0 ? field.choices : null;
    return {
      field: line.field,
      label: line.label || line.field,
      unit: field?.unit ?? '',
      choices,
      isStep: line.style ? line.style === 'step' : choices !== null,
      description: field?.description ?? '',
      isKnown: field !== undefined,
      ...styles[index],
    };
  });
}

/** The same lines in the colours of the theme. @param {Line[]} lines @param {import('../data/api.js').Group} group */
export function restyleLines(lines, group) {
  const styles = lineStyles(group.lines);
  lines.forEach((line, i) => Object.assign(line, styles[i]));
}

/** What legend and tip show of a line. @param {HTMLElement} swatch @param {Line} line */
export function paintSwatch(swatch, { color, dash }) {
  let at = 0;
  const parts = dash.map((px, i) => `${i % 2 ? 'transparent' : color} ${at}px ${(at += px)}px`);
  swatch.style.background = dash.length ? `repeating-linear-gradient(90deg, ${parts.join(', ')})` : color;
}
