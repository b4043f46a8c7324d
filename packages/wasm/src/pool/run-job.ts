import type { Clock } from "../clock.ts";
import type { RunProfile, RunRequest } from "../engine.ts";
import { WasmError } from "../errors.ts";
import type { RunEnd, RunOutcome, Spent } from "../outcome.ts";
import {
  CELL,
  type FromRunThread,
  type ThreadProgram,
  type ThreadRun,
  type ToRunThread,
} from "../thread/protocol.ts";
import type { PoolThread } from "./pool-thread.ts";
import type { Job, Loss } from "./thread-pool.ts";

/** Programs that a thread keeps, however small they are. */
const MOST_KEPT = 64;

/**
 * Operators that programs do in a millisecond, where machines are not overloaded and memory answers fast. A run whose
 * fuel lasts longer than its time is watched by its thread, so that its time ends it in good order.
 */
const USUAL_SPEED_PER_MS = 200_000n;
/** Those that the slowest operators do: growing a memory, over and over. For programs that are not known to be quick. */
const LEAST_SPEED_PER_MS = 1000n;

/** What the engine gives a thread that should have stopped by itself, milliseconds. */
const GRACE_MS = 85;

/** `node:vm` takes no longer times. */
const LONGEST_WATCH_MS = 2 ** 31 - 1;

type Outcome = RunOutcome & { readonly profile?: RunProfile };

export interface RunJobOptions {
  /** As a thread gets it, but for {@link ThreadRun.program}. */
  readonly run: Omit<ThreadRun, "program" | "input">;
  readonly input: Uint8Array;
  readonly program: ThreadProgram;
  /** What the cache in memory counts for the program. */
  readonly programBytes: number;
  /** What a thread may keep of programs, by the same measure. */
  readonly keptBytes: number;
  /** Whether the program's last run ended long before its time. */
  readonly isKnownQuick: boolean;
  readonly request: Pick<RunRequest, "send" | "onProgress" | "onLog">;
  readonly clock: Clock;
}

/** A run, from the queue to its outcome. */
export class RunJob implements Job<FromRunThread> {
  readonly timeMs: number;
  readonly outcome: Promise<Outcome>;
  readonly #options: RunJobOptions;
  readonly #watchMs: number | undefined;
  readonly #settled = Promise.withResolvers<Outcome>();
  /** Made for the first request that is sent: most runs send none, and aborting costs as much as a short run. */
  #sending: AbortController | undefined;
  #isEnded = false;
  /** Called when the job must be given up, see {@link ThreadPool.cancel}. */
  readonly #giveUp: (job: RunJob) => void;
  #beganMs = 0;

  constructor(options: RunJobOptions, giveUp: (job: RunJob) => void) {
    this.#options = options;
    this.#giveUp = giveUp;
    this.outcome = this.#settled.promise;
    const { fuel, timeMs } = options.run.limits;
    const speedPerMs = options.isKnownQuick ? USUAL_SPEED_PER_MS : LEAST_SPEED_PER_MS;
    const isWatched = fuel > BigInt(Math.ceil(timeMs)) * speedPerMs;
    this.#watchMs = isWatched ? Math.min(Math.max(1, Math.ceil(timeMs)), LONGEST_WATCH_MS) : undefined;
    this.timeMs = isWatched ? timeMs + GRACE_MS : timeMs;
  }

