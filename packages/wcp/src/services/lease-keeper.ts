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

/** Renews the lease of every task the node holds, and reports progress on the way. */
export class LeaseKeeper implements Service {
  readonly name = "lease-keeper";
  readonly #options: LeaseKeeperOptions;
  readonly #deps: LeaseKeeperDeps;
  readonly #beating = new Set<string>();
  /** Percent last reported per task. */
  readonly #reported = new Map<string, number>();
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
    for (const id of this.#reported.keys()) {
      if (this.#deps.book.get(id) === undefined) this.#reported.delete(id);
    }
  }

  #isDue(id: string, held: { readonly lease: Lease; readonly percent: number }): boolean {
    const hasNews = held.percent !== (this.#reported.get(id) ?? 0);
    const intervalMs = hasNews ? this.#options.heartbeatIntervalMs : Number.POSITIVE_INFINITY;
    return this.#deps.clock.nowMs() >= heartbeatDueAtMs(held.lease, intervalMs);
  }

  async #beat(task: Task, percent: number): Promise<void> {
    const outcome = await this.#deps.source.heartbeat(task, percent);
    const current = this.#deps.book.get(task.id);
    // The run may have ended meanwhile; then settling decides, not the heartbeat.
    if (current === undefined || heldLease(current) === undefined) return;
    if (outcome.kind === "extended") {
      this.#reported.set(task.id, percent);
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
