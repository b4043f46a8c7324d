import type { Span, Tracer } from "@subnet-worker/kit/tracing";
import type { TaskAssignment } from "@subnet-worker/protocol";
import { taskErrorName } from "@subnet-worker/protocol/task-error";
import type { Outcome } from "./run-state.ts";

/**
 * Begins the span of a run, as part of the one that its assignment names. The metadata names the new
 * one from then on, so that whatever the handler traces is part of it.
 */
export function startRunSpan(tracer: Tracer, assignment: TaskAssignment): Span {
  const { activityId, runId, taskKind, taskVersion, attempt, workflowInstanceId } = assignment;
  const span = tracer.start(`handler ${taskKind}`, {
    kind: "server",
    parent: assignment.metadata,
    // Names as OpenTelemetry's semantic conventions 1.45 have them; what they lack is under `subnet_worker`.
    attributes: {
      "rpc.system.name": "grpc",
      "rpc.method": "execution.v1.Execution/TaskStream",
      "messaging.message.id": activityId,
      "messaging.message.conversation_id": workflowInstanceId === "" ? undefined : workflowInstanceId,
      "subnet_worker.activity.id": activityId,
      "subnet_worker.run.id": runId,
      "subnet_worker.task.kind": taskKind,
      "subnet_worker.task.version": taskVersion,
      "subnet_worker.attempt": Math.max(1, attempt),
    },
  });
  assignment.metadata = { ...assignment.metadata, ...span.context };
  return span;
}

/** Ends it with what the run came to; `undefined` for one that another superseded. */
export function endRunSpan(span: Span, outcome: Outcome | undefined): void {
  if (outcome?.status !== "ERROR") {
    span.set({ "subnet_worker.outcome": goodEnd(outcome) });
    span.end();
    return;
  }
  span.set({ "subnet_worker.outcome": "error", "error.type": taskErrorName(outcome.code) });
  span.end(outcome.message);
}

function goodEnd(outcome: Extract<Outcome, { status: "SUCCESS" }> | undefined): string {
  if (outcome === undefined) return "superseded";
  return outcome.skipReason === undefined ? "success" : "skipped";
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-/;

/** Fields of log lines about a run: the trace that it is part of, where it is part of one. */
export function traceFields({ metadata }: TaskAssignment): { readonly trace_id?: string } {
  const { traceparent } = metadata;
  const traceId = traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1];
  return traceId === undefined ? {} : { trace_id: traceId };
}
