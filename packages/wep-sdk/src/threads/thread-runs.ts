// The runs of one handler thread, seen from the inside.
import type { Clock, Logger } from "@subnet-worker/kit";
import type { TaskAssignment } from "@subnet-worker/protocol";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import type { Ask, Grant, OpenUpload } from "../grant.ts";
import type { Handler } from "../handler.ts";
import { callHandler, RunScope, type ScopeSource } from "../handler-call.ts";
import { type Measurement, MetricNames, type MetricPort } from "../handler-metrics.ts";
import { handlerName } from "../handler-registry.ts";
import { type ProgressNews, ProgressReporter } from "../progress.ts";
import { traceFields } from "../run-span.ts";
import type { Outcome } from "../run-state.ts";
import type { TransferSettings } from "../transfer-retry.ts";
import { type FromThread, type ThreadData, type ToThread, transferOf } from "./messages.ts";
import type { Backlog } from "./backlog.ts";
import { MetricRelay } from "./metric-relay.ts";
import { unpackError } from "./port-error.ts";

export interface ThreadRunsDeps {
  readonly data: ThreadData;
  readonly backlog: Backlog;
  readonly handlers: readonly Handler[];
  readonly log: Logger;
  readonly clock: Clock;
}

/** Runs what the process asks for, and tells it how that ended. */
export class ThreadRuns {
  readonly #deps: ThreadRunsDeps;
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #runs = new Map<number, ThreadRun>();
  readonly #asks = new Map<number, PromiseWithResolvers<Grant>>();
  readonly #metrics: MetricPort;
  /** Made for the first handler that measures something. */
  #relay: MetricRelay | undefined;
  /** Timers that were set while the modules were loaded, and are meant to stay. */
  readonly #ownTimers = activeTimers();
  #lastAsk = 0;

  constructor(deps: ThreadRunsDeps) {
    this.#deps = deps;
    this.#metrics = { names: new MetricNames(), sink: (measurement) => this.#measured(measurement) };
    this.#handlers = new Map(deps.handlers.map((handler) => [handlerName(handler), handler]));
  }

  take(message: ToThread): void {
    switch (message.kind) {
      case "run":
        return this.#start(message);
      case "stop":
        return this.#runs.get(message.run)?.stop(message.reason);
      case "progressed":
        return this.#runs.get(message.run)?.progressed();
      case "granted":
        return this.#asks.get(message.ask)?.resolve(message.grant);
      case "refused":
        return this.#asks.get(message.ask)?.reject(unpackError(message.error));
      case "ping":
        return this.#post({ kind: "pong", timersLeft: this.#timersLeft });
      default:
        return message satisfies never;
    }
  }

  #start({ run: number, assignment, endsAtMs }: Extract<ToThread, { kind: "run" }>): void {
    const name = handlerName({ kind: assignment.taskKind, version: assignment.taskVersion });
    const handler = this.#handlers.get(name);
    if (handler === undefined) {
      this.#settle(number, gone(name));
      return;
    }
    const { data, log, clock } = this.#deps;
    const run = new ThreadRun(assignment, {
      clock,
      log,
      endsAtMs,
      metrics: this.#metrics,
      transfer: data.transfer,
      progressIntervalMs: data.progressIntervalMs,
      scratchPath: `${data.scratchPrefix}${number}`,
      sendProgress: (news) => this.#post({ kind: "progress", run: number, news }),
      ask: (what) => this.#ask(number, what),
      abandon: (upload) => this.#post({ kind: "abandon", run: number, upload }),
    });
    this.#runs.set(number, run);
    void callHandler(handler, run.scope).then((outcome) => {
      this.#runs.delete(number);
      run.close();
      this.#settle(number, outcome);
      return run.scope.cleanUp();
    });
  }

  #settle(run: number, outcome: Outcome): void {
    // What the run measured is there before its end is.
    this.#relay?.flush();
    this.#deps.data.port.postMessage(
      { kind: "settled", run, outcome, timersLeft: this.#timersLeft } satisfies FromThread,
      transferOf(outcome),
    );
  }

  get #timersLeft(): number {
    return this.#runs.size === 0 ? Math.max(0, activeTimers() - this.#ownTimers) : 0;
  }

  #measured(measurement: Measurement): void {
    const { clock, data, backlog } = this.#deps;
    this.#relay ??= new MetricRelay({
      clock,
      intervalMs: data.progressIntervalMs,
      send: (measurements) => {
        backlog.say("measured");
        this.#post({ kind: "measured", measurements });
      },
    });
    this.#relay.take(measurement);
  }

  async #ask(run: number, what: Ask): Promise<Grant> {
    const ask = ++this.#lastAsk;
    const answer = Promise.withResolvers<Grant>();
    this.#asks.set(ask, answer);
    this.#post({ kind: "ask", run, ask, what });
    try {
      return await answer.promise;
    } finally {
      this.#asks.delete(ask);
    }
  }

  #post(message: FromThread): void {
    this.#deps.data.port.postMessage(message);
  }
}

