/** Colours and dashes of lines, told apart with any colour vision and in greyscale. Pure. */

/** Okabe and Ito's colours, shifted to 3:1 and more on each ground; the first two also differ in lightness. */
export const PALETTE = {
  light: ['#0062a3', '#e0691a', '#00866a', '#b5508c', '#a87900', '#2497ce', '#37424d'],
  dark: ['#3f9fe0', '#ffa169', '#2fc79c', '#e493c3', '#e6cb45', '#a3dcf7', '#8f9aa6'],
};
/** On and off, px; none is a solid line. */
export const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
/** Lines of one chart whose lightness differs by less look the same in greyscale. */
const ALIKE = 24;
/** Two of one colour are more alike than any number of others. */
const SAME = 99;

/** @param {string} color `#rrggbb` @returns {number} how light it looks, 0 to 255 (luma, gamma left in) */
export function lightness(color) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/**
 * The dash of each line of a chart. A palette that keeps its contrast to the ground has little lightness left to tell
 * seven lines apart, so a line takes the dash that the fewest lines of its colour, and then of a like lightness, have:
 * whoever sees no colours, or prints in grey, can still follow each.
 * @param {{color: string, dash: boolean}[]} lines colour `#rrggbb`; dash: wanted by the group, so not solid
 * @returns {number[][]} of DASHES
 */
export function assignDashes(lines) {
  const taken = [];
  for (const { color, dash } of lines) {
    const own = lightness(color);
    const likeness = (other) => (other.color === color ? SAME : Math.abs(other.own - own) < ALIKE ? 1 : 0);
    const cost = (pattern) => taken.reduce((sum, other) => sum + (other.pattern === pattern ? likeness(other) : 0), 0);
    const pattern = DASHES.slice(dash ? 1 : 0).reduce((best, next) => (cost(next) < cost(best) ? next : best));
    taken.push({ color, own, pattern });
  }
  return taken.map(({ pattern }) => pattern);
}
