/**
 * Compares what the network says is ours with what the book says, and repairs the book.
 *
 * Invariants
 *  R1  The network's word is taken twice, one round apart, before work that the book knows is given up or
 *      taken up again: an endpoint may be behind. Only at the start is it taken at once, when nothing of
 *      ours is on its way.
 *  R2  A task that is being claimed or settled is left to its driver, which asks the network by itself.
 *  R3  A round reads a bounded number of tasks, however many there are.
 */
import { type Clock, createBackoff, type Logger, type Service } from "@subnet-worker/kit";
import { FINAL_STATES, type Task, type TaskEvent } from "../domain/task.ts";
import { type RecoveredTask, type Standing, StoppedError, type TaskSource } from "../ports.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { TaskBook } from "./task-book.ts";

/** What was put right. */
export type Repair =
  /** Ours on the network, and unknown here. */
  | "adopted"
  /** Done here, and the network has lost the outcome. */
  | "resettled"
  /** Done here, and nobody's on the network. */
  | "redone"
  /** Ours here, and the lease ran out. */
  | "expired"
  /** Ours here, and somebody else's on the network. */
  | "taken"
  /** Ours here, and settled on the network. */
  | "settled"
  /** Ours here, and unknown to the network. */
  | "orphaned"
  /** Waiting to be claimed here, and no longer to be had. */
  | "stale_offer";

const UNDONE =
  "the network has lost the outcome of an activity and offers it again; it is to be claimed anew";

export interface ReconcilerOptions {
  /** Between rounds. */
  readonly intervalMs: number;
  /** Most offers that wait to be claimed and are looked at in one round. */
  readonly offersPerRound: number;
}

export interface ReconcilerDeps {
  readonly source: TaskSource;
  readonly book: TaskBook;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells the executor that a run no longer counts. */
  readonly onLeaseLost: (taskId: string) => void;
  readonly onRepair?: (repair: Repair) => void;
}

/** What to do about a task that the book holds and the network does not give to us. */
interface Verdict {
  readonly repair: Repair;
  readonly event: Extract<TaskEvent, { kind: "lost" | "expired" }>;
}

export class Reconciler implements Service {
  readonly name = "reconciler";
  readonly #options: ReconcilerOptions;
  readonly #deps: ReconcilerDeps;
  /** What the last round found amiss and did not act upon yet: task, round and finding. */
  #suspects = new Set<string>();
  #found = new Set<string>();
  #isFirst = true;
  /** Last offer that was looked at. */
  #sweptTo = "";

  constructor(options: ReconcilerOptions, deps: ReconcilerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The first round, before anything else runs: made again until it is through, or `signal` aborts. */
  async start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const { clock, logger } = this.#deps;
    const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await this.#round();
        return;
      } catch (error) {
        if (error instanceof StoppedError) throw error;
        logger[attempt === 1 ? "warn" : "error"](
          { err: error, attempt },
          "what the network says is ours could not be read, and nothing starts before it is; trying again",
        );
      }
      await clock.sleep(backoff.nextMs(), signal);
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    while (!signal.aborted) {
      await clock.sleep(this.#options.intervalMs, signal);
      if (signal.aborted) return;
      try {
        await this.#round();
      } catch (error) {
        if (error instanceof StoppedError) throw error;
        logger.warn(
          { err: error },
          "what the network says is ours could not be read; trying again next time",
        );
      }
    }
  }

