import { createLogger } from "@subnet-worker/kit";
import type { Span, SpanOptions, Tracer } from "@subnet-worker/kit/tracing";
import { describe, expect, it } from "vitest";
import type { Task, TaskState } from "../src/domain/task.ts";
import { TaskTraces, withTraceIds } from "../src/services/task-traces.ts";

interface Recorded extends SpanOptions {
  readonly name: string;
  readonly events: [string, unknown?][];
  readonly after: Record<string, unknown>;
  ended?: { readonly failure: string | undefined };
}

/** Keeps what was made. */
class FakeTracer implements Tracer {
  readonly spans: Recorded[] = [];

  start(name: string, options: SpanOptions = {}): Span {
    const recorded: Recorded = { ...options, name, events: [], after: {} };
    const number = this.spans.push(recorded);
    return {
      traceId: `trace-${number}`,
      context: { traceparent: `parent-${number}` },
      set: (attributes) => void Object.assign(recorded.after, attributes),
      event: (...event) => void recorded.events.push(event),
      within: (run) => run(),
      end: (failure) => {
        expect(recorded.ended).toBeUndefined();
        recorded.ended = { failure };
      },
    };
  }
}

const LEASE = { expiresAtMs: 1, durationMs: 1, token: "t" };
const RUN = { id: "r-1", attempt: 1, executor: "http://a:1" };

function task(state: TaskState, changes: Partial<Task> = {}): Task {
  return {
    id: "0xab",
    source: "evm",
    queue: "q/1.0.0/w",
    kind: "k",
    version: "1.0.0",
    workflowInstanceId: "0xee",
    round: 1,
    state,
    ...changes,
  };
}

function play(...states: readonly TaskState[]) {
  const tracer = new FakeTracer();
  const traces = new TaskTraces(tracer);
  for (const state of states) traces.onState(task(state));
  return { tracer, traces, spans: tracer.spans };
}

const SUCCESS = { status: "success", resultHex: "0x" } as const;

describe("a task's span", () => {
  it("begins with the claim and tells of every step until the end", () => {
    const { spans, traces } = play(
      { kind: "offered" },
      { kind: "claiming" },
      { kind: "claimed", lease: LEASE, attempts: 0 },
      { kind: "assigned", lease: LEASE, run: RUN },
      { kind: "running", lease: LEASE, run: RUN, percent: 1 },
      { kind: "claimed", lease: LEASE, attempts: 1, past: { failures: ["no", "disk full"] } },
      { kind: "assigned", lease: LEASE, run: { ...RUN, id: "r-2", attempt: 2 } },
      { kind: "settling", outcome: SUCCESS },
      { kind: "done", outcome: SUCCESS },
    );
    expect(spans).toHaveLength(1);
    expect(spans[0]).toMatchObject({
      name: "task",
      kind: "consumer",
      seed: "evm:0xab",
      attributes: {
        "messaging.system.name": "evm",
        "messaging.destination.name": "q/1.0.0/w",
        "messaging.operation.type": "process",
        "messaging.message.id": "0xab",
        "messaging.message.conversation_id": "0xee",
        "subnet_worker.task.kind": "k",
        "subnet_worker.resumed": false,
      },
      events: [
        ["claim"],
        ["claimed"],
        ["assign", { "subnet_worker.run.id": "r-1", "subnet_worker.attempt": 1 }],
        ["run"],
        ["run failed", { attempt: 1, reason: "disk full" }],
        ["assign", { "subnet_worker.run.id": "r-2", "subnet_worker.attempt": 2 }],
        ["complete", { status: "success" }],
        ["settle"],
      ],
      after: { "subnet_worker.outcome": "success" },
      ended: { failure: undefined },
    });
    expect(traces.traceIdOf("0xab")).toBe("trace-1"); // for the line that says it is done
    traces.onState(task({ kind: "claiming" }, { id: "0xcd" }));
    traces.onState(task({ kind: "lost", reason: "taken" }, { id: "0xcd" }));
    expect(traces.traceIdOf("0xab")).toBeUndefined();
  });

  it.each<readonly [string, TaskState, Record<string, unknown>]>([
    [
      "failed",
      { kind: "done", outcome: { status: "error", code: 2001, reason: "no" } },
      { type: "2001", failure: "no", outcome: "error" },
    ],
    ["lost in a race", { kind: "lost", reason: "0xcd has it" }, { outcome: "lost" }],
    ["expired", { kind: "expired" }, { type: "expired", failure: "its lease ran out", outcome: "expired" }],
    [
      "abandoned",
      { kind: "abandoned", reason: "refused" },
      { type: "abandoned", failure: "refused", outcome: "abandoned" },
    ],
  ])("of one that %s says so", (_, state, { type, failure, outcome }) => {
    const { spans } = play({ kind: "claiming" }, state);
    expect(spans[0]?.ended).toEqual({ failure });
    expect(spans[0]?.after).toEqual({ "subnet_worker.outcome": outcome, "error.type": type });
  });

  it("of a task that was under way before the start says that it goes on", () => {
    const { spans } = play({ kind: "settling", outcome: SUCCESS }, { kind: "done", outcome: SUCCESS });
    expect(spans[0]?.attributes).toMatchObject({ "subnet_worker.resumed": true });
  });

  it("is not made for an offer that nobody claims", () => {
    expect(play({ kind: "offered" }, { kind: "lost", reason: "taken" }).spans).toEqual([]);
  });

  it("is part of the network's own trace, where there is one; its metadata goes on to the handler", () => {
    const { tracer, traces } = play();
    const metadata = { traceparent: "from-network", tenant_id: "t-7" };
    const traced = task({ kind: "claimed", lease: LEASE, attempts: 0 }, { traits: { metadata } });
    expect(traces.metadataOf(traced)).toEqual({ traceparent: "parent-1", tenant_id: "t-7" });
    expect(tracer.spans[0]?.parent).toBe(metadata);
    expect(traces.metadataOf(traced)["traceparent"]).toBe("parent-1"); // the same, not another
  });

  it("ends with the process, and the next one begins another", () => {
    const { spans, traces } = play({ kind: "claiming" });
    traces[Symbol.dispose]();
    expect(spans[0]).toMatchObject({
      after: { "subnet_worker.outcome": "suspended" },
      ended: { failure: undefined },
    });
    traces.onState(task({ kind: "claimed", lease: LEASE, attempts: 0 }));
    expect(spans).toHaveLength(2);
  });
});

it("lines about a task that is traced name its trace, and others are as they were", () => {
  const { traces } = play({ kind: "claiming" });
  const lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  const plain = createLogger({ name: "wcp", destination });
  const logger = withTraceIds(plain, traces);
  logger.info({ activity_id: "0xab", x: 1 }, "known");
  logger.child({ wep: "a" }).info({ activity_id: "0xab" }, "of a part");
  logger.info({ activity_id: "0xcd" }, "not traced");
  logger.info("no fields");
  plain.info({ activity_id: "0xab" }, "plain");
  expect(lines.map(({ trace_id, msg }) => [msg, trace_id])).toEqual([
    ["known", "trace-1"],
    ["of a part", "trace-1"],
    ["not traced", undefined],
    ["no fields", undefined],
    ["plain", undefined],
  ]);
  expect(lines[0]).toMatchObject({ level: "info", component: "wcp", x: 1 });
});
