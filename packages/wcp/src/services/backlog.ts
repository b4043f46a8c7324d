import type { Clock } from "@subnet-worker/kit";
import { claimRank, isContested, mostContested, seedOf } from "../domain/claim-policy.ts";
import type { Task } from "../domain/task.ts";

export interface BacklogOptions {
  /** Who claims: the wallet. Two workers with the same name would want the same. */
  readonly identity: string;
  /** Most offers remembered. */
  readonly most: number;
  /** How many claims a rival is taken to make at once: as many as we do. */
  readonly claimsAtOnce: number;
}

interface Entry {
  readonly id: string;
  readonly seed: number;
  readonly what: string;
  readonly seenAtMs: number;
  /** Lower is claimed sooner. */
  dueMs: number;
  /** A rival is nearer to it. */
  isContested: boolean;
}

/**
 * Offers that came within this of each other are claimed in an order of our own; beyond it the older goes
 * first. Long enough to spread workers over a full queue, and a bound on how long one offer can wait while
 * newer ones are taken.
 */
const SPREAD_MS = 600_000;
/** A worker that has claimed nothing for this long is no rival. */
const RIVAL_MS = 600_000;
/** Rivals that claim nothing for this long leave what they are nearer to: they are full, or gone. */
const QUIET_MS = 30_000;
/** More are not kept apart: against so many the order by one's own hash does as well. */
const MOST_RIVALS = 32;

/** What is offered and not claimed, in the order in which this node goes for it. */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #clock: Clock;
  readonly #self: number;
  readonly #entries = new Map<string, Entry>();
  /** How many entries there are of each kind of work. */
  readonly #kinds = new Map<string, number>();
  readonly #rivals = new Map<string, { readonly seed: number; seenAtMs: number }>();
  #rivalSeenAtMs = Number.NEGATIVE_INFINITY;
  #contested = 0;
  #order: Entry[] = [];
  #isSorted = true;

  constructor(options: BacklogOptions, deps: { readonly clock: Clock }) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#self = seedOf(options.identity.toLowerCase());
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many different kinds of work are waiting. */
  get kinds(): number {
    return this.#kinds.size;
  }

  get isFull(): boolean {
    return this.#entries.size >= this.#options.most;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  add(task: Task): void {
    if (this.#entries.has(task.id)) return;
    const what = kindOf(task);
    const entry: Entry = {
      id: task.id,
      seed: seedOf(task.id),
      what,
      seenAtMs: this.#clock.monotonicMs(),
      dueMs: 0,
      isContested: false,
    };
    this.#place(entry);
    this.#entries.set(task.id, entry);
    this.#kinds.set(what, (this.#kinds.get(what) ?? 0) + 1);
    this.#order.push(entry);
    this.#isSorted = false;
  }

  delete(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    if (entry.isContested) this.#contested -= 1;
    const left = (this.#kinds.get(entry.what) ?? 1) - 1;
    if (left === 0) this.#kinds.delete(entry.what);
    else this.#kinds.set(entry.what, left);
    return true;
  }

  /** Whether another worker is likely to want it before we would. */
  isContested(id: string): boolean {
    return this.#entries.get(id)?.isContested === true;
  }

  /** How many claims at once may go for what {@link isContested}. */
  get mostContested(): number {
    const isQuiet = this.#clock.monotonicMs() - this.#rivalSeenAtMs > QUIET_MS;
    // Those that it is claiming now, which nobody sees yet, and those that it claims next.
    const left = isQuiet ? 0 : 2 * this.#rivals.size * this.#options.claimsAtOnce;
    return mostContested({ open: this.#entries.size, contested: this.#contested, left });
  }

  /** Another worker has claimed something of what we watch. */
  rival(name: string): void {
    const key = name.toLowerCase();
    if (key === this.#options.identity.toLowerCase()) return;
    const seenAtMs = this.#clock.monotonicMs();
    this.#rivalSeenAtMs = seenAtMs;
    const known = this.#rivals.get(key);
    if (known !== undefined) known.seenAtMs = seenAtMs;
    else if (this.#rivals.size < MOST_RIVALS) {
      this.#rivals.set(key, { seed: seedOf(key), seenAtMs });
      this.#reorder();
    }
  }

  /** Ids in the order of claims. What is added or deleted meanwhile is not seen to be. */
  ids(): Iterable<string> {
    this.#forgetRivals();
    if (this.#order.length !== this.#entries.size) {
      this.#order = this.#order.filter((entry) => this.#entries.get(entry.id) === entry);
    }
    if (!this.#isSorted) this.#order.sort((a, b) => a.dueMs - b.dueMs);
    this.#isSorted = true;
    return this.#order.map(({ id }) => id);
  }

  #forgetRivals(): void {
    const oldestMs = this.#clock.monotonicMs() - RIVAL_MS;
    const known = this.#rivals.size;
    for (const [name, { seenAtMs }] of this.#rivals) if (seenAtMs < oldestMs) this.#rivals.delete(name);
    if (this.#rivals.size < known) this.#reorder();
  }

  #reorder(): void {
    for (const entry of this.#entries.values()) this.#place(entry);
    this.#isSorted = false;
  }

  #place(entry: Entry): void {
    const rivals = [...this.#rivals.values()].map(({ seed }) => seed);
    const rank = claimRank(entry.seed, this.#self, rivals);
    entry.dueMs = entry.seenAtMs + SPREAD_MS * rank;
    if (entry.isContested) this.#contested -= 1;
    entry.isContested = this.#rivals.size > 0 && isContested(rank);
    if (entry.isContested) this.#contested += 1;
  }
}

/** What an executor needs to be able to do for a task. */
export function kindOf({ kind, version }: Pick<Task, "kind" | "version">): string {
  return `${kind} ${version}`;
}
