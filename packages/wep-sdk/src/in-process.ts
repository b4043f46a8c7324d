import { type CancelReason, WepError } from "./errors.ts";
import type { Execution, RunHost } from "./execution.ts";
import type { Handler } from "./handler.ts";
import { callHandler, RunScope } from "./handler-call.ts";

/** A handler at work on the thread of the stream. */
export class InProcessExecution implements Execution {
  readonly canTerminate = false;
  readonly #scope: RunScope;

  constructor(handler: Handler, host: RunHost) {
    this.#scope = new RunScope(host);
    // A turn later, so that a handler that blocks cannot hold back the ack.
    setImmediate(carryOut, handler, this.#scope, host);
  }

  stop(reason: CancelReason): void {
    this.#scope.stop.stop(reason);
  }

  terminate(): void {
    throw new WepError("ILLEGAL_TRANSITION", "a handler in this process cannot be ended by force");
  }
}

function carryOut(handler: Handler, scope: RunScope, host: RunHost): void {
  void callHandler(handler, scope).then((outcome) => {
    host.settle(outcome);
    return scope.cleanUp();
  });
}