  prefers(thread: PoolThread): boolean {
    return thread.kept.has(this.#options.run.programId);
  }

  begin(thread: PoolThread): void {
    const { run, program } = this.#options;
    thread.cells.fill(0n);
    const { programBytes, keptBytes } = this.#options;
    const isKept = thread.kept.has(run.programId);
    const most = { programs: MOST_KEPT, bytes: keptBytes };
    const forget = thread.kept.use(run.programId, programBytes, most);
    // A copy of its own: a view's whole buffer would be copied, with whatever else is in it.
    const input = new Uint8Array(this.#options.input);
    const given = input.length > 0 ? [input.buffer] : [];
    const message: ToRunThread = {
      kind: "run",
      run: { ...run, input, program: isKept ? undefined : program },
      forget,
      watchMs: this.#watchMs,
    };
    this.#beganMs = this.#options.clock.monotonicMs();
    thread.post(message, given);
  }

  hear(message: FromRunThread, thread: PoolThread): boolean {
    switch (message.kind) {
      case "ended":
        this.#end(message);
        return true;
      case "refused":
        this.#fail(new WasmError("BAD_REQUEST", withoutCode(message.message)));
        return true;
      case "send":
        void this.#send(message.request, thread);
        return false;
      case "progress":
      case "log":
        this.#report(message, thread);
        return false;
      case "ready":
        return false;
      default:
        return unreachable(message);
    }
  }

  lose(loss: Loss, thread: PoolThread | undefined): void {
    this.#stopSending();
    const spent: Spent = {
      fuel: thread?.cells[CELL.fuel] ?? 0n,
      timeMs: thread === undefined ? 0 : this.#options.clock.monotonicMs() - this.#beganMs,
      memoryBytes: Number(thread?.cells[CELL.memoryBytes] ?? 0n),
      hostCalls: Number(thread?.cells[CELL.hostCalls] ?? 0n),
    };
    this.#settled.resolve({ ...spent, stderr: new Uint8Array(), ...this.#endOf(loss) });
  }

  #endOf(loss: Loss): RunEnd {
    switch (loss.kind) {
      case "timed_out":
        return { kind: "timed_out", limitMs: this.#options.run.limits.timeMs };
      case "cancelled":
      case "closed":
        return { kind: "cancelled" };
      // The same each time, so it is no fault of the host's: trying again would only cost another thread.
      case "overgrown": {
        const message = `it made the host hold more than ${loss.limitMb} MiB for it, besides its own memory`;
        return { kind: "trap", reason: "other", message };
      }
      case "died":
        return { kind: "host_fault", message: `the thread of the run died: ${loss.reason}; try again` };
      default:
        return unreachable(loss);
    }
  }

  #end(message: Extract<FromRunThread, { readonly kind: "ended" }>): void {
    this.#stopSending();
    const { spent, stderr, end, foldedStacks } = message;
    const outcome: Outcome = { ...spent, stderr, ...end };
    this.#settled.resolve(foldedStacks === undefined ? outcome : { ...outcome, profile: { foldedStacks } });
  }

  #fail(error: unknown): void {
    this.#stopSending();
    this.#settled.reject(error);
  }

  #stopSending(): void {
    this.#isEnded = true;
    this.#sending?.abort();
  }

  #report(message: Extract<FromRunThread, { readonly kind: "progress" | "log" }>, thread: PoolThread): void {
    const { onProgress, onLog } = this.#options.request;
    try {
      if (message.kind === "progress") onProgress?.(message.fraction, message.message);
      else onLog?.(message.level, message.message);
    } catch (error) {
      // The caller's own fault, so it is the caller who hears of it.
      this.#fail(error);
      this.#giveUp(this);
      return;
    }
    Atomics.add(thread.cells, CELL.taken, 1n);
    Atomics.notify(thread.cells, CELL.taken);
  }

  async #send(
    request: Extract<FromRunThread, { readonly kind: "send" }>["request"],
    thread: PoolThread,
  ): Promise<void> {
    const answer = await this.#askSender(request);
    if (this.#isEnded) return;
    const post = (message: ToRunThread) => thread.post(message, []);
    try {
      post({ kind: "answer", answer });
    } catch (error) {
      post({ kind: "answer", answer: { error: `the answer cannot be passed on: ${String(error)}` } });
    }
    Atomics.add(thread.cells, CELL.answers, 1n);
    Atomics.notify(thread.cells, CELL.answers);
  }

  async #askSender(
    request: Extract<FromRunThread, { readonly kind: "send" }>["request"],
  ): Promise<Extract<ToRunThread, { readonly kind: "answer" }>["answer"]> {
    this.#sending ??= new AbortController();
    try {
      const response = await this.#options.request.send?.(request, this.#sending.signal);
      if (response === undefined) return { error: "this run may not send requests" };
      const { status, headers, body } = response;
      // Of its own, as whatever else the caller put there may not be a thing that threads can be sent.
      return {
        response: {
          status,
          headers: headers.map(([name, value]) => [name, value]),
          body: Uint8Array.from(body),
        },
      };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }
}

function withoutCode(message: string): string {
  return message.replace(/^\[WASM_[A-Z_]+\] /, "");
}

function unreachable(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
