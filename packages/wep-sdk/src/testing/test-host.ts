import type { Clock, Logger } from "@subnet-worker/kit";
import { createLogger } from "@subnet-worker/kit/logger";
import type { TaskAssignment } from "@subnet-worker/protocol";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import { type CancelReason, TerminalError } from "../errors.ts";
import { readCheckpointRef } from "../checkpoint.ts";
import type { Ask, Grant, OpenUpload } from "../grant.ts";
import type { Handler } from "../handler.ts";
import { callHandler, RunScope, type ScopeSource } from "../handler-call.ts";
import { type Measurement, MetricNames, type MetricPort } from "../handler-metrics.ts";
import type { ProgressNews } from "../progress.ts";
import { isOpen, nextRun, type Outcome, outcomeOf, type RunEvent, type RunState } from "../run-state.ts";
import { DEFAULT_TRANSFER, type TransferSettings } from "../transfer-retry.ts";
import type { MemoryStore } from "./memory-store.ts";

/** One report of progress, as the handler made it. */
export interface TestProgress {
  /** 0 to 100. */
  readonly percent: number;
  /** As it was given; empty: none. */
  readonly message: string;
  /** The last that was reported; empty: none. */
  readonly checkpoint: string;
}

/** One line of the log, parsed: its level, its message as `msg`, and the fields that were logged. */
export type TestLogLine = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly msg?: string;
};

export interface TestHostOptions {
  readonly handler: Handler;
  readonly assignment: TaskAssignment;
  readonly clock: Clock;
  readonly store: MemoryStore;
  /** Lines below it are not kept. */
  readonly logLevel: "debug" | "info";
  /** 0: never. */
  readonly timeoutMs: number;
  /** How long a handler that was stopped may take to return. */
  readonly abortGraceMs: number;
}

/** What is around one run under test: a worker of one run, which keeps what it sees. */
export class TestHost implements ScopeSource {
  readonly log: Logger;
  readonly metrics: MetricPort;
  readonly endsAtMs: number;
  /** Nobody comes to mend the storage of a test, or of a replay. */
  readonly transfer: TransferSettings = { ...DEFAULT_TRANSFER, patienceMs: 0 };
  readonly progress: TestProgress[] = [];
  /** What was saved, as it was then. */
  readonly checkpoints: unknown[] = [];
  readonly lines: TestLogLine[] = [];
  readonly measurements: Measurement[] = [];
  readonly outcome: Promise<Outcome>;
  readonly #options: TestHostOptions;
  readonly #scope: RunScope;
  readonly #settled = Promise.withResolvers<Outcome>();
  readonly #watchers = new Set<() => void>();
  #state: RunState = { kind: "running" };
  #timer: Disposable | undefined;

  constructor(options: TestHostOptions) {
    this.#options = options;
    const { assignment, clock, logLevel, timeoutMs } = options;
    this.log = createLogger({
      name: "test",
      level: logLevel,
      fields: { activity_id: assignment.activityId, run_id: assignment.runId },
      destination: { write: (line) => void this.lines.push(JSON.parse(line) as TestLogLine) },
    });
    this.metrics = {
      names: new MetricNames(),
      sink: (measurement) => void this.measurements.push(measurement),
    };
    const deadlineMs = Number(assignment.deadlineUnixMs) || Infinity;
    this.endsAtMs = Math.min(clock.nowMs() + (timeoutMs || Infinity), deadlineMs);
    this.#scope = new RunScope(this);
    this.outcome = this.#settled.promise;
  }

