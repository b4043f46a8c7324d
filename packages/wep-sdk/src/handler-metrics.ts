import { WepError } from "./errors.ts";

/** Counts what goes up: pages, retries, bytes. */
export interface HandlerCounter {
  /**
   * Adds to the count.
   *
   * @param by 0 or more; default 1
   */
  inc(this: void, by?: number): void;
}

/** Shows what goes up and down: a queue's length, a temperature. The last value set wins, over all threads. */
export interface HandlerGauge {
  /** Replaces the value. */
  set(this: void, value: number): void;
}

/** Counts values by size: durations in seconds, sizes in bytes. */
export interface HandlerHistogram {
  /** Adds one observation. */
  observe(this: void, value: number): void;
}

/** What there is to say about a metric. */
export interface MetricOptions {
  /** What it says, for people who read `/metrics`. Default: its name. The first that is given stays. */
  readonly help?: string;
}

/** What there is to say about a histogram. */
export interface HistogramOptions extends MetricOptions {
  /** Upper bounds, growing. Default from 5 ms to 10 s, for durations in seconds. The first that are given stay. */
  readonly buckets?: readonly number[];
}

/**
 * Metrics of a handler's own, served by the worker's `/metrics` as `wep_handler_<name>`
 * with the label `kind`. Making the same one again gives the same one.
 *
 * Names are of the form `pages_total`: lower-case letters, digits and `_`, at most 60
 * characters; there may be 100 of them in a worker, so make no name out of data.
 */
export interface HandlerMetrics {
  /** @throws {WepError} INVALID_METRIC for a name that is none, is taken by another kind of metric, or is one too many */
  counter(this: void, name: string, options?: MetricOptions): HandlerCounter;
  /** @throws {WepError} INVALID_METRIC as {@link HandlerMetrics.counter} */
  gauge(this: void, name: string, options?: MetricOptions): HandlerGauge;
  /** @throws {WepError} INVALID_METRIC as {@link HandlerMetrics.counter} */
  histogram(this: void, name: string, options?: HistogramOptions): HandlerHistogram;
}

export type MetricType = "counter" | "gauge" | "histogram";

/** One metric, as it is made first. */
export interface MetricSpec {
  readonly type: MetricType;
  readonly name: string;
  readonly help: string;
  /** Of a histogram; empty: as the worker has them. */
  readonly buckets: readonly number[];
}

/** Something that was measured: what to add to a counter, what a gauge is, or the values of a histogram. */
export interface Measurement {
  readonly spec: MetricSpec;
  /** Kind of the handler. */
  readonly kind: string;
  readonly values: readonly number[];
}

/** Takes what handlers measure. */
export type MetricSink = (measurement: Measurement) => void;

/** What the handlers of one thread measure with. */
export interface MetricPort {
  readonly names: MetricNames;
  readonly sink: MetricSink;
}

/** Names that a thread or a worker has room for. */
export const MOST_METRICS = 100;

/** Names of the worker's own below `wep_handler_`. */
const RESERVED: ReadonlySet<string> = new Set(["threads", "threads_lost_total"]);

/** The metrics that one thread has made: what a name stands for is the same for all its handlers. */
export class MetricNames {
  readonly #specs = new Map<string, MetricSpec>();

  /** @throws {WepError} INVALID_METRIC */
  take(spec: MetricSpec): MetricSpec {
    const known = this.#specs.get(spec.name);
    if (known === undefined) return this.#add(spec);
    if (known.type !== spec.type) {
      throw invalid(spec.name, `there is a ${known.type} of that name; choose another for the ${spec.type}`);
    }
    return known;
  }

  #add(spec: MetricSpec): MetricSpec {
    const { name, help, buckets } = spec;
    if (typeof help !== "string") throw invalid(name, "its help is no text");
    if (!/^[a-z][a-z0-9_]{0,59}$/.test(name)) {
      throw invalid(name, "use at most 60 lower-case letters, digits and _, as in pages_total");
    }
    if (RESERVED.has(name)) throw invalid(name, "the worker has one of that name itself; choose another");
    if (this.#specs.size >= MOST_METRICS) {
      throw invalid(name, `there are ${MOST_METRICS} metrics already; make no names out of data`);
    }
    const isGrowing = buckets.every(
      (bound, index) => Number.isFinite(bound) && bound > (buckets[index - 1] ?? -Infinity),
    );
    if (!isGrowing || buckets.length > 50) throw invalid(name, "give at most 50 buckets, growing");
    this.#specs.set(name, spec);
    return spec;
  }
}

/** The metrics of one run. */
export function createHandlerMetrics(kind: string, names: MetricNames, sink: MetricSink): HandlerMetrics {
  const make = (type: MetricType, name: string, options: HistogramOptions) => {
    const { help = name, buckets = [] } = options;
    const spec = names.take({ type, name, help, buckets });
    return (value: number) => {
      if (!Number.isFinite(value) || (type === "counter" && value < 0)) {
        throw invalid(
          name,
          `${value} cannot be ${type === "counter" ? "added" : "taken"}; give a finite number`,
        );
      }
      sink({ spec, kind, values: [value] });
    };
  };
  return {
    counter(name, options = {}) {
      const add = make("counter", name, options);
      return { inc: (by = 1) => add(by) };
    },
    gauge: (name, options = {}) => ({ set: make("gauge", name, options) }),
    histogram: (name, options = {}) => ({ observe: make("histogram", name, options) }),
  };
}

function invalid(name: string, why: string): WepError {
  return new WepError("INVALID_METRIC", `metric ${JSON.stringify(name.slice(0, 100))}: ${why}`);
}
