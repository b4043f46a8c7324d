import { TASK_ERROR } from "@subnet-worker/protocol";
import type { Outcome } from "../run-state.ts";
import type { MemoryExcess } from "./memory-watch.ts";

/** How a thread came to its end. */
export type ThreadEnd =
  /** Its modules could not be loaded. */
  | { readonly kind: "unusable"; readonly message: string }
  | { readonly kind: "exit"; readonly exitCode: number }
  | { readonly kind: "exception"; readonly error: unknown }
  /** It took more memory than it may, buffers and all. */
  | { readonly kind: "memory"; readonly excess: MemoryExcess }
  /** This process ended it. */
  | { readonly kind: "ended"; readonly why: string };

/** Why a thread was lost. */
export const THREAD_LOSSES = ["forced", "exit", "exception", "out_of_memory", "unusable"] as const;

export type ThreadLoss = (typeof THREAD_LOSSES)[number];

/** What an end is counted as; `undefined` for a thread that was let go, and no loss. */
export function lossOf(
  end: ThreadEnd,
  { wasForced }: { readonly wasForced: boolean },
): ThreadLoss | undefined {
  switch (end.kind) {
    case "ended":
      return wasForced ? "forced" : undefined;
    case "exception":
      return isOutOfMemory(end.error) ? "out_of_memory" : "exception";
    case "memory":
      return "out_of_memory";
    case "exit":
    case "unusable":
      return end.kind;
    default:
      return end satisfies never;
  }
}

export interface CrashedRun {
  /** Whether other runs were on the thread, so that nobody knows which of them did it. */
  readonly isShared: boolean;
  /** Heap of the thread; `undefined`: Node's own limit. */
  readonly memoryMb: number | undefined;
}

/** What a run ends as whose thread is gone. */
export function crashOutcome(end: ThreadEnd, run: CrashedRun): Outcome {
  const why = describe(end, run);
  if (run.isShared) {
    return crash(
      "RESOURCE_UNAVAILABLE",
      `the thread that this run shared with others ended: ${why}; run it again`,
    );
  }
  switch (end.kind) {
    case "exit":
      return crash("EXECUTION_FAILED", `${why}; throw a TerminalError or a RetryableError instead`);
    case "exception":
      // More memory elsewhere may do; a mistake stays one.
      return isOutOfMemory(end.error)
        ? crash("RESOURCE_UNAVAILABLE", `${why}; read files as streams, or raise runtime.thread_memory_mb`)
        : crash("EXECUTION_FAILED", `${why}; catch it in the handler`);
    case "memory":
      return crash("RESOURCE_UNAVAILABLE", `${why}; ${MEMORY_ADVICE[end.excess.whose]}`);
    case "unusable":
    case "ended":
      return crash("RESOURCE_UNAVAILABLE", `${why}; run it again`);
    default:
      return end satisfies never;
  }
}

/** Whether a thread died of its heap limit. */
export function isOutOfMemory(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "ERR_WORKER_OUT_OF_MEMORY";
}

const MEMORY_ADVICE: Readonly<Record<MemoryExcess["whose"], string>> = {
  thread: "read files as streams, or raise runtime.thread_memory_mb",
  activity: "read files as streams, or raise limits.memory_mb in the activity's spec",
  worker: "read files as streams, or give the worker fewer slots or more memory",
};

function describe(end: ThreadEnd, { memoryMb }: CrashedRun): string {
  switch (end.kind) {
    case "exit":
      return `process.exit(${end.exitCode}) was called`;
    case "exception":
      if (isOutOfMemory(end.error)) {
        return `it needed more memory than ${memoryMb === undefined ? "Node gives a thread" : `${memoryMb} MB`}`;
      }
      return `an exception was thrown where nobody caught it: ${String(end.error)}`;
    case "memory":
      return describeExcess(end.excess);
    case "unusable":
      return `the modules cannot be loaded any more: ${end.message}`;
    case "ended":
      return end.why;
    default:
      return end satisfies never;
  }
}

function describeExcess({ usedMb, boundMb, whose }: MemoryExcess): string {
  return whose === "worker"
    ? `the runs of this worker together needed more memory than ${boundMb} MB, and it had most, ${usedMb} MB`
    : `it needed more memory than ${boundMb} MB, heap and buffers together: ${usedMb} MB`;
}

function crash(code: "EXECUTION_FAILED" | "RESOURCE_UNAVAILABLE", message: string): Outcome {
  return {
    status: "ERROR",
    code: TASK_ERROR[code],
    message: `[HANDLER_CRASHED] ${message}`,
    retryable: code === "RESOURCE_UNAVAILABLE",
    retryAfterMs: 0,
  };
}
