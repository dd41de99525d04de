/** Preact with htm, for what is a form or a list; charts and values that change each second are written directly. */
export { html, render, useEffect, useRef, useState } from '../vendor/preact-htm.module.js';
