/** The page's texts in the reader's language. Another language is one more file like texts/en.js, and its line here. */
import * as en from './texts/en.js';

const LANGUAGES = { en };

const wanted = (globalThis.navigator?.languages ?? []).map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES);

export const {
  charts, commands, control, empties, foldedText, formatAge, groups, metrics, msgTypeName, page, spanText, texts, view,
} = LANGUAGES[wanted ?? 'en'];
