import type { Clock, Logger, Service } from "@subnet-worker/kit";
import { heartbeatDueAtMs } from "../domain/lease.ts";
import type { Lease, Task } from "../domain/task.ts";
import type { TaskSource } from "../ports.ts";
import type { TaskBook } from "./task-book.ts";
import { TaskGroup } from "./task-group.ts";

export interface LeaseKeeperOptions {
  /** New progress is reported to the network at most this often; leases are renewed regardless. */
  readonly heartbeatIntervalMs: number;
  /** Time between looks at the open tasks. */
  readonly tickMs: number;
}

export interface LeaseKeeperDeps {
  readonly source: TaskSource;
  readonly book: TaskBook;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells the executor that a run no longer counts. */
  readonly onLeaseLost: (taskId: string) => void;
}

interface Sight {
  /** Tells this lease from the one before. */
  readonly expiresAtMs: number;
  readonly leftMs: number;
  readonly atMs: number;
}

/** No more heartbeats than this in one lease, but for progress where that may be reported more often. */
const MOST_PER_LEASE = 20;

/** Renews the lease of every task the node holds, and reports progress on the way. */
export class LeaseKeeper implements Service {
  readonly name = "lease-keeper";
  readonly #options: LeaseKeeperOptions;
  readonly #deps: LeaseKeeperDeps;
  readonly #beating = new Set<string>();
  /** The last heartbeat of each task, in monotonic time. */
  readonly #beaten = new Map<string, { readonly percent: number; readonly atMs: number }>();
  /** How much was left of each task's lease when it was first seen, and when that was in monotonic time. */
  readonly #seen = new Map<string, Sight>();
  readonly #work = new TaskGroup();

  constructor(options: LeaseKeeperOptions, deps: LeaseKeeperDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#work.run(this.#loop(signal));
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.tick();
      await this.#deps.clock.sleep(this.#options.tickMs, signal);
    }
  }

  /** Starts a heartbeat for every task that is due and has none under way. */
  tick(): void {
    for (const task of this.#deps.book.all()) {
      const held = heldLease(task);
      if (held === undefined || this.#beating.has(task.id) || !this.#isDue(task.id, held)) continue;
      this.#beating.add(task.id);
      this.#work.start(() => this.#beat(task, held.percent).finally(() => this.#beating.delete(task.id)));
    }
    for (const known of [this.#beaten, this.#seen]) {
      for (const id of known.keys()) if (this.#deps.book.get(id) === undefined) known.delete(id);
    }
  }

  /**
   * The time as far as this lease goes: the wall clock's, and where that was put back meanwhile, what has
   * passed since the lease was first seen. Put forward, it has a lease renewed too soon, which is harmless.
   */
  #nowMs(id: string, { expiresAtMs, durationMs }: Lease): number {
    const { clock } = this.#deps;
    const [wallMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    let sight = this.#seen.get(id);
    if (sight?.expiresAtMs !== expiresAtMs) {
      // No more can be left than all of it.
      sight = { expiresAtMs, leftMs: Math.min(expiresAtMs - wallMs, durationMs), atMs: monotonicMs };
      this.#seen.set(id, sight);
    }
    return Math.max(wallMs, expiresAtMs - sight.leftMs + (monotonicMs - sight.atMs));
  }

  #isDue(id: string, held: { readonly lease: Lease; readonly percent: number }): boolean {
    const { lease, percent } = held;
    const last = this.#beaten.get(id);
    const nowMs = this.#nowMs(id, lease);
    // An endpoint that lags behind still tells the old lease: no reason to pay for one heartbeat per look.
    const shortestMs = Math.min(
      this.#options.heartbeatIntervalMs,
      lease.durationMs / MOST_PER_LEASE,
      (lease.expiresAtMs - nowMs) / 4,
    );
    if (last !== undefined && this.#deps.clock.monotonicMs() - last.atMs < shortestMs) return false;
    const hasNews = percent !== (last?.percent ?? 0);
    const intervalMs = hasNews ? this.#options.heartbeatIntervalMs : Number.POSITIVE_INFINITY;
    return nowMs >= heartbeatDueAtMs(lease, intervalMs);
  }

  async #beat(task: Task, percent: number): Promise<void> {
    const outcome = await this.#deps.source.heartbeat(task, percent);
    const current = this.#deps.book.get(task.id);
    // The run may have ended meanwhile; then settling decides, not the heartbeat.
    if (current?.round !== task.round || heldLease(current) === undefined) return;
    if (outcome.kind === "extended") {
      this.#beaten.set(task.id, { percent, atMs: this.#deps.clock.monotonicMs() });
      await this.#deps.book.move(task.id, { kind: "lease_extended", lease: outcome.lease });
    } else {
      this.#deps.logger.warn(
        { activity_id: task.id, reason: outcome.reason },
        "the lease is lost; stopping the run",
      );
      await this.#deps.book.move(task.id, { kind: "lost", reason: outcome.reason });
      this.#deps.onLeaseLost(task.id);
    }
  }
}

function heldLease(task: Task): { readonly lease: Lease; readonly percent: number } | undefined {
  switch (task.state.kind) {
    case "claimed":
    case "assigned":
      return { lease: task.state.lease, percent: 0 };
    case "running":
      return { lease: task.state.lease, percent: task.state.percent };
    default:
      return undefined;
  }
}