  get assignment(): TaskAssignment {
    return this.#options.assignment;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Resolves when the handler has returned and its files are gone, or was given up. */
  async run(): Promise<Outcome> {
    const { handler, clock } = this.#options;
    const leftMs = this.endsAtMs - clock.nowMs();
    if (leftMs < Infinity) this.#timer = clock.timer(Math.max(0, leftMs), () => this.stop("deadline"));
    const done = this.#call(handler);
    const outcome = await this.outcome;
    // One that ignores its signal never cleans up.
    if (this.#state.kind === "finished") await done;
    return outcome;
  }

  async #call(handler: Handler): Promise<void> {
    this.#apply({ kind: "settled", outcome: await callHandler(handler, this.#scope) });
    await this.#scope.cleanUp();
  }

  stop(reason: CancelReason): void {
    if (this.#state.kind !== "running") return;
    // Nobody is told how a superseded run ended, and a test wants to know.
    this.#apply({ kind: "stop", reason: reason === "superseded" ? "requested" : reason });
    this.#timer?.[Symbol.dispose]();
    this.#scope.stop.stop(reason);
    const { clock, abortGraceMs } = this.#options;
    this.#timer = clock.timer(abortGraceMs, () => this.#apply({ kind: "grace_over" }));
  }

  report({ percent, message, checkpoint }: ProgressNews): PromiseLike<void> {
    const last = this.progress.at(-1) ?? { percent: 0, message: "", checkpoint: "" };
    this.progress.push({
      percent: Number.isNaN(percent) ? last.percent : Math.round(Math.min(100, Math.max(0, percent))),
      message: message ?? last.message,
      checkpoint: checkpoint ?? last.checkpoint,
    });
    if (checkpoint !== undefined && checkpoint !== last.checkpoint) {
      this.checkpoints.push(valueOfCheckpoint(checkpoint, this.#options.store));
    }
    this.#look();
    return Promise.resolve();
  }

  /** Resolves when so many reports were made, or the run is over. */
  async progressed(count: number): Promise<void> {
    while (this.progress.length < count && isOpen(this.#state)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      await promise;
      this.#watchers.delete(resolve);
    }
  }

  async requestGrant(ask: Ask): Promise<Grant> {
    const { store, assignment } = this.#options;
    const grant = { objectKey: "", url: "", headers: {}, expiresAtMs: 0, uploadId: "" };
    if (ask.kind === "download") {
      return { ...grant, objectKey: ask.objectKey, url: await this.#urlOf(ask.objectKey) };
    }
    const objectKey = `${assignment.uploadPrefix}${ask.name}`;
    switch (ask.kind) {
      case "upload":
        return {
          ...grant,
          objectKey,
          url: await store.url(objectKey),
          headers: { "content-type": ask.mediaType },
        };
      case "create":
        return { ...grant, objectKey, uploadId: store.createUpload(objectKey, ask.mediaType) };
      case "part": {
        const url = await store.url(objectKey, { upload: ask.uploadId, part: String(ask.partNumber) });
        return { ...grant, objectKey, url };
      }
      case "complete":
        store.completeUpload(ask.uploadId, ask.parts);
        return { ...grant, objectKey };
      default:
        return ask satisfies never;
    }
  }

  abandonUpload({ uploadId }: OpenUpload): void {
    this.#options.store.abortUpload(uploadId);
  }

  async #urlOf(objectKey: string): Promise<string> {
    const { store } = this.#options;
    if (store.get(objectKey) !== undefined) return await store.url(objectKey);
    throw new TerminalError(
      `[PERMISSION_DENIED] download of "${objectKey}": there is no such object here, and no URL of it that works; give its content, or record the run again`,
      { code: TASK_ERROR.PERMISSION_DENIED },
    );
  }

  #apply(event: RunEvent): void {
    const before = this.#state;
    this.#state = nextRun(before, event);
    if (isOpen(this.#state) || !isOpen(before)) return;
    this.#timer?.[Symbol.dispose]();
    const outcome = outcomeOf(this.#state);
    if (outcome !== undefined) this.#settled.resolve(outcome);
    this.#look();
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }
}

/** What `ctx.saveCheckpoint` was given, or the text of a checkpoint that was reported as such. */
function valueOfCheckpoint(ref: string, store: MemoryStore): unknown {
  const saved = readCheckpointRef(ref);
  if (saved === undefined) return ref;
  if ("json" in saved) return JSON.parse(saved.json) as unknown;
  const content = store.get(saved.objectKey)?.content;
  return content instanceof Uint8Array ? (JSON.parse(new TextDecoder().decode(content)) as unknown) : ref;
}
