import { Counter, Gauge, Histogram, type Logger, type Registry } from "@subnet-worker/kit";
import { type Measurement, type MetricSink, type MetricSpec, MOST_METRICS } from "./handler-metrics.ts";

type Take = (kind: string, values: readonly number[]) => void;

interface Metric {
  readonly spec: MetricSpec;
  readonly take: Take;
}

/**
 * Registers what handlers measure as `wep_handler_<name>`. Threads each check their own
 * names; what two of them disagree about, or is too much together, is logged once and dropped.
 */
export function createHandlerMetricSink(registry: Registry, log: Logger): MetricSink {
  const metrics = new Map<string, Metric>();
  const refused = new Set<string>();
  return ({ spec, kind, values }: Measurement) => {
    let metric = metrics.get(spec.name);
    if (metric === undefined && metrics.size < MOST_METRICS) {
      metric = { spec, take: register(registry, spec) };
      metrics.set(spec.name, metric);
    }
    if (metric?.spec.type === spec.type) {
      metric.take(kind, values);
      return;
    }
    const why =
      metric === undefined
        ? `there are ${MOST_METRICS} metrics of handlers already; make no names out of data`
        : `another handler has a ${metric.spec.type} of that name; rename one`;
    // Each thread has at most so many names, but there may be many threads.
    if (refused.has(spec.name) || refused.size >= MOST_METRICS) return;
    refused.add(spec.name);
    log.warn({ metric: spec.name, kind, why }, "metric of a handler dropped");
  };
}

function register(registry: Registry, spec: MetricSpec): Take {
  const { type, name, help, buckets } = spec;
  const options = { name: `wep_handler_${name}`, help, labelNames: ["kind"], registers: [registry] };
  switch (type) {
    case "counter": {
      const counter = new Counter(options);
      return (kind, values) =>
        counter.inc(
          { kind },
          values.reduce((sum, value) => sum + value, 0),
        );
    }
    case "gauge": {
      const gauge = new Gauge(options);
      return (kind, values) => gauge.set({ kind }, values.at(-1) ?? 0);
    }
    case "histogram": {
      const histogram = new Histogram(buckets.length === 0 ? options : { ...options, buckets: [...buckets] });
      return (kind, values) => {
        for (const value of values) histogram.observe({ kind }, value);
      };
    }
    default:
      return type satisfies never;
  }
}
