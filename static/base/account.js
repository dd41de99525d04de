/** Who is signed in, and what that one may do. */
import { request } from '../data/api.js';

/** As the server said last; nothing before that. @type {{auth: string, name: string, grants: Object<string, string>, tenants: string[]}} */
export const account = { auth: 'none', name: '', grants: {}, tenants: [] };

/** Ask who is signed in. Where nobody is, the page is left for the one to sign in. @throws {import('../data/api.js').ApiError} */
export async function askAccount() {
  return Object.assign(account, await request('api/session'));
}

/** @param {string} tenant @returns {boolean} whether its machines can be commanded and its charts changed */
export function mayOperate(tenant) {
  return [tenant, '*'].some((place) => (account.grants[place] ?? 'viewer') !== 'viewer');
}
