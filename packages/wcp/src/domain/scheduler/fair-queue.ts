import { Heap, type HeapNode } from "./heap.ts";
import type { QueuePolicy } from "./queue-policy.ts";
import { RateLimit } from "./rate-limit.ts";

/** What an executor has to be able to do; tasks with the same wish compete for the same slots. */
export interface Wish {
  readonly kind: string;
  readonly version: string;
  /** Tags that the executor must have. */
  readonly needs: readonly string[];
}

/** A wish, and what is known of it. */
export interface KnownWish extends Wish {
  /** Round in which there was no slot for it. */
  fullIn: number;
  /** How long such tasks take, by those that succeeded; `undefined` before any has. */
  runMs: number | undefined;
}

/** Who asks for work, over all queues. */
export interface Tenant {
  readonly name: string;
  /** Most in flight at once. */
  readonly most: number;
  waiting: number;
  inflight: number;
  /** Its turns in all queues, taken aside while it has as much in flight as it may. */
  readonly parked: Turn[];
}

/** A task that waits. */
export interface Entry {
  readonly id: string;
  readonly queue: FairQueue;
  readonly tenant: Tenant;
  readonly wish: KnownWish;
  readonly priority: number;
  /** `Infinity` for none. */
  readonly deadlineMs: number;
  /** Lower goes first when all else is equal. */
  readonly dueMs: number;
  readonly isContested: boolean;
  /** Where it stands, while it waits. */
  place: { readonly turn: Turn; readonly heap: Heap<Entry>; readonly node: HeapNode<Entry> } | undefined;
  deadline: HeapNode<Entry> | undefined;
}

/** A tenant in one queue. */
interface Member {
  readonly tenant: Tenant;
  /** In which round over the tenants it is its turn again. */
  nextRound: number;
  /** One per lane in which it has ever had a task. */
  readonly turns: Turn[];
}

/** Tasks of a queue that can all be started, or none of them: one wish, and contested by rivals or not. */
interface Lane {
  readonly wish: KnownWish;
  readonly isContested: boolean;
  readonly turns: Heap<Turn>;
}

/** What one tenant has in one lane. */
interface Turn {
  readonly member: Member;
  readonly lane: Lane;
  readonly tasks: Heap<Entry>;
  /** Those that will not be through before their deadlines. */
  readonly late: Heap<Entry>;
  /** Its place in the lane; `undefined` while it has nothing or its tenant may not go on. */
  node: HeapNode<Turn> | undefined;
}

/** What decides which task of a queue can be started at present. */
export interface QueueLook {
  readonly round: number;
  readonly nowMs: number;
  readonly mayContest: () => boolean;
}

/**
 * How many tasks whoever has had no slot can make up for afterwards. None would be unfair too: slots of
 * several kinds become free in any order, so that at times those go first who are further on already.
 */
export const CREDIT = 8;
/** Tenants that have nothing left and are kept all the same: they come back. */
const IDLE_MEMBERS = 64;

/**
 * One queue: its limits, and the order of its tasks.
 *
 * Tenants take turns in rounds, one task each (round robin, as in RFC 970). A tenant that comes, or comes
 * back, joins the next round, so that leaving earns nothing and nobody can be kept out by newcomers; one that
 * had no slot makes up for {@link CREDIT} rounds. Of the tenants of a round, the one with the foremost task goes first: in the order of
 * arrival all workers would want the same.
 */
export class FairQueue {
  readonly policy: QueuePolicy;
  readonly limit: RateLimit | undefined;
  isPaused: boolean;
  inflight = 0;
  waiting = 0;
  /** Virtual time at which its share is used up so far. */
  finishTag = 0;
  /** Round of {@link QueueLook} in which nothing of it could be started. */
  blockedIn = 0;
  readonly #most: number;
  readonly #lanes: Lane[] = [];
  readonly #members = new Map<string, Member>();
  #idleMembers = 0;
  /** The latest in which a tenant had its turn. */
  #round = 0;

  /** `startedAtMs`: when its rate began to allow anything; by default it allows a burst at once. */
  constructor(policy: QueuePolicy, startedAtMs?: number) {
    this.policy = policy;
    this.isPaused = policy.isPaused;
    const { rate, maxInflight = Number.POSITIVE_INFINITY } = policy;
    this.#most = maxInflight;
    this.limit = rate === undefined ? undefined : new RateLimit(rate.perS, rate.burst, startedAtMs);
  }

  /** Whether its own limits let it start something. */
  mayStart(nowMs: number): boolean {
    return this.isWanted && (this.limit === undefined || this.limit.readyAtMs() <= nowMs);
  }

  /** As {@link mayStart}, but for its rate. */
  get isWanted(): boolean {
    return this.waiting > 0 && !this.isPaused && this.inflight < this.#most;
  }

