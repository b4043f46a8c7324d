import { type Cancel, envelope, TASK_ERROR, type TaskAssignment } from "@subnet-worker/protocol";
import type { CancelReason } from "./errors.ts";
import type { Link, Refusal } from "./link.ts";
import type { Outbox } from "./outbox.ts";

/** What one stream says of its runs, as its peer's version can be told; see {@link Link}. */
export class RunMessages {
  readonly #outbox: Outbox;
  /** Runs whose completion is not written yet. */
  readonly #completing = new Set<string>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  ack({ activityId, runId }: TaskAssignment, hasAdditions: boolean): void {
    const ack = envelope("ack", { activityId, runId });
    if (!hasAdditions) return this.#outbox.push({ envelope: ack });
    // A completion that waits behind it says as much.
    const name = nameOf({ activityId, runId });
    this.#outbox.push({ envelope: () => (this.#completing.has(name) ? undefined : ack) });
  }

  refusal({ activityId, runId }: TaskAssignment, { code, reason }: Refusal, hasAdditions: boolean): void {
    const message = hasAdditions
      ? envelope("rejection", { activityId, runId, errorCode: code, reason })
      : envelope("completion", { activityId, runId, status: "ERROR", error: reason });
    this.#outbox.push({ envelope: message });
  }

  progress(progress: Parameters<Link["sendProgress"]>[0], onWritten: () => void): void {
    this.#outbox.push({ envelope: envelope("progress", progress), key: nameOf(progress), onWritten });
  }

  completion(completion: Parameters<Link["sendCompletion"]>[0], onWritten: () => void): void {
    const name = nameOf(completion);
    this.#completing.add(name);
    this.#outbox.push({
      envelope: envelope("completion", completion),
      onWritten: () => {
        this.#completing.delete(name);
        onWritten();
      },
    });
  }
}

/** Why an assignment is refused on a stream that its worker client has drained. */
export const DRAINED_BY_PEER: Refusal = {
  code: TASK_ERROR.SYSTEM_OVERLOAD,
  reason: "[SYSTEM_OVERLOAD] this stream was drained by its worker client; assign on a new one",
};

const REASONS: ReadonlySet<string> = new Set<CancelReason>([
  "requested",
  "deadline",
  "lease_lost",
  "drain",
  "superseded",
  "disconnected",
]);

/** Why a run is cancelled; what a later version says, and nothing at all, is "requested". */
export function reasonOf({ reason }: Cancel): CancelReason {
  return REASONS.has(reason) ? (reason as CancelReason) : "requested";
}

function nameOf({ activityId, runId }: { readonly activityId?: string; readonly runId?: string }): string {
  return JSON.stringify([activityId, runId]);
}
