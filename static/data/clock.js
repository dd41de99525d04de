/** Times: steady local ones, the server's clock, the device's. Pure but for `localMs`, the default of local times. */

/** Above this a clock was set, or this machine slept; below it the network was slow. */
const JUMP_MS = 2000;
/** How fast an offset that one quick message gave is forgotten. */
const DRIFT_MS = 5;
/** A step back must have been told for so long: messages that a stalled connection held up all say so at once. */
const BACK_MS = 1500;

/** @returns {number} ms since the page came; steady, whatever this machine's clock is set to */
export function localMs() {
  return performance.now();
}

/**
 * A clock as messages tell of it: its time minus the local one, by those that travelled fastest. It steps where it
 * is more than two seconds off.
 */
class Offset {
  /** @type {number|null} */
  value = null;
  #backSince = null;

  /** @param {number} offset @param {number} local when it was told @returns {number} ms of the step, 0 for none */
  take(offset, local) {
    const known = this.value ?? offset;
    const by = offset - known;
    if (by >= -JUMP_MS) {
      this.#backSince = null;
      this.value = Math.max(offset, known - DRIFT_MS);
      return by > JUMP_MS ? by : 0;
    }
    this.#backSince ??= local;
    if (local - this.#backSince < BACK_MS) return 0;
    this.#backSince = null;
    this.value = offset;
    return by;
  }
}

/** The server's clock as this page knows it. */
export class ServerClock {
  #offset = new Offset();
  #toleranceMs = Infinity;
  #isExact = false;
  #originMs;

  /** @param {number} [originMs] Unix ms of local time 0, taken until the server is heard */
  constructor(originMs = performance.timeOrigin) {
    this.#originMs = originMs;
    /** Sum of the steps in ms since its first exact word: this machine slept, or the server's clock was set. */
    this.steppedMs = 0;
  }

  /**
   * @param {number} serverMs Unix ms @param {number} atLocal when it came
   * @param {number} [toleranceMs] how far after `serverMs` it may have been
   */
  heard(serverMs, atLocal, toleranceMs = 0) {
    const offset = serverMs + toleranceMs / 2 - atLocal;
    const known = this.#offset.value;
    const isBetter = toleranceMs < this.#toleranceMs;
    const isVague = toleranceMs > 0 && Math.abs(offset - known) <= JUMP_MS + toleranceMs / 2;
    if (!Number.isFinite(offset) || (isVague && !isBetter)) return;
    if (isBetter) this.#offset = new Offset();
    const told = this.#offset.take(offset, atLocal);
    // The first word of a better kind is taken as it is.
    const by = isBetter && known !== null ? offset - known : told;
    const isStep = Math.abs(by) > JUMP_MS;
    if (isStep && this.#isExact) this.steppedMs += by;
    if (isStep || isBetter) this.#toleranceMs = toleranceMs;
    this.#isExact ||= toleranceMs === 0;
  }

  /** @param {number} [local] @returns {number} Unix ms */
  now(local = localMs()) {
    return local + (this.#offset.value ?? this.#originMs);
  }
}

export const serverClock = new ServerClock();

/** The device's clock as seen from here: what its time is now, when nothing comes, and after this machine slept. */
export class DeviceClock {
  #server;
  #offset = new Offset();
  #isFromDevice = false;
  #steppedMs;
  #jumpMs = 0;

  /** @param {ServerClock} [server] */
  constructor(server = serverClock) {
    this.#server = server;
    this.#steppedMs = server.steppedMs;
  }

  /**
   * What its time is by the newest sample and how long that has been there: all that is known until its own word, and
   * then what it is at least. @param {number} ts @param {number} local
   */
  reach(ts, local) {
    if (!this.#isFromDevice) this.#offset = new Offset();
    if (ts > this.now(local) || !this.#isFromDevice) this.#take(ts - local, local);
  }

  /** A live sample came. @param {number} ts its device time @param {number} local when it came */
  observe(ts, local) {
    if (!this.#isFromDevice) this.#offset = new Offset();
    this.#isFromDevice = true;
    this.#take(ts - local, local);
  }

  #take(offset, local) {
    this.#follow();
    this.#jumpMs += this.#offset.take(offset, local);
  }

  /** @param {number} [local] @returns {number} device ms; the server's while nothing is known of the device */
  now(local = localMs()) {
    this.#follow();
    return this.#offset.value === null ? this.#server.now(local) : local + this.#offset.value;
  }

  /** This machine slept, so the device's clock went on, too. A sample may have said so before the server did. */
  #follow() {
    const by = this.#server.steppedMs - this.#steppedMs;
    if (!by) return;
    this.#steppedMs += by;
    if (this.#offset.value !== null && Math.abs(by - this.#jumpMs) > JUMP_MS) this.#offset.value += by;
    this.#jumpMs = 0;
  }
}
