import { createLogger, systemClock } from "@subnet-worker/kit";
import { startTracing } from "@subnet-worker/kit/tracing";
import { describe, expect, it } from "vitest";
import { OtlpReceiver } from "@subnet-worker/testkit";
import { defineHandler, type ServeOptions, TerminalError } from "../src/index.ts";
import { assignment, TestStream } from "./_stream.ts";
import { resultOf, startWep } from "./_wep.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const METADATA = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, tenant_id: "t-7" };

/** Gives back the metadata it got, or fails. */
const mirror = defineHandler<{ readonly fails?: boolean }>({
  kind: "test.work",
  version: "1.0.0",
  run({ fails = false }, { metadata, log }) {
    log.info("at work");
    if (fails) throw new TerminalError("no such table");
    return { ...metadata };
  },
});

async function trace(run: (tracer: NonNullable<ServeOptions["tracer"]>) => Promise<void>) {
  await using receiver = await OtlpReceiver.start();
  {
    const options = { service: "wep", version: "1", instanceId: "i", endpoint: receiver.endpoint, ratio: 1 };
    const logger = createLogger({ name: "test", level: "silent" });
    await using tracing = await startTracing(options, { logger, clock: systemClock });
    await run(tracing);
  }
  return receiver.spans;
}

describe("a WEP with a tracer", () => {
  it("makes a span for every run, part of the one in its metadata, and hands its own to the handler", async () => {
    let given: unknown;
    let logs: readonly Readonly<Record<string, unknown>>[] = [];
    const spans = await trace(async (tracer) => {
      await using wep = await startWep({ handlers: [mirror], tracer });
      await using stream = await TestStream.open(wep.port);
      stream.send("assign", assignment({ activityId: "a-1", attempt: 2, metadata: METADATA }));
      given = resultOf(await stream.next("completion"));
      logs = wep.logs.filter(({ activity_id }) => activity_id === "a-1");
    });
    expect(spans).toMatchObject([
      {
        name: "handler test.work",
        kind: 2,
        traceId: TRACE,
        parentSpanId: "b7ad6b7169203331",
        status: {},
        attributes: {
          "rpc.system.name": "grpc",
          "rpc.method": "execution.v1.Execution/TaskStream",
          "subnet_worker.activity.id": "a-1",
          "subnet_worker.run.id": "run-1",
          "subnet_worker.attempt": 2,
          "subnet_worker.outcome": "success",
        },
      },
    ]);
    expect(given).toEqual({ ...METADATA, traceparent: `00-${TRACE}-${spans[0]?.spanId}-01` });
    expect(logs.map(({ msg, trace_id }) => [msg, trace_id])).toEqual([
      ["run started", TRACE],
      ["at work", TRACE],
      ["run ended", TRACE],
    ]);
  });

  it("says of a run that failed with what, and begins a trace where none came along", async () => {
    const spans = await trace(async (tracer) => {
      await using wep = await startWep({ handlers: [mirror], tracer });
      await using stream = await TestStream.open(wep.port);
      const inputs = [{ name: "fails", inlineJson: "true", abiType: "bool" }];
      stream.send("assign", assignment({ inputs }));
      await stream.next("completion");
    });
    expect(spans).toMatchObject([
      {
        parentSpanId: "",
        status: { code: 2, message: expect.stringContaining("no such table") },
        attributes: { "subnet_worker.outcome": "error", "error.type": "EXECUTION_FAILED" },
      },
    ]);
  });
});

it("a WEP without a tracer hands the metadata on as it is, and its lines name the trace all the same", async () => {
  await using wep = await startWep({ handlers: [mirror] });
  await using stream = await TestStream.open(wep.port);
  stream.send("assign", assignment({ metadata: METADATA }));
  expect(resultOf(await stream.next("completion"))).toEqual(METADATA);
  expect(wep.logs.find(({ msg }) => msg === "at work")).toMatchObject({ trace_id: TRACE });
  stream.send("assign", assignment({ runId: "run-2", activityId: "other" }));
  expect(resultOf(await stream.next("completion"))).toEqual({});
  const untraced = wep.logs.filter(({ activity_id }) => activity_id === "other");
  expect(untraced.map((line) => "trace_id" in line)).toEqual([false, false, false]);
});
