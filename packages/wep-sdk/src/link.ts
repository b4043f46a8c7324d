import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  CompletionSchema,
  Envelope,
  ProgressSchema,
  TaskAssignment,
  TaskErrorCode,
} from "@subnet-worker/protocol";
import type { Waiting, WireGrant } from "./grant-desk.ts";

/** A request that its worker client answers with a grant; the stream numbers it. */
export type NumberedRequest = (requestId: bigint) => Envelope;

/** One open stream, as runs see it. */
export interface Link {
  /** Whether the peer speaks 1.1.0 or later. */
  readonly hasAdditions: boolean;
  /** Whether the peer answers requests for downloads and for uploads in parts. */
  readonly brokersStorage: boolean;
  /** The node that assigns on this stream; empty where it names none. */
  readonly nodeId: string;
  sendAck(assignment: TaskAssignment): void;
  /** Says that an assignment is not taken, as the peer's version can be told. */
  sendRefusal(assignment: TaskAssignment, refusal: Refusal): void;
  /**
   * Replaces a progress of the same run that still waits. `onWritten` is called once
   * the transport has taken it or a newer one of the run; never if the stream ends first.
   */
  sendProgress(progress: MessageInitShape<typeof ProgressSchema>, onWritten: () => void): void;
  /** `onWritten` is called once the transport has taken it; never if the stream ends first. */
  sendCompletion(completion: MessageInitShape<typeof CompletionSchema>, onWritten: () => void): void;
  /** @throws {TransientFailure} when the stream ends or the peer does not answer in time */
  request(message: NumberedRequest, waiting: Waiting): Promise<WireGrant>;
  /** The same without waiting for the answer; goes out before what is sent after it. */
  tell(message: NumberedRequest): void;
}

export interface Refusal {
  readonly code: TaskErrorCode;
  readonly reason: string;
}

/** Which stream a run talks to: the newest that assigned it, while that one is open. */
export class Attachment {
  #link: Link | undefined;
  readonly #waiting = new Set<() => void>();

  get link(): Link | undefined {
    return this.#link;
  }

  attach(link: Link): void {
    this.#link = link;
    for (const wake of this.#waiting) wake();
  }

  /** Forgets `link` unless a newer one has taken its place. */
  detach(link: Link): void {
    if (this.#link === link) this.#link = undefined;
  }

  /** The stream, now or when one attaches. @throws the signal's reason */
  async whenAttached(signal: AbortSignal): Promise<Link> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#link !== undefined) return this.#link;
      await this.#change(signal);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
