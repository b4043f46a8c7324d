/**
 * A span for every task that this node works on, from its claim to its end.
 *
 *  TT1  There is at most one open span of a task, and none of a task that has ended.
 *  TT2  The trace of a task follows from its id, where the network gave none: after a restart, and on
 *       another node, its spans belong to the same trace.
 */
import type { Logger } from "@subnet-worker/kit";
import type { Span, SpanAttributes, TraceContext, Tracer } from "@subnet-worker/kit/tracing";
import { FINAL_STATES, type Outcome, type Task } from "../domain/task.ts";

/** Names as OpenTelemetry's semantic conventions 1.45 have them; what they lack is under `subnet_worker`. */
function attributesOf(task: Task): SpanAttributes {
  return {
    "messaging.system.name": task.source,
    "messaging.destination.name": task.queue,
    "messaging.operation.name": "task",
    "messaging.operation.type": "process",
    "messaging.message.id": task.id,
    "messaging.message.conversation_id": task.workflowInstanceId === "" ? undefined : task.workflowInstanceId,
    "subnet_worker.activity.id": task.id,
    "subnet_worker.task.kind": task.kind,
    "subnet_worker.task.version": task.version,
    "subnet_worker.task.round": task.round,
    "subnet_worker.tenant": task.traits?.tenant,
  };
}

/** Makes the spans, told of each change of state. */
export class TaskTraces implements Disposable {
  readonly #tracer: Tracer;
  readonly #spans = new Map<string, Span>();
  /** Of the span that ended last: its task's last line is still to be written. */
  #last: { readonly taskId: string; readonly traceId: string } | undefined;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** A task is in a new state. */
  readonly onState = (task: Task): void => {
    if (task.state.kind === "offered") return; // it may wait for long, or for ever
    if (FINAL_STATES.has(task.state.kind) && !this.#spans.has(task.id)) return; // TT1
    const span = this.#spanOf(task);
    tell(span, task);
    if (!FINAL_STATES.has(task.state.kind)) return;
    this.#spans.delete(task.id);
    this.#last = { taskId: task.id, traceId: span.traceId };
    end(span, task);
  };

  /** What goes with the task to its handler: what the network gave, and the span to go on from. */
  readonly metadataOf = (task: Task): TraceContext => ({
    ...task.traits?.metadata,
    ...this.#spanOf(task).context,
  });

  /** Of the span that is open, or ended just now; `undefined` for none. */
  traceIdOf(taskId: unknown): string | undefined {
    if (typeof taskId !== "string") return undefined;
    return (
      this.#spans.get(taskId)?.traceId ?? (this.#last?.taskId === taskId ? this.#last.traceId : undefined)
    );
  }

  /** Ends what is open: the tasks go on at the next start, in the same traces. */
  [Symbol.dispose](): void {
    for (const span of this.#spans.values()) {
      span.set({ "subnet_worker.outcome": "suspended" });
      span.end();
    }
    this.#spans.clear();
  }

  #spanOf(task: Task): Span {
    const known = this.#spans.get(task.id);
    if (known !== undefined) return known;
    const span = this.#tracer.start("task", {
      kind: "consumer",
      attributes: { ...attributesOf(task), "subnet_worker.resumed": task.state.kind !== "claiming" },
      parent: task.traits?.metadata,
      seed: `${task.source}:${task.id}`, // TT2
    });
    this.#spans.set(task.id, span);
    return span;
  }
}

function tell(span: Span, { state }: Task): void {
  switch (state.kind) {
    case "claiming":
      return span.event("claim");
    case "claimed":
      return state.attempts === 0
        ? span.event("claimed")
        : span.event("run failed", { attempt: state.attempts, reason: state.past?.failures.at(-1) });
    case "assigned":
      return span.event("assign", {
        "subnet_worker.run.id": state.run.id,
        "subnet_worker.attempt": state.run.attempt,
        "subnet_worker.executor": state.run.executor,
      });
    case "running":
      return span.event("run");
    case "settling":
      return span.event("complete", { status: state.outcome.status });
    case "done":
      return span.event("settle");
    default:
      return undefined;
  }
}

function end(span: Span, { state }: Task): void {
  const outcome = state.kind === "done" ? state.outcome.status : state.kind;
  const failure = failureOf(state);
  span.set({ "subnet_worker.outcome": outcome, "error.type": failure?.type });
  span.end(failure?.reason);
}

/** A race that is lost is no failure. */
function failureOf(state: Task["state"]): { readonly type: string; readonly reason: string } | undefined {
  if (state.kind === "done") return failureIn(state.outcome);
  if (state.kind === "expired") return { type: "expired", reason: "its lease ran out" };
  return state.kind === "abandoned" ? { type: "abandoned", reason: state.reason } : undefined;
}

function failureIn(outcome: Outcome): { readonly type: string; readonly reason: string } | undefined {
  return outcome.status === "error" ? { type: String(outcome.code), reason: outcome.reason } : undefined;
}

/** A logger whose lines about a task that is traced name the trace too. */
export function withTraceIds(logger: Logger, traces: TaskTraces): Logger {
  const log = (fields: object): Record<string, unknown> => {
    const traceId = traces.traceIdOf((fields as Readonly<Record<string, unknown>>)["activity_id"]);
    return { ...fields, ...(traceId === undefined ? {} : { trace_id: traceId }) };
  };
  return logger.child({}, { formatters: { log } });
}