  async #round(): Promise<void> {
    this.#found = new Set();
    const held = await this.#deps.source.recover();
    for (const each of held) await this.#compare(each);
    await this.#judge(new Set(held.map(({ offer }) => offer.id)));
    await this.#sweep();
    await this.#doubt();
    this.#suspects = this.#found;
    this.#isFirst = false;
  }

  /** Whether this was found before, or needs not be (R1). */
  #isSure(id: string, finding: string): boolean {
    const key = `${id} ${finding}`;
    this.#found.add(key);
    return this.#isFirst || this.#suspects.has(key);
  }

  // --- What the network says is ours -----------------------------------------

  async #compare(held: RecoveredTask): Promise<void> {
    const { id } = held.offer;
    const task = this.#deps.book.stored(id);
    if (task === undefined || task.state.kind === "offered") await this.#adopt(held);
    else if (isAtWork(task)) {
      // Renewals are not stored: after a restart the stored lease is the one of the claim.
      if (this.#isFirst) await this.#deps.book.move(id, { kind: "lease_extended", lease: held.lease });
    } else if (FINAL_STATES.has(task.state.kind)) await this.#compareOver(task, held);
    // R2
  }

  /** What is over here, and ours there. */
  async #compareOver(task: Task, held: RecoveredTask): Promise<void> {
    const { id, state } = task;
    if (state.kind === "done") {
      // Never at the start: an endpoint is behind most likely in what the process before has just settled.
      const isSure = this.#isSure(id, "unsettled") && !this.#isFirst;
      if (isSure) await this.#resettle(id);
    } else if (state.kind === "abandoned") {
      // By policy, and its lease is running out. A new process may know better.
      if (this.#isFirst) await this.#adopt(held);
    } else if (this.#isSure(id, "ours again")) await this.#adopt(held);
  }

  async #adopt(held: RecoveredTask): Promise<void> {
    if (!(await this.#deps.dispatcher.adopt(held))) return;
    this.#repaired(
      "adopted",
      held.offer.id,
      "activity recovered from the network: it is ours and was not in the store",
    );
  }

  async #resettle(id: string): Promise<void> {
    const { book, dispatcher } = this.#deps;
    await book.reopen(id);
    dispatcher.resume(id);
    this.#repaired(
      "resettled",
      id,
      "the network has lost the outcome of an activity and holds it for us; settling it again",
    );
  }

  // --- What the book says is ours ----------------------------------------------

  async #judge(held: ReadonlySet<string>): Promise<void> {
    const { book, source } = this.#deps;
    const tasks = [...book.all()].filter((task) => isAtWork(task) && !held.has(task.id));
    if (tasks.length === 0) return;
    const standings = await source.inspect(tasks.map(({ id }) => id));
    for (const [index, task] of tasks.entries()) {
      const verdict = verdictOf(standings[index]);
      if (verdict !== undefined && this.#isSure(task.id, `${task.round} ${verdict.repair}`)) {
        await this.#drop(task, verdict);
      }
    }
  }

  async #drop(task: Task, { repair, event }: Verdict): Promise<void> {
    const current = this.#deps.book.get(task.id);
    if (current === undefined || current.round !== task.round || !isAtWork(current)) return;
    await this.#deps.book.move(task.id, event);
    this.#deps.onLeaseLost(task.id);
    this.#repaired(
      repair,
      task.id,
      "the network does not hold this activity for us (any more); it is given up",
    );
  }

  // --- What waits to be claimed --------------------------------------------------

  /** A part of the offers, going round, so that each is looked at in its turn (R3). */
  async #sweep(): Promise<void> {
    const { book, dispatcher, source } = this.#deps;
    const waiting = [...book.all()].filter(({ state }) => state.kind === "offered").map(({ id }) => id);
    const after = waiting.toSorted().filter((id) => id > this.#sweptTo);
    const part = after.slice(0, this.#options.offersPerRound);
    this.#sweptTo = part.length < after.length ? (part.at(-1) ?? "") : "";
    if (part.length === 0) return;
    const standings = await source.inspect(part);
    for (const [index, id] of part.entries()) {
      const standing = standings[index];
      if (standing === undefined || standing.kind === "open" || standing.kind === "held") continue;
      if (standing.kind === "unknown" && !this.#isSure(id, "unknown offer")) continue;
      dispatcher.gone(id, standing.kind === "taken" ? standing.by : undefined);
      this.#deps.onRepair?.("stale_offer");
    }
  }

  // --- What is offered though it is done --------------------------------------

  /** The contract offers again what a deep reorganisation has undone once the lease is over (R1, R3). */
  async #doubt(): Promise<void> {
    const { dispatcher, source } = this.#deps;
    const offers = dispatcher.doubts(this.#options.offersPerRound);
    if (offers.length === 0) return;
    const standings = await source.inspect(offers.map(({ id }) => id));
    for (const [index, offer] of offers.entries()) {
      const isOpen = standings[index]?.kind === "open";
      // Looked at once more, next time.
      if (isOpen && (!this.#isSure(offer.id, "undone") || this.#isFirst)) continue;
      await dispatcher.endDoubt(offer, isOpen);
      if (isOpen) this.#repaired("redone", offer.id, UNDONE);
    }
  }

  #repaired(repair: Repair, id: string, message: string): void {
    this.#deps.onRepair?.(repair);
    this.#deps.logger.warn({ activity_id: id, repair }, message);
  }
}

function isAtWork({ state }: Task): boolean {
  return state.kind === "claimed" || state.kind === "assigned" || state.kind === "running";
}

/** `undefined` when it is ours after all. */
function verdictOf(standing: Standing | undefined): Verdict | undefined {
  switch (standing?.kind) {
    case "open":
      return { repair: "expired", event: { kind: "expired" } };
    case "taken":
      return { repair: "taken", event: { kind: "lost", reason: `${standing.by} has it` } };
    case "settled": {
      const reason = standing.isByUs
        ? "this wallet has settled it, through another database"
        : "somebody else has settled it";
      return { repair: "settled", event: { kind: "lost", reason } };
    }
    case "unknown":
      return {
        repair: "orphaned",
        event: { kind: "lost", reason: "the network does not know it (any more)" },
      };
    default:
      return undefined;
  }
}
