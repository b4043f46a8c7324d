import type { Clock } from "@subnet-worker/kit";
import type { DownloadGrant, Envelope, MultipartGrant, UploadGrant } from "@subnet-worker/protocol";
import { TransientFailure } from "./transfer-retry.ts";

/** A worker client's answer to what a run asked it for. */
export type WireGrant = UploadGrant | DownloadGrant | MultipartGrant;

/** How an answer is waited for. */
export interface Waiting {
  readonly signal: AbortSignal;
  /** The store has work to do before there is an answer, which may take minutes. Default false. */
  readonly isSlow?: boolean;
}

/** A slow answer may take so many times as long as another one. */
const SLOW_FACTOR = 20;

interface Expected {
  readonly resolve: (grant: WireGrant) => void;
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

  /** The number of a request whose answer nobody waits for. */
  nextId(): bigint {
    return ++this.#lastId;
  }

  /**
   * Numbers a request; `grant` is its answer. It rejects with a TransientFailure
   * when none comes in time or the stream ends, else with the signal's reason.
   */
  expect({ signal, isSlow = false }: Waiting): {
    readonly requestId: bigint;
    readonly grant: Promise<WireGrant>;
  } {
    const requestId = this.nextId();
    const timeoutMs = isSlow ? this.#timeoutMs * SLOW_FACTOR : this.#timeoutMs;
    return { requestId, grant: this.#wait(requestId, { signal, timeoutMs }) };
  }

  /** Takes a message if it is an answer. One that nobody waits for any more is dropped. */
  take(msg: Envelope["msg"]): boolean {
    switch (msg.case) {
      case "uploadGrant":
      case "downloadGrant":
      case "multipartGrant":
        this.#expected.get(msg.value.requestId)?.resolve(msg.value);
        return true;
      default:
        return false;
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const { reject } of this.#expected.values()) reject(new TransientFailure("the stream ended"));
  }

  async #wait(
    requestId: bigint,
    { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<WireGrant> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new TransientFailure("the stream ended");
    const { promise, resolve, reject } = Promise.withResolvers<WireGrant>();
    const onAbort = () => reject(signal.reason);
    using _ = this.#clock.timer(timeoutMs, () =>
      reject(new TransientFailure(`the worker client did not answer within ${timeoutMs} ms`)),
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