/** Timers of this thread that keep it alive; those that were unref'd do no harm. */
function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

interface ThreadRunDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly endsAtMs: number;
  readonly metrics: MetricPort;
  readonly transfer: TransferSettings;
  readonly progressIntervalMs: number;
  readonly scratchPath: string;
  readonly sendProgress: (news: ProgressNews) => void;
  readonly ask: (what: Ask) => Promise<Grant>;
  readonly abandon: (upload: OpenUpload) => void;
}

/** One run on this thread. */
class ThreadRun implements ScopeSource {
  readonly assignment: TaskAssignment;
  readonly scope: RunScope;
  readonly #deps: ThreadRunDeps;
  #log: Logger | undefined;
  #progress: ProgressReporter | undefined;

  constructor(assignment: TaskAssignment, deps: ThreadRunDeps) {
    this.assignment = assignment;
    this.#deps = deps;
    this.scope = new RunScope(this, deps.scratchPath);
  }

  get clock(): Clock {
    return this.#deps.clock;
  }

  get transfer(): TransferSettings {
    return this.#deps.transfer;
  }

  get endsAtMs(): number {
    return this.#deps.endsAtMs;
  }

  get metrics(): MetricPort {
    return this.#deps.metrics;
  }

  get log(): Logger {
    const { activityId, runId } = this.assignment;
    this.#log ??= this.#deps.log.child({
      activity_id: activityId,
      run_id: runId,
      ...traceFields(this.assignment),
    });
    return this.#log;
  }

  report(news: ProgressNews): PromiseLike<void> {
    // Thinned here as well: a handler that blocks its thread can report without end.
    this.#progress ??= new ProgressReporter(
      { minIntervalMs: this.#deps.progressIntervalMs, keepaliveMs: 0 },
      { clock: this.clock, send: (report) => this.#deps.sendProgress(report) },
    );
    return this.#progress.report(news);
  }

  requestGrant(what: Ask): Promise<Grant> {
    return this.#deps.ask(what);
  }

  abandonUpload(upload: OpenUpload): void {
    this.#deps.abandon(upload);
  }

  /** The report that was sent last is on its way. */
  progressed(): void {
    this.#progress?.release();
  }

  stop(reason: Parameters<RunScope["stop"]["stop"]>[0]): void {
    this.scope.stop.stop(reason);
    this.#progress?.release();
  }

  /** Sends the progress that still waits. */
  close(): void {
    this.#progress?.[Symbol.dispose]();
  }
}

function gone(name: string): Outcome {
  return {
    status: "ERROR",
    code: TASK_ERROR.RESOURCE_UNAVAILABLE,
    message: `[RESOURCE_UNAVAILABLE] the modules of this worker have no ${name} any more; restart the worker`,
    retryable: true,
    retryAfterMs: 0,
  };
}
