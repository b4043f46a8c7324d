import type { Clock } from "@subnet-worker/kit";
import type { UploadGrant } from "@subnet-worker/protocol";
import { TransientFailure } from "./transfer-retry.ts";

interface Expected {
  readonly resolve: (grant: UploadGrant) => void;
  readonly reject: (error: unknown) => void;
}

/** Matches the grants of one stream to the requests that wait for them. */
export class GrantDesk implements Disposable {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #expected = new Map<bigint, Expected>();
  #lastId = 0n;
  #isClosed = false;

  constructor({ clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number }) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Numbers a request; `grant` is its answer. It rejects with a TransientFailure
   * when none comes in time or the stream ends, else with the signal's reason.
   */
  expect(signal: AbortSignal): { readonly requestId: bigint; readonly grant: Promise<UploadGrant> } {
    const requestId = ++this.#lastId;
    return { requestId, grant: this.#wait(requestId, signal) };
  }

  /** An answer came. One that nobody waits for any more is dropped. */
  settle(grant: UploadGrant): void {
    this.#expected.get(grant.requestId)?.resolve(grant);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const { reject } of this.#expected.values()) reject(new TransientFailure("the stream ended"));
  }

  async #wait(requestId: bigint, signal: AbortSignal): Promise<UploadGrant> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new TransientFailure("the stream ended");
    const { promise, resolve, reject } = Promise.withResolvers<UploadGrant>();
    const onAbort = () => reject(signal.reason);
    using _ = this.#clock.timer(this.#timeoutMs, () =>
      reject(new TransientFailure(`the worker client did not answer within ${this.#timeoutMs} ms`)),
    );
    signal.addEventListener("abort", onAbort, { once: true });
    this.#expected.set(requestId, { resolve, reject });
    try {
      return await promise;
    } finally {
      this.#expected.delete(requestId);
      signal.removeEventListener("abort", onAbort);
    }
  }
}
