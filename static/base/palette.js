/** Colours and dashes of lines, told apart with any colour vision and in greyscale. Pure. */

/** Okabe and Ito's colours, shifted to 3:1 and more on each ground; the first two also differ in lightness. */
export const PALETTE = {
  light: ['#0062a3', '#e0691a', '#00866a', '#b5508c', '#a87900', '#2497ce', '#37424d'],
  dark: ['#3f9fe0', '#ffa169', '#2fc79c', '#e493c3', '#e6cb45', '#a3dcf7', '#8f9aa6'],
};
/** On and off, px; none is a solid line. */
export const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
/** Lines of one chart whose lightness (CIE L*, 0 to 100) differs by less look the same in greyscale. */
const ALIKE = 10;

/** @param {string} color `#rrggbb` @returns {number} CIE L*, 0 to 100 */
export function lightness(color) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
}

/**
 * The dash of each line of a chart. A palette that keeps its contrast to the ground has little lightness left to tell
 * seven lines apart, so a line takes the first dash that no line of a like lightness has: whoever sees no colours, or
 * prints in grey, can still follow each. Where all are taken, it takes the one that its own colour has had the least.
 * @param {{color: string, dash: boolean}[]} lines colour `#rrggbb`; dash: wanted by the group, so not solid
 * @returns {number[][]} of DASHES
 */
export function assignDashes(lines) {
  const taken = [];
  for (const { color, dash } of lines) {
    const own = lightness(color);
    const choice = DASHES.slice(dash ? 1 : 0);
    const uses = (pattern, isLike) => taken.filter((line) => line.pattern === pattern && isLike(line)).length;
    const free = choice.find((pattern) => !uses(pattern, (line) => Math.abs(line.own - own) < ALIKE));
    const ofColor = (pattern) => uses(pattern, (line) => line.color === color);
    const pattern = free ?? choice.reduce((best, next) => (ofColor(next) < ofColor(best) ? next : best));
    taken.push({ color, own, pattern });
  }
  return taken.map((line) => line.pattern);
}
