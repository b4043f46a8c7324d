import { CancelledError, type CancelReason } from "./errors.ts";

/** Tells a handler to stop. Most runs end without anybody looking, so the signal is made when it is asked for. */
export class StopSignal {
  #controller: AbortController | undefined;
  #error: CancelledError | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#error !== undefined) this.#controller.abort(this.#error);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal. The first reason stays. */
  stop(reason: CancelReason): void {
    if (this.#error !== undefined) return;
    this.#error = new CancelledError(reason, `the run was stopped (${reason})`);
    this.#controller?.abort(this.#error);
  }

  /** @throws {CancelledError} once {@link stop} was called */
  throwIfStopped(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}
