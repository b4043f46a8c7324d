import type { MessagePort } from "node:worker_threads";
import type { TaskAssignment } from "@subnet-worker/protocol";
import type { CancelReason, WepErrorCode } from "../errors.ts";
import type { Ask, Grant, OpenUpload } from "../grant.ts";
import type { Measurement } from "../handler-metrics.ts";
import type { ProgressNews } from "../progress.ts";
import type { Outcome } from "../run-state.ts";
import type { HandlerInfo } from "../server-options.ts";
import type { TransferSettings } from "../transfer-retry.ts";
import type { PortError } from "./port-error.ts";

/** What a thread is started with. */
export interface ThreadData {
  readonly port: MessagePort;
  /** Absolute paths. */
  readonly modules: readonly string[];
  readonly transfer: TransferSettings;
  readonly progressIntervalMs: number;
  /** Scratch directories are this and the number of the run. */
  readonly scratchPrefix: string;
  /** Of its log and its measurements; see Backlog. */
  readonly backlog: SharedArrayBuffer;
  readonly log: { readonly level: string; readonly fields: Readonly<Record<string, unknown>> };
}

/** From the process to a thread; `run` numbers the runs of one thread. */
export type ToThread =
  | {
      readonly kind: "run";
      readonly run: number;
      readonly assignment: TaskAssignment;
      readonly endsAtMs: number;
    }
  | { readonly kind: "stop"; readonly run: number; readonly reason: CancelReason }
  /** The progress that was sent last is on its way. */
  | { readonly kind: "progressed"; readonly run: number }
  | { readonly kind: "granted"; readonly ask: number; readonly grant: Grant }
  | { readonly kind: "refused"; readonly ask: number; readonly error: PortError }
  | { readonly kind: "ping" };

export type FromThread =
  | { readonly kind: "ready"; readonly handlers: readonly HandlerInfo[] }
  /** The modules could not be loaded. */
  | { readonly kind: "unusable"; readonly code: WepErrorCode; readonly message: string }
  | {
      readonly kind: "settled";
      readonly run: number;
      readonly outcome: Outcome;
      /** Timers that fire on in a thread without runs, beyond those that loading the modules has set. */
      readonly timersLeft: number;
    }
  | { readonly kind: "measured"; readonly measurements: readonly Measurement[] }
  | { readonly kind: "progress"; readonly run: number; readonly news: ProgressNews }
  | { readonly kind: "ask"; readonly run: number; readonly ask: number; readonly what: Ask }
  | { readonly kind: "abandon"; readonly run: number; readonly upload: OpenUpload }
  /** One line of a log, finished. */
  | { readonly kind: "log"; readonly line: string }
  /** Timers as in `settled`. */
  | { readonly kind: "pong"; readonly timersLeft: number };

/** From this size on, handing over costs less than cloning. */
const TRANSFER_BYTES = 16 * 1024;

/** What of a result is handed over and not cloned. */
export function transferOf(outcome: Outcome): ArrayBuffer[] {
  return outcome.status === "SUCCESS" ? ownBuffer(outcome.result) : [];
}

export interface Portable {
  readonly assignment: TaskAssignment;
  /** What of it is handed over and not cloned. */
  readonly transfer: ArrayBuffer[];
}

/**
 * An assignment as it can be posted. Cloning a view clones the whole buffer below it,
 * which is that of the message it came in, so bytes are taken out of it first.
 */
export function portable(assignment: TaskAssignment): Portable {
  const { $unknown: _, ...known } = assignment;
  const inputs = known.inputs.map(withOwnBytes);
  const workflowInputs = known.workflowInputs.map(withOwnBytes);
  const transfer = [...inputs, ...workflowInputs].flatMap(({ inlineBytes }) => ownBuffer(inlineBytes));
  return { assignment: { ...known, inputs, workflowInputs }, transfer };
}

function withOwnBytes(descriptor: TaskAssignment["inputs"][number]): TaskAssignment["inputs"][number] {
  const { $unknown: _, ...known } = descriptor;
  return { ...known, inlineBytes: known.inlineBytes.slice() };
}

/** The buffer of large bytes, unless a part of it is somebody else's. */
function ownBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  return isWhole && byteLength >= TRANSFER_BYTES ? [buffer] : [];
}
