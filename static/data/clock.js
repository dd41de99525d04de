/** The device's clock as seen from here: what its time is now, when nothing comes. Pure; local time is an argument. */

/** Above this the device's clock was set, or ours. */
const JUMP_MS = 2000;
/** How fast an offset that one quick sample gave is forgotten. */
const DRIFT_MS = 5;

/**
 * The offset follows the samples that travelled fastest: the right edge of a chart then stands still against jitter
 * and never lies before the newest sample.
 */
export class DeviceClock {
  #offset = null;
  #isFromDevice = false;

  /** A first guess by the server's time, until the device's own is seen. @param {number} ts @param {number} localMs */
  guess(ts, localMs) {
    if (!this.#isFromDevice) this.#offset = ts - localMs;
  }

  /** A live sample came. @param {number} ts its device time @param {number} localMs when it came */
  observe(ts, localMs) {
    const offset = ts - localMs;
    const isJump = !this.#isFromDevice || Math.abs(offset - this.#offset) > JUMP_MS;
    this.#offset = isJump ? offset : Math.max(offset, this.#offset - DRIFT_MS);
    this.#isFromDevice = true;
  }

  /** @param {number} localMs @returns {number} device ms */
  now(localMs) {
    return localMs + (this.#offset ?? 0);
  }
}
