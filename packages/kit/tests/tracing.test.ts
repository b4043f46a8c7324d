import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { context, trace } from "@opentelemetry/api";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../src/clock.ts";
import { createLogger, type Logger } from "../src/logger.ts";
import { startTracing, type Tracing, type TracingOptions } from "../src/tracing/index.ts";
import { ToldExporter } from "../src/tracing/told-exporter.ts";
import { formatTraceparent, parseTraceContext } from "../src/tracing/traceparent.ts";
import { OtlpReceiver } from "../../testkit/src/otlp-receiver.ts";

const silent = createLogger({ name: "test", level: "silent" });

function begin(
  endpoint: string,
  options: Partial<TracingOptions> & { readonly logger?: Logger; readonly clock?: Clock } = {},
): Promise<Tracing> {
  const { logger = silent, clock = systemClock, ...rest } = options;
  return startTracing(
    { service: "subnet-worker-test", version: "1.2.3", instanceId: "i-1", endpoint, ratio: 1, ...rest },
    { logger, clock },
  );
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

describe("a span", () => {
  test("reaches the collector with what it was given", async () => {
    await using receiver = await OtlpReceiver.start();
    {
      await using tracing = await begin(receiver.endpoint);
      const span = tracing.start("task", { kind: "consumer", attributes: { a: "b", n: 7, gone: undefined } });
      span.event("claim", { at: 1 });
      span.set({ done: true });
      span.end();
      const failed = tracing.start("other");
      failed.end("it broke");
    }
    const [task, other] = receiver.spans;
    expect(task).toMatchObject({
      name: "task",
      kind: 5,
      parentSpanId: "",
      attributes: { a: "b", n: 7, done: true },
      events: [{ name: "claim", attributes: { at: 1 } }],
      resource: {
        "service.name": "subnet-worker-test",
        "service.version": "1.2.3",
        "service.instance.id": "i-1",
      },
    });
    expect(other).toMatchObject({ kind: 1, status: { code: 2, message: "it broke" } });
    expect(other?.traceId).not.toBe(task?.traceId);
  });

  test("is part of the one its metadata names, and names itself to the next", async () => {
    await using receiver = await OtlpReceiver.start();
    {
      await using tracing = await begin(receiver.endpoint, { ratio: 0 }); // decided where the trace began
      const metadata = { traceparent: PARENT, tracestate: "vendor=1", tenant_id: "t" };
      const upper = tracing.start("upper", { parent: metadata });
      expect(upper.context["tracestate"]).toBe("vendor=1");
      expect(upper.traceId).toBe(TRACE);
      tracing.start("lower", { parent: upper.context }).end();
      upper.end();
    }
    const [lower, upper] = receiver.spans;
    expect(upper).toMatchObject({ name: "upper", traceId: TRACE, parentSpanId: "b7ad6b7169203331" });
    expect(lower).toMatchObject({ name: "lower", traceId: TRACE, parentSpanId: upper?.spanId });
  });

  test.each([{}, { traceparent: "rubbish" }, { traceparent: `00-${"0".repeat(32)}-${"0".repeat(16)}-01` }])(
    "begins a trace of its own with %j",
    async (parent) => {
      await using receiver = await OtlpReceiver.start();
      {
        await using tracing = await begin(receiver.endpoint);
        tracing.start("first", { parent }).end();
      }
      expect(receiver.spans).toMatchObject([{ name: "first", parentSpanId: "" }]);
    },
  );

  test("with a seed belongs to the trace of that seed, in any process", async () => {
    await using one = await begin("http://127.0.0.1:9/v1/traces", { ratio: 0 });
    await using two = await begin("http://127.0.0.1:9/v1/traces", { ratio: 0 });
    const ids = [one, two].map((each) => each.start("task", { seed: "evm:0xab" }).traceId);
    expect(ids[0]).toBe(ids[1]);
    expect(one.start("task", { seed: "evm:0xcd" }).traceId).not.toBe(ids[0]);
    expect(one.start("task").traceId).not.toBe(one.start("task").traceId);
  });

  test("that is not sampled is not sent, and says so to the next", async () => {
    await using receiver = await OtlpReceiver.start();
    {
      await using tracing = await begin(receiver.endpoint, { ratio: 0 });
      const span = tracing.start("task");
      expect(span.context["traceparent"]).toMatch(/-00$/);
      span.end();
    }
    expect([receiver.requests, receiver.spans]).toEqual([0, []]);
  });

  test("is what @opentelemetry/api gives to the code within, through awaits, where that was asked for", async () => {
    await using receiver = await OtlpReceiver.start();
    {
      await using tracing = await begin(receiver.endpoint, { isGlobal: true });
      const span = tracing.start("handler demo");
      await span.within(async () => {
        await Promise.resolve();
        trace.getTracer("partner").startSpan("its own").end();
      });
      expect(trace.getSpan(context.active())).toBeUndefined();
      span.end();
    }
    const [own, handler] = receiver.spans;
    expect(own).toMatchObject({ name: "its own", parentSpanId: handler?.spanId, traceId: handler?.traceId });
  });
});

describe("a collector in trouble", () => {
  /** A logger, and what it wrote. */
  function recorder() {
    const lines: Record<string, unknown>[] = [];
    const destination = {
      write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    };
    return { lines, logger: createLogger({ name: "test", destination }) };
  }

  test("is told of in the log, and the process goes on", async () => {
    await using receiver = await OtlpReceiver.start();
    receiver.failWith = 400;
    const { lines, logger } = recorder();
    {
      await using tracing = await begin(receiver.endpoint, { logger });
      tracing.start("task").end();
    }
    expect(receiver.requests).toBe(1);
    expect(lines[0]).toMatchObject({
      level: "warn",
      msg: "spans cannot be delivered and are lost; all else goes on (check tracing.endpoint)",
      endpoint: receiver.endpoint,
      lost: 1,
    });
  });

  test("is told of once a minute, and when it is well again", () => {
    const { lines, logger } = recorder();
    let nowMs = 0;
    let code = 1;
    const inner: SpanExporter = {
      export(_, onResult) {
        const result: unknown = { code, error: new Error("no") };
        onResult(result as Parameters<typeof onResult>[0]);
      },
      shutdown: async () => undefined,
    };
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const exporter = new ToldExporter(inner, { logger, clock, endpoint: "http://c/" });
    const spans = [undefined, undefined] as unknown as ReadableSpan[];
    for (const atMs of [0, 1, 59_999, 60_000, 119_999]) {
      nowMs = atMs;
      exporter.export(spans, () => undefined);
    }
    code = 0;
    for (const _ of "ab") exporter.export(spans, () => undefined);
    expect(lines.map(({ level, lost, msg }) => [level, lost, String(msg).slice(0, 19)])).toEqual([
      ["warn", 2, "spans cannot be del"],
      ["warn", 8, "spans cannot be del"],
      ["info", 10, "spans are delivered"],
    ]);
  });
});

describe("traceparent", () => {
  test.each([
    [PARENT, 1],
    [`00-${TRACE}-b7ad6b7169203331-00`, 0],
    [`00-${TRACE}-b7ad6b7169203331-ff`, 1],
    [`cc-${TRACE}-b7ad6b7169203331-01-what-comes-later`, 1],
  ])("%s is read", (traceparent, traceFlags) => {
    expect(parseTraceContext({ traceparent })).toMatchObject({
      traceId: TRACE,
      spanId: "b7ad6b7169203331",
      traceFlags,
      isRemote: true,
    });
  });

  test.each([
    "",
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${TRACE}-b7ad6b7169203331-01-more`,
    `00-${TRACE}-b7ad6b7169203331`,
    PARENT.toUpperCase(),
    `00-${TRACE.slice(1)}-b7ad6b7169203331-01`,
  ])("%j is none", (traceparent) => {
    expect(parseTraceContext({ traceparent })).toBeUndefined();
  });

  test("is written as it was read", () => {
    const read = parseTraceContext({ traceparent: PARENT });
    expect(read === undefined ? "" : formatTraceparent(read)).toBe(PARENT);
  });
});

test("nothing of the OpenTelemetry SDK is loaded before tracing is on", () => {
  const entry = fileURLToPath(new URL("../src/tracing/index.ts", import.meta.url));
  const kit = fileURLToPath(new URL("../src/index.ts", import.meta.url));
  const program = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    await import(${JSON.stringify(kit)});
    const { startTracing } = await import(${JSON.stringify(entry)});
    // The API is there already, for prom-client.
    const isSdk = (url) => /@opentelemetry\\/(sdk|exporter|otlp|core|resources)/.test(url);
    const before = loaded.filter(isSdk).length;
    const options = { service: "s", version: "1", instanceId: "i", endpoint: "http://127.0.0.1:9/", ratio: 0 };
    await startTracing(options, { logger: undefined, clock: undefined });
    console.log(JSON.stringify([before, loaded.some(isSdk)]));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  expect([stdout.trim(), stderr]).toEqual(["[0,true]", ""]);
});
