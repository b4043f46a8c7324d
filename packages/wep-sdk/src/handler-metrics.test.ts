import { createLogger, createRegistry } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/kit/fake-clock";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHandlerMetricSink } from "./handler-metric-sink.ts";
import { createHandlerMetrics, type Measurement, MetricNames } from "./handler-metrics.ts";
import { MetricRelay } from "./threads/metric-relay.ts";

function worker() {
  const registry = createRegistry();
  const logs: string[] = [];
  const log = createLogger({ name: "wep", destination: { write: (line) => void logs.push(line) } });
  const sink = createHandlerMetricSink(registry, log);
  return {
    sink,
    logs,
    lines: async () => {
      const text = await registry.metrics();
      return text.split("\n").filter((line) => line.startsWith("wep_handler_"));
    },
  };
}

describe("metrics of handlers", () => {
  it("are served below wep_handler_, by kind", async () => {
    const { sink, lines } = worker();
    const names = new MetricNames();
    const audio = createHandlerMetrics("audio", names, sink);
    const video = createHandlerMetrics("video", names, sink);
    audio.counter("frames_total", { help: "Frames seen." }).inc();
    audio.counter("frames_total").inc(4);
    video.counter("frames_total").inc(7);
    audio.gauge("queue_length").set(3);
    audio.gauge("queue_length").set(2);
    audio.histogram("decode_seconds", { buckets: [1, 2] }).observe(1.5);
    expect(await lines()).toEqual([
      'wep_handler_frames_total{kind="audio"} 5',
      'wep_handler_frames_total{kind="video"} 7',
      'wep_handler_queue_length{kind="audio"} 2',
      'wep_handler_decode_seconds_bucket{le="1",kind="audio"} 0',
      'wep_handler_decode_seconds_bucket{le="2",kind="audio"} 1',
      'wep_handler_decode_seconds_bucket{le="+Inf",kind="audio"} 1',
      'wep_handler_decode_seconds_sum{kind="audio"} 1.5',
      'wep_handler_decode_seconds_count{kind="audio"} 1',
    ]);
  });

  it.each([
    ["Frames", /lower-case/],
    ["", /lower-case/],
    ["1st", /lower-case/],
    ["a".repeat(61), /at most 60/],
    ["threads", /the worker has one of that name/],
  ])("refuses the name %j", (name, message) => {
    const { counter } = createHandlerMetrics("a", new MetricNames(), () => undefined);
    expect(() => counter(name)).toThrow(message);
  });

  it("refuses a help that could not leave its thread", () => {
    const { counter } = createHandlerMetrics("a", new MetricNames(), () => undefined);
    expect(() => counter("pages_total", { help: Symbol("x") as unknown as string })).toThrow(/no text/);
  });

  it("refuses one name for two kinds of metric, values that are none, and more than a hundred names", () => {
    const { counter, gauge, histogram } = createHandlerMetrics("a", new MetricNames(), () => undefined);
    counter("one");
    expect(() => gauge("one")).toThrow(/there is a counter of that name/);
    expect(() => counter("one").inc(-1)).toThrow(/-1 cannot be added/);
    expect(() => gauge("two").set(Number.NaN)).toThrow(/NaN cannot be taken/);
    expect(() => histogram("three", { buckets: [2, 1] })).toThrow(/growing/);
    for (let count = 3; count <= 100; count += 1) counter(`n_${count}`);
    expect(() => counter("one_more")).toThrow(/there are 100 metrics already/);
  });

  it("are dropped with a warning, once, when threads disagree or have too many together", async () => {
    const { sink, logs, lines } = worker();
    const first = createHandlerMetrics("a", new MetricNames(), sink);
    const second = createHandlerMetrics("b", new MetricNames(), sink);
    first.counter("one").inc();
    second.gauge("one").set(1);
    second.gauge("one").set(1);
    for (let count = 2; count <= 100; count += 1) first.counter(`n_${count}`).inc();
    second.counter("too_many").inc();
    expect(await lines()).toHaveLength(100);
    expect(logs.map((line) => (JSON.parse(line) as { metric: string }).metric)).toEqual(["one", "too_many"]);
  });
});

describe("a relay of metrics", () => {
  it("sends what came together in one message, and the rest when it is flushed", async () => {
    const clock = new FakeClock();
    const sent: (readonly Measurement[])[] = [];
    const relay = new MetricRelay({ clock, intervalMs: 500, send: (all) => void sent.push(all) });
    const { counter, gauge, histogram } = createHandlerMetrics("a", new MetricNames(), relay.take);
    counter("c").inc(2);
    counter("c").inc(3);
    gauge("g").set(1);
    gauge("g").set(9);
    histogram("h").observe(1);
    histogram("h").observe(2);
    expect(sent).toHaveLength(0);
    await clock.advance(500);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.map(({ spec, values }) => [spec.name, values])).toEqual([
      ["c", [5]],
      ["g", [9]],
      ["h", [1, 2]],
    ]);
    counter("c").inc();
    relay.flush();
    relay.flush();
    expect(sent).toHaveLength(2);
    expect(clock.pendingCount).toBe(0);
  });

  it("loses nothing and holds little back, whatever is measured", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (events) => {
        const totals = { c: 0, h: 0, observed: 0 };
        const relay = new MetricRelay({
          clock: new FakeClock(),
          intervalMs: 1,
          send: (all) => {
            for (const { spec, values } of all) {
              totals[spec.name as "c" | "h"] += values.reduce((sum, value) => sum + value, 0);
              totals.observed += spec.type === "histogram" ? values.length : 0;
            }
          },
        });
        const { counter, histogram } = createHandlerMetrics("a", new MetricNames(), relay.take);
        for (const [isCounter, value] of events)
          if (isCounter) counter("c").inc(value);
          else histogram("h").observe(value);
        relay.flush();
        const sum = (isCounter: boolean) =>
          events.filter(([which]) => which === isCounter).reduce((all, [, value]) => all + value, 0);
        expect(totals).toEqual({ c: sum(true), h: sum(false), observed: events.filter(([c]) => !c).length });
      }),
    );
  });
});
