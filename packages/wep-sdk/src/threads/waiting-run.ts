import type { CancelReason } from "../errors.ts";
import type { Execution, RunHost } from "../execution.ts";
import type { Handler } from "../handler.ts";

export interface WaitingRunDeps {
  readonly host: RunHost;
  /** The run waits no longer: it is to be ended by force. */
  readonly leave: () => void;
}

/** A run for which there is no thread yet. */
export class WaitingRun implements Execution {
  readonly canTerminate = true;
  readonly handler: Handler;
  readonly host: RunHost;
  readonly #leave: () => void;
  #execution: Execution | undefined;
  #stopReason: CancelReason | undefined;

  constructor(handler: Handler, { host, leave }: WaitingRunDeps) {
    this.handler = handler;
    this.host = host;
    this.#leave = leave;
  }

  /** It has its thread; a handler that was told to stop meanwhile finds its signal aborted. */
  begin(execution: Execution): void {
    this.#execution = execution;
    if (this.#stopReason !== undefined) execution.stop(this.#stopReason);
  }

  stop(reason: CancelReason): void {
    this.#stopReason ??= reason;
    this.#execution?.stop(reason);
  }

  terminate(): void {
    if (this.#execution === undefined) this.#leave();
    else this.#execution.terminate();
  }
}
