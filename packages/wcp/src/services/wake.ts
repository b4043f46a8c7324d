/** Lets one loop sleep until somebody has news for it. News that comes while it works is not lost. */
export class Wake {
  #pending = false;
  #waiting: (() => void) | undefined;
  #heard: AbortSignal | undefined;

  notify(): void {
    if (this.#waiting === undefined) {
      this.#pending = true;
      return;
    }
    const resume = this.#waiting;
    this.#waiting = undefined;
    resume();
  }

  /** Resolves at the next `notify`, or at once if one came since the last wait, or when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    if (this.#pending || signal.aborted) {
      this.#pending = false;
      return;
    }
    if (this.#heard !== signal) signal.addEventListener("abort", () => this.notify(), { once: true });
    this.#heard = signal;
    await new Promise<void>((resolve) => {
      this.#waiting = resolve;
    });
  }
}
