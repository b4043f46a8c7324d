// The life of one run as the WEP sees it; docs/states/run.md has the table.
//
// 1. A run holds its slot from the first moment until its handler has returned,
//    however it was stopped: a handler that ignores its signal still burns a core.
// 2. A run has at most one outcome, and the first one stays.
// 3. The outcome is kept until the peer has it, or nobody asked for it in time.
// 4. Nobody waits for the outcome of a superseded run, so none is sent: a peer
//    that matches by activity alone would take it for the new run's.
import { isTaskErrorRetryable, TASK_ERROR, type TaskErrorCode } from "@subnet-worker/protocol";
import { type CancelReason, WepError } from "./errors.ts";
import type { Written } from "./grant.ts";

/** How a run ended. */
export type Outcome =
  | {
      readonly status: "SUCCESS";
      /** Empty where there is a `resultRef`. */
      readonly result: Uint8Array;
      /** Key of the object that the result is in. */
      readonly resultRef?: string;
      /** What the run has written to storage. */
      readonly objects?: readonly Written[];
      /** There was nothing to do, and why. `undefined`: there was. */
      readonly skipReason?: string;
    }
  | {
      readonly status: "ERROR";
      readonly code: TaskErrorCode;
      readonly message: string;
      readonly retryable: boolean;
      /** 0: no wish. */
      readonly retryAfterMs: number;
    };

export type RunState =
  /** The handler runs. */
  | { readonly kind: "running" }
  /** The handler was told to stop and has a short grace. */
  | { readonly kind: "stopping"; readonly reason: CancelReason }
  /** The grace is over and the handler has not returned; the peer does not have the outcome yet. */
  | { readonly kind: "abandoned"; readonly outcome: Outcome }
  /** As abandoned, but nobody waits for the outcome any more. */
  | { readonly kind: "lingering"; readonly outcome: Outcome }
  /** The handler returned; the peer does not have the outcome yet. */
  | { readonly kind: "finished"; readonly outcome: Outcome }
  /** Nothing is left to do. */
  | { readonly kind: "forgotten" };

export type RunEvent =
  /** The handler returned or threw. */
  | { readonly kind: "settled"; readonly outcome: Outcome }
  | { readonly kind: "stop"; readonly reason: CancelReason }
  | { readonly kind: "grace_over" }
  /** The peer has stored the outcome, as far as its protocol version can tell. */
  | { readonly kind: "delivered" }
  /** The outcome was kept long enough. */
  | { readonly kind: "expired" };

/**
 * The state after `event`. Pure.
 *
 * @throws {WepError} ILLEGAL_TRANSITION
 */
export function nextRun(state: RunState, event: RunEvent): RunState {
  switch (state.kind) {
    case "running":
      return fromRunning(state, event);
    case "stopping":
      return fromStopping(state, event);
    case "abandoned":
      return fromAbandoned(state, event);
    case "lingering":
      return fromLingering(state, event);
    case "finished":
      return fromFinished(state, event);
    case "forgotten":
      return event.kind === "stop" ? state : illegal(state, event);
    default:
      return unreachable(state);
  }
}

/** Whether the handler may still be burning a slot. */
export function holdsSlot(state: RunState): boolean {
  return state.kind !== "finished" && state.kind !== "forgotten";
}

/** Whether the run still has no outcome. */
export function isOpen(state: RunState): state is Extract<RunState, { kind: "running" | "stopping" }> {
  return state.kind === "running" || state.kind === "stopping";
}

/** The outcome, where there is one to send. */
export function outcomeOf(state: RunState): Outcome | undefined {
  return "outcome" in state ? state.outcome : undefined;
}

/** Whether an outcome is kept for a peer that does not have it yet. */
export function owesOutcome(state: RunState): boolean {
  return state.kind === "abandoned" || state.kind === "finished";
}

function fromRunning(state: Extract<RunState, { kind: "running" }>, event: RunEvent): RunState {
  if (event.kind === "settled") return { kind: "finished", outcome: event.outcome };
  if (event.kind === "stop") return { kind: "stopping", reason: event.reason };
  return illegal(state, event);
}

function fromStopping(state: Extract<RunState, { kind: "stopping" }>, event: RunEvent): RunState {
  const { reason } = state;
  switch (event.kind) {
    case "settled":
      if (reason === "superseded") return { kind: "forgotten" };
      // Work that was finished all the same is not thrown away.
      return {
        kind: "finished",
        outcome: event.outcome.status === "SUCCESS" ? event.outcome : cancelled(reason),
      };
    case "grace_over":
      return { kind: reason === "superseded" ? "lingering" : "abandoned", outcome: cancelled(reason) };
    case "stop":
      return state; // the first reason stays: the handler has seen it
    case "delivered":
    case "expired":
      return illegal(state, event);
    default:
      return unreachable(event);
  }
}

function fromAbandoned(state: Extract<RunState, { kind: "abandoned" }>, event: RunEvent): RunState {
  switch (event.kind) {
    case "settled":
      return { kind: "finished", outcome: state.outcome };
    case "delivered":
    case "expired":
      return { kind: "lingering", outcome: state.outcome };
    case "stop":
      return state;
    case "grace_over":
      return illegal(state, event);
    default:
      return unreachable(event);
  }
}

function fromLingering(state: Extract<RunState, { kind: "lingering" }>, event: RunEvent): RunState {
  switch (event.kind) {
    case "settled":
      return { kind: "forgotten" };
    case "delivered": // asked for once more, and acknowledged once more
    case "stop":
      return state;
    case "expired":
    case "grace_over":
      return illegal(state, event);
    default:
      return unreachable(event);
  }
}

function fromFinished(state: Extract<RunState, { kind: "finished" }>, event: RunEvent): RunState {
  switch (event.kind) {
    case "delivered":
    case "expired":
      return { kind: "forgotten" };
    case "stop":
      return state;
    case "settled":
    case "grace_over":
      return illegal(state, event);
    default:
      return unreachable(event);
  }
}

const WORDS: Readonly<Record<CancelReason, string>> = {
  requested: "it was cancelled",
  deadline: "its time was over",
  lease_lost: "its lease was lost",
  drain: "the worker is shutting down",
  superseded: "a newer run of the same activity replaced it",
  disconnected: "its worker client gave it up",
};

/** What a stopped run ends as. */
function cancelled(reason: CancelReason): Outcome {
  const code = reason === "deadline" ? TASK_ERROR.CANCELLED_BY_TIMEOUT : TASK_ERROR.CANCELLED_BY_USER;
  const name = reason === "deadline" ? "CANCELLED_BY_TIMEOUT" : "CANCELLED_BY_USER";
  return {
    status: "ERROR",
    code,
    message: `[${name}] the run was stopped because ${WORDS[reason]} (${reason})`,
    // Nothing is wrong with a run that only lost its worker.
    retryable: reason === "drain" || reason === "disconnected" || isTaskErrorRetryable(code),
    retryAfterMs: 0,
  };
}

function illegal(state: RunState, event: RunEvent): never {
  throw new WepError(
    "ILLEGAL_TRANSITION",
    `a run that is ${state.kind} cannot take "${event.kind}"; this is a defect, report it`,
  );
}

function unreachable(value: never): never {
  throw new WepError(
    "ILLEGAL_TRANSITION",
    `unknown state or event ${JSON.stringify(value)}; this is a defect, report it`,
  );
}
