import type { Clock, Logger } from "@subnet-worker/kit";
import { type TaskAssignment, taskErrorName } from "@subnet-worker/protocol";
import { CancelledError, type CancelReason } from "./errors.ts";
import type { Handler } from "./handler.ts";
import { decodeInputs } from "./inputs.ts";
import { openInputFile } from "./download.ts";
import { Attachment, type Link } from "./link.ts";
import type { RunMetrics } from "./metrics.ts";
import { ProgressReporter } from "./progress.ts";
import { encodeOutputs, outcomeOfError } from "./results.ts";
import { createRunContext } from "./run-context.ts";
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
import { ScratchDir } from "./scratch-dir.ts";
import type { Settings } from "./settings.ts";

export interface RunOptions {
  readonly assignment: TaskAssignment;
  readonly handler: Handler;
  readonly settings: Settings;
}

export interface RunDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RunMetrics;
  /** Told after each change of state. */
  readonly onChange: (run: Run) => void;
}

/** One run: performs the effects of its state machine, which is run-state.ts. */
export class Run {
  readonly assignment: TaskAssignment;
  readonly #handler: Handler;
  readonly #settings: Settings;
  readonly #deps: RunDeps;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #attachment = new Attachment();
  readonly #scratch = new ScratchDir();
  readonly #progress: ProgressReporter;
  readonly #startedAtMs: number;
  #latencyMs = 0;
  #state: RunState = { kind: "running" };
  /** Handler timeout, then grace, then retention: a run waits for one thing at a time. */
  #timer: Disposable | undefined;

  constructor(options: RunOptions, deps: RunDeps) {
    const { assignment, settings } = options;
    this.assignment = assignment;
    this.#handler = options.handler;
    this.#settings = settings;
    this.#deps = deps;
    this.#log = deps.log.child({ activity_id: assignment.activityId, run_id: assignment.runId });
    this.#startedAtMs = deps.clock.monotonicMs();
    this.#progress = new ProgressReporter(
      {
        minIntervalMs: settings.progressIntervalMs,
        keepaliveMs: Math.max(0, assignment.heartbeatIntervalS) * 500,
      },
      {
        clock: deps.clock,
        send: (report) => this.#attachment.link?.sendProgress({ ...this.#ids, ...report }),
      },
    );
  }

  get state(): RunState {
    return this.#state;
  }

  isAttachedTo(link: Link): boolean {
    return this.#attachment.link === link;
  }

  /** Begins. The handler starts a turn later, so that one that blocks cannot hold back the ack. */
  start(link: Link): void {
    this.#attachment.attach(link);
    if (this.#settings.handlerTimeoutMs > 0) {
      this.#arm(this.#settings.handlerTimeoutMs, () => this.stop("deadline"));
    }
    this.#log.info(
      { kind: this.#handler.kind, version: this.#handler.version, attempt: this.assignment.attempt },
      "run started",
    );
    setImmediate(() => void this.#execute());
  }

  /** Talks to a newer stream from now on, and tells it where things stand. */
  attach(link: Link): void {
    this.#attachment.attach(link);
    this.#log.info({ state: this.#state.kind }, "run re-attached");
    if (isOpen(this.#state)) this.#progress.resend();
    else this.#sendOutcome();
    if (owesOutcome(this.#state)) this.#keepOutcome();
  }

  detach(link: Link): void {
    this.#attachment.detach(link);
  }

  /** Asks the handler to stop. Harmless at any time. */
  stop(reason: CancelReason): void {
    this.#apply({ kind: "stop", reason });
  }

  /** The peer has the completion. Harmless at any time. */
  delivered(): void {
    if (isOpen(this.#state)) this.#log.warn("completion acknowledged before there was one; ignored");
    else if (this.#state.kind !== "forgotten") this.#apply({ kind: "delivered" });
  }

  /** Stops keeping the completion, as nobody asked for it. */
  expire(why: string): void {
    this.#log.warn({ why }, "completion dropped: no worker client acknowledged it");
    this.#apply({ kind: "expired" });
  }

  get #ids(): { readonly activityId: string; readonly runId: string } {
    const { activityId, runId } = this.assignment;
    return { activityId, runId };
  }

  async #execute(): Promise<void> {
    let outcome: Outcome;
    try {
      outcome = { status: "SUCCESS", result: encodeOutputs(await this.#runHandler()) };
    } catch (error) {
      outcome = outcomeOfError(error);
      this.#log.debug({ err: error }, "handler threw");
    }
    this.#apply({ kind: "settled", outcome });
    try {
      await this.#scratch.remove();
    } catch (error) {
      this.#log.warn({ err: error }, "scratch directory could not be removed; remove it by hand");
    }
  }

  #runHandler(): unknown {
    const { assignment } = this;
    const { clock } = this.#deps;
    const { transfer } = this.#settings;
    const { signal } = this.#stop;
    signal.throwIfAborted();
    const openFile = (descriptor: TaskAssignment["inputs"][number]) =>
      openInputFile(descriptor, { clock, signal, settings: transfer });
    const context = createRunContext({
      assignment,
      workflowInput: decodeInputs(assignment.workflowInputs, openFile),
      log: this.#log,
      progress: this.#progress,
      scratch: this.#scratch,
      upload: { clock, signal, settings: transfer, attachment: this.#attachment },
    });
    return this.#handler.run(decodeInputs(assignment.inputs, openFile), context);
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
      this.#log.warn("handler returned at last; its slot is free again");
    }
    this.#deps.onChange(this);
  }

  #entersStopping(reason: CancelReason): void {
    const { abortGraceMs } = this.#settings;
    this.#log.info({ reason }, "run stopping");
    this.#arm(abortGraceMs, () => {
      this.#log.warn(
        { grace_ms: abortGraceMs },
        "handler ignores its signal: run settled without it, its slot stays taken until it returns",
      );
      this.#apply({ kind: "grace_over" });
    });
    this.#stop.abort(new CancelledError(reason, `the run was stopped (${reason})`));
  }

  /** The run has its outcome, or none is wanted. */
  #ends(after: RunState): void {
    this.#disarm();
    this.#progress[Symbol.dispose]();
    this.#latencyMs = this.#deps.clock.monotonicMs() - this.#startedAtMs;
    const outcome = outcomeOf(after);
    const status =
      outcome === undefined
        ? "SUPERSEDED"
        : outcome.status === "SUCCESS"
          ? "SUCCESS"
          : taskErrorName(outcome.code);
    this.#deps.metrics.runEnded({ kind: this.#handler.kind, status, durationMs: this.#latencyMs });
    const error = outcome?.status === "ERROR" ? outcome.message : undefined;
    this.#log.info({ status, error, latency_ms: Math.round(this.#latencyMs) }, "run ended");
    if (!owesOutcome(after)) return;
    this.#sendOutcome();
    if (owesOutcome(this.#state)) this.#keepOutcome();
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

  #arm(ms: number, fire: () => void): void {
    this.#disarm();
    this.#timer = this.#deps.clock.timer(ms, fire);
  }

  #disarm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}

function completionFields(outcome: Outcome, latencyMs: number) {
  const additions = { latencyMs: BigInt(Math.round(latencyMs)) };
  if (outcome.status === "SUCCESS")
    return { base: { status: "SUCCESS", resultInline: outcome.result }, additions };
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
