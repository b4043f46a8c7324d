/** So much may be unheard before a thread waits. */
const MOST_UNHEARD = 256;

/** What a message weighs, by the time that hearing it takes. */
const WEIGHTS = { log: 1, measured: 16 } as const;

/**
 * What a thread has said and its process has not heard. A handler that logs or measures in a
 * loop without an await says more than the process can hear: it is held up, before the process
 * does nothing but listen and its memory is full of it.
 */
export class Backlog {
  readonly shared: SharedArrayBuffer;
  readonly #unheard: Int32Array;

  /** @param shared of the other side; default: a new one */
  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.shared = shared;
    this.#unheard = new Int32Array(shared);
  }

  /** In the thread, before something is said: waits until all before it is heard, when that is much. */
  say(kind: keyof typeof WEIGHTS): void {
    if (Atomics.add(this.#unheard, 0, WEIGHTS[kind]) < MOST_UNHEARD) return;
    // To the end, so that the process does something else in between.
    for (;;) {
      const unheard = Atomics.load(this.#unheard, 0);
      if (unheard <= WEIGHTS[kind]) return;
      Atomics.wait(this.#unheard, 0, unheard);
    }
  }

  /** In the process. */
  hear(kind: keyof typeof WEIGHTS): void {
    const before = Atomics.sub(this.#unheard, 0, WEIGHTS[kind]);
    // What waits has counted itself already.
    if (before - WEIGHTS[kind] <= WEIGHTS.measured) Atomics.notify(this.#unheard, 0);
  }
}
