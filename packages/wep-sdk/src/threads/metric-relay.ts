import type { Clock } from "@subnet-worker/kit";
import type { Measurement, MetricSink } from "../handler-metrics.ts";

/** Values of one histogram that wait at most; more are sent at once. */
const MOST_WAITING = 1_000;

export interface MetricRelayDeps {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly send: (measurements: readonly Measurement[]) => void;
}

interface Waiting {
  readonly spec: Measurement["spec"];
  readonly kind: string;
  values: number[];
}

/**
 * Thins what handlers measure on its way out of a thread: what came together within an
 * interval goes in one message, counters as their sum and gauges as their last value.
 */
export class MetricRelay {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #send: (measurements: readonly Measurement[]) => void;
  readonly #waiting = new Map<string, Waiting>();
  #timer: Disposable | undefined;

  constructor({ clock, intervalMs, send }: MetricRelayDeps) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#send = send;
  }

  readonly take: MetricSink = ({ spec, kind, values }) => {
    const key = `${spec.name} ${kind}`;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, { spec, kind, values: [...values] });
    else merge(waiting, values);
    if ((waiting?.values.length ?? 0) >= MOST_WAITING) this.flush();
    else this.#timer ??= this.#clock.timer(this.#intervalMs, () => this.flush());
  };

  /** Sends what waits: what a run measured is there before its end is. */
  flush(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#send(all);
  }
}

function merge(waiting: Waiting, values: readonly number[]): void {
  switch (waiting.spec.type) {
    case "counter":
      waiting.values = [values.reduce((sum, value) => sum + value, waiting.values[0] ?? 0)];
      return;
    case "gauge":
      waiting.values = values.slice(-1);
      return;
    case "histogram":
      waiting.values.push(...values);
      return;
    default:
      waiting.spec.type satisfies never;
  }
}