  /** Whether it has a task of which it is not known that there is no slot for it. */
  hasOpenLane(round: number): boolean {
    for (const { wish, turns } of this.#lanes) if (wish.fullIn !== round && turns.size > 0) return true;
    return false;
  }

  add(entry: Entry): void {
    const turn = this.#turnOf(entry);
    if (isEmpty(turn.member)) {
      turn.member.nextRound = Math.max(turn.member.nextRound, this.#round + 1);
      this.#idleMembers -= 1;
    }
    entry.place = { turn, heap: turn.tasks, node: turn.tasks.push(entry) };
    this.waiting += 1;
    settle(turn);
  }

  delete(entry: Entry): void {
    if (entry.place === undefined) return;
    const { turn, heap, node } = entry.place;
    entry.place = undefined;
    heap.remove(node);
    this.waiting -= 1;
    settle(turn);
    if (isEmpty(turn.member)) this.#retire(turn.member);
  }

  /** The task that is to go first of those that can be started at present. */
  head(look: QueueLook): Entry | undefined {
    let best: Turn | undefined;
    for (const lane of this.#lanes) {
      if (lane.wish.fullIn === look.round || lane.turns.size === 0) continue;
      if (lane.isContested && !look.mayContest()) continue;
      const turn = first(lane, look.nowMs);
      if (turn !== undefined && (best === undefined || isTurnBefore(turn, best))) best = turn;
    }
    return best === undefined ? undefined : headOf(best);
  }

  /** Takes a task out to be started: its tenant has had its turn. */
  take(entry: Entry): void {
    if (entry.place === undefined) throw new Error(`${entry.id} does not wait, so it cannot be started`);
    const { member } = entry.place.turn;
    this.#round = Math.max(this.#round, member.nextRound);
    member.nextRound = Math.max(member.nextRound, this.#round - CREDIT) + 1;
    this.delete(entry);
    for (const turn of member.turns) settle(turn);
  }

  #turnOf({ tenant, wish, isContested }: Entry): Turn {
    let member = this.#members.get(tenant.name);
    if (member?.tenant !== tenant) {
      if (member === undefined) this.#idleMembers += 1;
      member = { tenant, nextRound: 0, turns: [] };
      this.#members.set(tenant.name, member);
    }
    const known = member.turns.find(({ lane }) => lane.wish === wish && lane.isContested === isContested);
    if (known !== undefined) return known;
    const lane = this.#laneOf(wish, isContested);
    const turn = { member, lane, tasks: new Heap(isBefore), late: new Heap(isBefore), node: undefined };
    member.turns.push(turn);
    return turn;
  }

  #laneOf(wish: KnownWish, isContested: boolean): Lane {
    const known = this.#lanes.find((lane) => lane.wish === wish && lane.isContested === isContested);
    if (known !== undefined) return known;
    const lane = { wish, isContested, turns: new Heap(isTurnBefore) };
    this.#lanes.push(lane);
    return lane;
  }

  #retire(member: Member): void {
    if (this.#idleMembers === IDLE_MEMBERS) this.#members.delete(member.tenant.name);
    else this.#idleMembers += 1;
  }
}

function isEmpty({ turns }: Member): boolean {
  return turns.every(({ tasks, late }) => tasks.size + late.size === 0);
}

/** Brings a turn to where it belongs in its lane. */
function settle(turn: Turn): void {
  const isOut = turn.tasks.size + turn.late.size === 0;
  if (turn.node === undefined) {
    if (!isOut && !turn.member.tenant.parked.includes(turn)) turn.node = turn.lane.turns.push(turn);
  } else if (isOut) {
    turn.lane.turns.remove(turn.node);
    turn.node = undefined;
  } else turn.lane.turns.update(turn.node);
}

/** Tenants that may not go on, and tasks that have become late, leave the front when they come to it. */
function first({ turns }: Lane, nowMs: number): Turn | undefined {
  for (let turn = turns.peek(); turn?.node !== undefined; turn = turns.peek()) {
    const { tenant } = turn.member;
    if (tenant.inflight >= tenant.most) {
      tenant.parked.push(turn);
      turns.remove(turn.node);
      turn.node = undefined;
      continue;
    }
    const entry = turn.tasks.peek();
    if (entry?.place === undefined || !isLate(entry, nowMs)) return turn;
    turn.tasks.remove(entry.place.node);
    entry.place = { turn, heap: turn.late, node: turn.late.push(entry) };
    turns.update(turn.node);
  }
  return undefined;
}

/** To be called when a tenant may go on. */
export function unpark({ parked }: Tenant): void {
  for (const turn of parked.splice(0)) settle(turn);
}

function isLate({ deadlineMs, wish }: Entry, nowMs: number): boolean {
  return wish.runMs !== undefined && nowMs + wish.runMs > deadlineMs;
}

function headOf({ tasks, late }: Turn): Entry | undefined {
  return tasks.peek() ?? late.peek();
}

/** Late ones last, then the lower round, then the foremost task. */
function isTurnBefore(a: Turn, b: Turn): boolean {
  const isLate = a.tasks.size === 0;
  if (isLate !== (b.tasks.size === 0)) return !isLate;
  if (a.member.nextRound !== b.member.nextRound) return a.member.nextRound < b.member.nextRound;
  const [head, other] = [headOf(a), headOf(b)];
  return head !== undefined && other !== undefined && isBefore(head, other);
}

/** Priority, then deadline, then the order of claims. */
function isBefore(a: Entry, b: Entry): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.deadlineMs !== b.deadlineMs) return a.deadlineMs < b.deadlineMs;
  return a.dueMs < b.dueMs;
}
