import type { Clock, Logger } from "@subnet-worker/kit";
import type { Span } from "@subnet-worker/kit/tracing";
import { type TaskAssignment, TASK_ERROR, taskErrorName } from "@subnet-worker/protocol";
import type { CancelReason } from "./errors.ts";
import { execute, type Execution, type RunHost } from "./execution.ts";
import type { Ask, Grant, OpenUpload } from "./grant.ts";
import { abandonUpload, requestGrant } from "./grant-request.ts";
import type { Handler } from "./handler.ts";
import type { MetricPort } from "./handler-metrics.ts";
import { Attachment, type Link } from "./link.ts";
import { limitOutcome } from "./message-size.ts";
import type { RunMetrics } from "./metrics.ts";
import { patientClock } from "./patient-clock.ts";
import { type ProgressNews, type ProgressReport, ProgressReporter } from "./progress.ts";
import {
  holdsSlot,
  isOpen,
  nextRun,
  type Outcome,
  outcomeOf,
  owesOutcome,
  type RunEvent,
  type RunState,
} from "./run-state.ts";
import { endRunSpan, startRunSpan, traceFields } from "./run-span.ts";
import type { Settings } from "./settings.ts";
import { StopSignal } from "./stop-signal.ts";
import type { TransferSettings } from "./transfer-retry.ts";

export interface RunOptions {
  readonly assignment: TaskAssignment;
  readonly handler: Handler;
  readonly settings: Settings;
}

export interface RunDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RunMetrics;
  readonly handlerMetrics: MetricPort;
  /** Told after each change of state. */
  readonly onChange: (run: Run) => void;
}

const NO_PROGRESS: ProgressReport = { percent: 0, message: "", checkpoint: "" };

/** What a run that was ended by force is settled with: its reason for stopping says more. */
const ENDED_BY_FORCE: Outcome = {
  status: "ERROR",
  code: TASK_ERROR.EXECUTION_FAILED,
  message: "[HANDLER_CRASHED] the handler was ended by force",
  retryable: true,
  retryAfterMs: 0,
};

/**
 * One run: performs the effects of its state machine, which is run-state.ts. Tens of
 * thousands of runs a second may come by, so what a run may not need is made late.
 */
export class Run implements RunHost {
  readonly assignment: TaskAssignment;
  readonly handler: Handler;
  readonly #settings: Settings;
  readonly #deps: RunDeps;
  readonly #attachment = new Attachment();
  readonly #startedAtMs: number;
  #latencyMs = 0;
  #state: RunState = { kind: "running" };
  #execution: Execution | undefined;
  #progress: ProgressReporter | undefined;
  #log: Logger | undefined;
  /** Where there is a tracer. */
  #span: Span | undefined;
  /** Ends what this thread does for the run: requests for grants. */
  #stop: StopSignal | undefined;
  #stopReason: CancelReason | undefined;
  /** Handler timeout, then grace, then retention: a run waits for one thing at a time. */
  #timer: Disposable | undefined;

  constructor(options: RunOptions, deps: RunDeps) {
    this.assignment = options.assignment;
    this.handler = options.handler;
    this.#settings = options.settings;
    this.#deps = deps;
    this.#startedAtMs = deps.clock.monotonicMs();
  }

  get state(): RunState {
    return this.#state;
  }

  isAttachedTo(link: Link): boolean {
    return this.#attachment.link === link;
  }

  /** What the handler reported last. */
  get lastReport(): ProgressReport {
    return this.#progress?.last ?? NO_PROGRESS;
  }

  get clock(): Clock {
    return this.#deps.clock;
  }

  get transfer(): TransferSettings {
    return this.#settings.transfer;
  }

  get metrics(): MetricPort {
    return this.#deps.handlerMetrics;
  }

