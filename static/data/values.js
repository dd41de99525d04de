/** Values as samples bring them, and as they are drawn. Pure. */

/**
 * @typedef {number|string|boolean|null} Value
 * @typedef {Object<string, string>|null} Choices number as text → name
 */

/** @param {unknown} value @returns {Value} the value, or null where it counts as absent */
export function clean(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  return typeof value === 'boolean' || typeof value === 'string' ? value : null;
}

/** @type {WeakMap<Object<string, string>, Map<string, number>>} */
const numbersOf = new WeakMap();

/**
 * A value as the number to draw: a choice's name as its number, a boolean as 0 or 1.
 * @param {Value} value @param {Choices} [choices]
 * @returns {number} NaN where there is nothing to draw
 */
export function toNumber(value, choices = null) {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'string' || !choices) return NaN;
  let numbers = numbersOf.get(choices);
  if (!numbers) {
    // Of two numbers with one name the first counts.
    numbers = new Map(Object.entries(choices).reverse().map(([number, name]) => [name, Number(number)]));
    numbersOf.set(choices, numbers);
  }
  return numbers.get(value) ?? NaN;
}

/** @param {unknown} seq @returns {number|null} */
export function cleanSeq(seq) {
  return typeof seq === 'number' && Number.isSafeInteger(seq) ? seq : null;
}
