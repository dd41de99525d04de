/** What this browser remembers of the reader's choices. Storage may be forbidden, in a notebook's frame for one. */

const PREFIX = 'duco_rt.';
/** What could not be kept: storage is forbidden, or full. @type {Map<string, string>} */
const unkept = new Map();

/** @param {string} key @returns {string|null} */
export function recall(key) {
  try {
    return unkept.get(key) ?? localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** Where storage is forbidden or full it holds until the page is left. @param {string} key @param {string} value */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
    unkept.delete(key);
  } catch {
    unkept.set(key, value);
  }
}