  /** Whichever comes first: the longest it may take, or the time after which nobody wants its result. */
  get endsAtMs(): number {
    const { clock } = this.#deps;
    const { deadlineUnixMs, timeoutMs: ownTimeoutMs } = this.assignment;
    const { handlerTimeoutMs } = this.#settings;
    const timeoutMs = Math.min(handlerTimeoutMs || Infinity, Number(ownTimeoutMs) || Infinity);
    const startedMs = clock.nowMs() - (clock.monotonicMs() - this.#startedAtMs);
    return Math.min(startedMs + timeoutMs, Number(deadlineUnixMs) || Infinity);
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

  /** Begins. */
  start(link: Link): void {
    const { log } = this.#deps;
    const { activityId, runId, attempt, heartbeatIntervalS } = this.assignment;
    this.#attachment.attach(link);
    const { tracer } = this.#settings;
    if (tracer !== undefined) this.#span = startRunSpan(tracer, this.assignment);
    this.#armTimeout();
    if (heartbeatIntervalS > 0) this.#reporter();
    if (log.isLevelEnabled("info")) {
      const { kind, version } = this.handler;
      const ids = { activity_id: activityId, run_id: runId, ...traceFields(this.assignment) };
      log.info({ ...ids, kind, version, attempt }, "run started");
    }
    this.#execution = this.#span?.within(() => execute(this.handler, this)) ?? execute(this.handler, this);
  }

  /** Talks to a newer stream from now on, and tells it where things stand. */
  attach(link: Link): void {
    this.#attachment.attach(link);
    this.log.info({ state: this.#state.kind }, "run re-attached");
    if (isOpen(this.#state)) this.#reporter().resend();
    else this.#sendOutcome();
    if (owesOutcome(this.#state)) this.#keepOutcome();
  }

  detach(link: Link): void {
    if (!this.isAttachedTo(link)) return;
    this.#attachment.detach(link);
    this.#progress?.release();
  }

  report(news: ProgressNews): PromiseLike<void> {
    return isOpen(this.#state) ? this.#reporter().report(news) : Promise.resolve();
  }

  requestGrant(ask: Ask): Promise<Grant> {
    this.#stop ??= new StopSignal();
    if (this.#stopReason !== undefined) this.#stop.stop(this.#stopReason);
    const { signal } = this.#stop;
    return requestGrant(ask, { assignment: this.assignment, attachment: this.#attachment, signal });
  }

  abandonUpload(upload: OpenUpload): void {
    abandonUpload(upload, { assignment: this.assignment, attachment: this.#attachment });
  }

  settle(outcome: Outcome): void {
    this.#apply({ kind: "settled", outcome: limitOutcome(outcome, this.#settings.maxMessageBytes) });
  }

  /** Asks the handler to stop. Harmless at any time. */
  stop(reason: CancelReason): void {
    this.#apply({ kind: "stop", reason });
  }

  /** The peer has the completion. Harmless at any time. */
  delivered(): void {
    if (isOpen(this.#state)) this.log.warn("completion acknowledged before there was one; ignored");
    else if (this.#state.kind !== "forgotten") this.#apply({ kind: "delivered" });
  }

  /** Stops keeping the completion, as nobody asked for it. */
  expire(why: string): void {
    this.log.warn({ why }, "completion dropped: no worker client acknowledged it");
    this.#apply({ kind: "expired" });
  }

  get #ids(): { readonly activityId: string; readonly runId: string } {
    const { activityId, runId } = this.assignment;
    return { activityId, runId };
  }

  #apply(event: RunEvent): void {
    const before = this.#state;
    const after = nextRun(before, event);
    if (after === before) return;
    this.#state = after;
    if (after.kind === "stopping") this.#entersStopping(after.reason);
    else if (isOpen(before)) this.#ends(after);
    if (owesOutcome(before) && !owesOutcome(after)) this.#disarm();
    if (holdsSlot(before) && !holdsSlot(after) && !isOpen(before)) {
      this.log.warn("handler returned at last; its slot is free again");
    }
    this.#deps.onChange(this);
  }

  #entersStopping(reason: CancelReason): void {
    this.log.info({ reason }, "run stopping");
    this.#arm(this.#settings.abortGraceMs, () => this.#graceIsOver());
    this.#stopReason = reason;
    this.#stop?.stop(reason);
    this.#progress?.release();
    this.#execution?.stop(reason);
  }

  #graceIsOver(): void {
    const fields = { grace_ms: this.#settings.abortGraceMs };
    if (this.#execution?.canTerminate !== true) {
      this.log.warn(
        fields,
        "handler ignores its signal: run settled without it, its slot stays taken until it returns",
      );
      this.#apply({ kind: "grace_over" });
      return;
    }
    this.#execution.terminate();
    // What had come in by then counts.
    if (!isOpen(this.#state)) return;
    this.log.warn(fields, "handler ignores its signal: ended by force, its slot is free");
    this.settle(ENDED_BY_FORCE);
  }

  /** The run has its outcome, or none is wanted. */
  #ends(after: RunState): void {
    this.#disarm();
    this.#progress?.[Symbol.dispose]();
    this.#latencyMs = this.#deps.clock.monotonicMs() - this.#startedAtMs;
    this.#tellOf(outcomeOf(after));
    if (!owesOutcome(after)) return;
    this.#sendOutcome();
    if (owesOutcome(this.#state)) this.#keepOutcome();
  }

  #tellOf(outcome: Outcome | undefined): void {
    const { log, metrics } = this.#deps;
    const status = statusOf(outcome);
    if (this.#span !== undefined) endRunSpan(this.#span, outcome);
    metrics.runEnded({ kind: this.handler.kind, status, durationMs: this.#latencyMs });
    if (!log.isLevelEnabled("info")) return;
    const { activityId, runId } = this.assignment;
    const error = outcome?.status === "ERROR" ? outcome.message : undefined;
    const reason = outcome?.status === "SUCCESS" ? outcome.skipReason : undefined;
    const ids = { activity_id: activityId, run_id: runId, ...traceFields(this.assignment) };
    log.info({ ...ids, status, error, reason, latency_ms: Math.round(this.#latencyMs) }, "run ended");
  }

  #keepOutcome(): void {
    const { completionRetentionMs } = this.#settings;
    this.#arm(completionRetentionMs, () => this.expire(`nobody did within ${completionRetentionMs} ms`));
  }

  #sendOutcome(): void {
    const outcome = outcomeOf(this.#state);
    const { link } = this.#attachment;
    if (outcome === undefined || link === undefined) return;
    const completion = completionFields(outcome, this.#latencyMs);
    const fields = link.hasAdditions ? { ...completion.base, ...completion.additions } : completion.base;
    link.sendCompletion({ ...this.#ids, ...fields }, () => {
      // 1.0.0 has no acknowledgement: what the transport took has to count.
      if (!link.hasAdditions) this.delivered();
    });
  }

  #reporter(): ProgressReporter {
    this.#progress ??= new ProgressReporter(
      {
        minIntervalMs: this.#settings.progressIntervalMs,
        keepaliveMs: Math.max(0, this.assignment.heartbeatIntervalS) * 500,
      },
      {
        clock: patientClock(this.#deps.clock),
        send: (report, onTaken) => this.#sendProgress(report, onTaken),
      },
    );
    return this.#progress;
  }

  #sendProgress({ percent, message, checkpoint }: ProgressReport, onTaken: () => void): void {
    const { link } = this.#attachment;
    // Without a stream it is kept, and sent when one attaches.
    if (link === undefined) onTaken();
    else link.sendProgress({ ...this.#ids, percent, message, checkpointRef: checkpoint }, onTaken);
  }

  #armTimeout(): void {
    const waitMs = this.endsAtMs - this.#deps.clock.nowMs();
    if (waitMs < Infinity) this.#arm(Math.max(0, waitMs), () => this.stop("deadline"));
  }

  #arm(ms: number, fire: () => void): void {
    this.#disarm();
    this.#timer = patientClock(this.#deps.clock).timer(ms, fire);
  }

  #disarm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}

function statusOf(outcome: Outcome | undefined): string {
  if (outcome === undefined) return "SUPERSEDED";
  return outcome.status === "SUCCESS" ? successOf(outcome) : taskErrorName(outcome.code);
}

function successOf({ skipReason }: Extract<Outcome, { status: "SUCCESS" }>): "SUCCESS" | "SKIPPED" {
  return skipReason === undefined ? "SUCCESS" : "SKIPPED";
}

function successFields(
  outcome: Extract<Outcome, { status: "SUCCESS" }>,
  additions: { readonly latencyMs: bigint },
) {
  const { result, resultRef, objects } = outcome;
  const status = successOf(outcome);
  const base = resultRef === undefined ? { status, resultInline: result } : { status, resultRef };
  if (objects === undefined) return { base, additions };
  const written = objects.map((object) => ({ ...object, sizeBytes: BigInt(object.sizeBytes) }));
  return { base, additions: { ...additions, objects: written, resultRefIsOutputs: resultRef !== undefined } };
}

function completionFields(outcome: Outcome, latencyMs: number) {
  const additions = { latencyMs: BigInt(Math.round(latencyMs)) };
  if (outcome.status === "SUCCESS") return successFields(outcome, additions);
  return {
    base: { status: "ERROR", error: outcome.message },
    additions: {
      ...additions,
      errorCode: outcome.code,
      retryable: outcome.retryable,
      retryAfterMs: BigInt(outcome.retryAfterMs),
    },
  };
}
