import { Checkpoints } from "./checkpoint.ts";
import type { RunContext } from "./context.ts";
import { WepError } from "./errors.ts";
import type { RunScope } from "./handler-call.ts";
import { createHandlerMetrics, type HandlerMetrics } from "./handler-metrics.ts";
import { retry, type RetryPolicy } from "./retry.ts";
import { StepTimers } from "./step-timers.ts";

/** What a run's context offers beyond what it knows; made when it is first used. */
export class RunTools {
  readonly #scope: RunScope;
  #timers: StepTimers | undefined;
  #metrics: HandlerMetrics | undefined;
  #checkpoints: Checkpoints | undefined;

  constructor(scope: RunScope) {
    this.#scope = scope;
  }

  /** The handler has returned: no signal of it fires any more. */
  end(): void {
    this.#timers?.end();
  }

  get metrics(): HandlerMetrics {
    const { metrics, assignment } = this.#scope.source;
    this.#metrics ??= createHandlerMetrics(assignment.taskKind, metrics.names, metrics.sink);
    return this.#metrics;
  }

  readonly timeLeftMs: RunContext["timeLeftMs"] = () => {
    const { endsAtMs, clock } = this.#scope.source;
    return Math.max(0, endsAtMs - clock.nowMs());
  };

  readonly retry: RunContext["retry"] = (work, policy: RetryPolicy = {}) => {
    const { source, stop } = this.#scope;
    const { signal } = stop;
    return retry(work, { ...policy, signal, timeLeftMs: this.timeLeftMs, clock: source.clock });
  };

  readonly within: RunContext["within"] = (ms) => {
    if (!(ms >= 0)) throw new WepError("INVALID_OPTION", `ctx.within(${ms}): give milliseconds, 0 or more`);
    const { source, stop } = this.#scope;
    // No run is as long, and a timer counts to 24 days.
    if (ms === Infinity) return stop.signal;
    this.#timers ??= new StepTimers(source.clock);
    return AbortSignal.any([stop.signal, this.#timers.after(ms)]);
  };

  readonly saveCheckpoint: RunContext["saveCheckpoint"] = (value) => this.#ofCheckpoints.save(value);

  readonly loadCheckpoint = async <T>(): Promise<T | undefined> =>
    (await this.#ofCheckpoints.load()) as T | undefined;

  get #ofCheckpoints(): Checkpoints {
    const { source, transfers } = this.#scope;
    const { checkpointRef } = source.assignment;
    this.#checkpoints ??= new Checkpoints({
      ref: checkpointRef === "" ? undefined : checkpointRef,
      log: source.log,
      // Neither the percentage nor the message is its business.
      report: (checkpoint) => source.report({ percent: Number.NaN, message: undefined, checkpoint }),
      upload: (name, body, { mediaType }) =>
        transfers.upload({ name, body, mediaType, onProgress: undefined }),
      download: (objectKey) => transfers.download(objectKey),
    });
    return this.#checkpoints;
  }
}
