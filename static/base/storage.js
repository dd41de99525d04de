/** What this browser remembers of the reader's choices. Storage may be forbidden, in a notebook's frame for one. */

const PREFIX = 'duco_rt.';

/** @param {string} key @returns {string|null} */
export function recall(key) {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

/** Where storage is forbidden it holds until the page is left. @param {string} key @param {string} value */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Nothing to do about it.
  }
}
