/** The page's URLs: what a hash names, and the hash of what is shown. Pure. */

/**
 * @typedef {object} Route
 * @property {string} tenant '' where none is named
 * @property {'portal'|'live'|'metrics'} view
 * @property {string} chassisId '' in the portal, and where any machine will do
 * @property {Object<string, string>} params what stands behind `?`
 */

const METRICS = 'metrics';

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // written by hand
  }
}

/** A colon and a comma need no escape there, and a link is read by people. */
const encode = (text) => encodeURIComponent(text).replace(/%3A/g, ':').replace(/%2C/g, ',');

/** @param {string} hash as of `location.hash` @returns {Route} */
export function readRoute(hash) {
  const cut = hash.indexOf('?');
  const path = cut < 0 ? hash : hash.slice(0, cut);
  const [, tenant = '', chassisId = '', tab = ''] = path.split('/').map(decode);
  const params = cut < 0 ? {} : Object.fromEntries(new URLSearchParams(hash.slice(cut + 1)));
  const view = tenant && !chassisId ? 'portal' : tab === METRICS ? METRICS : 'live';
  return { tenant, view, chassisId, params };
}

/** @param {Route} route without `params` for none; empty ones are left out @returns {string} */
export function writeRoute({ tenant, view, chassisId, params = {} }) {
  const parts = [tenant, ...(view === 'portal' ? [] : [chassisId, ...(view === METRICS ? [METRICS] : [])])];
  const query = Object.entries(params)
    .filter(([, value]) => value !== '' && value !== null && value !== undefined)
    .map(([name, value]) => `${encode(name)}=${encode(String(value))}`)
    .join('&');
  return `#/${parts.map(encodeURIComponent).join('/')}${query && `?${query}`}`;
}

/** @param {Map<string, Iterable<string>>} hidden fields by group @returns {string} the parameter `hide` */
export function writeHidden(hidden) {
  const pairs = [];
  for (const [groupId, fields] of hidden) {
    for (const field of fields) pairs.push(`${encodeURIComponent(groupId)}:${encodeURIComponent(field)}`);
  }
  return pairs.join(',');
}

/** @param {string} [text] of the parameter `hide` @returns {Map<string, Set<string>>} */
export function readHidden(text = '') {
  const hidden = new Map();
  for (const pair of text.split(',')) {
    const [groupId, field] = pair.split(':').map(decode);
    if (!groupId || !field) continue;
    hidden.set(groupId, (hidden.get(groupId) ?? new Set()).add(field));
  }
  return hidden;
}
