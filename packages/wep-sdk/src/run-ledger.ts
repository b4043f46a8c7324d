// Who has which run, and how many there are of what.
//
// 1. A run belongs to the node that assigned it, over all its streams. A stream that
//    names no node is a node of its own.
// 2. A stream without a node finds the run of another such stream by assigning it: it
//    is then the owner. A worker client of an earlier version goes on so after a cut.
// 3. Every count is kept as runs change. Nothing looks through all runs, because
//    everything here happens for each message.
import type { RunStatus } from "@subnet-worker/protocol";
import type { Link } from "./link.ts";
import type { Run } from "./run.ts";
import { holdsSlot, isOpen, outcomeOf, owesOutcome } from "./run-state.ts";
import type { SlotPool } from "./slots.ts";

/** A node's id, or the stream itself where it names none. */
type Owner = string | Link;

export interface RunIds {
  readonly activityId: string;
  readonly runId: string;
}

/** One run and what is counted of it. */
interface Entry {
  readonly run: Run;
  readonly pool: SlotPool;
  /** Key of its space. */
  readonly nodeId: string;
  owner: Owner;
  link: Link | undefined;
  isOpen: boolean;
  holdsSlot: boolean;
  owes: boolean;
  keptBytes: number;
}

/** Runs by activity; nearly always one each. */
type Space = Map<string, Entry[]>;

/** What one stream has to do with. */
interface Desk {
  readonly entries: Set<Entry>;
  open: number;
  owing: number;
}

export class RunLedger {
  readonly #entries = new Map<Run, Entry>();
  /** By node id; all streams without a node share the empty one. */
  readonly #spaces = new Map<string, Space>();
  readonly #desks = new Map<Link, Desk>();
  /** In the order in which their outcomes came. */
  readonly #owing = new Set<Entry>();
  /** How many of them each node is owed; a node that is owed none is not in it. */
  readonly #owingByNode = new Map<string, number>();
  #openRuns = 0;
  #keptBytes = 0;

  get openRuns(): number {
    return this.#openRuns;
  }

  /** Runs whose outcome is kept for a peer. */
  get owing(): number {
    return this.#owing.size;
  }

  /** Whether any of them is for a node that has a name, other than those of `givenUp`. */
  isOwingToNode(givenUp: ReadonlySet<string>): boolean {
    for (const nodeId of this.#owingByNode.keys()) if (nodeId !== "" && !givenUp.has(nodeId)) return true;
    return false;
  }

  /** Bytes of results that are kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** The kept run that waits the longest. */
  get oldestOwing(): Run | undefined {
    return this.#owing.values().next().value?.run;
  }

  runs(): Iterable<Run> {
    return this.#entries.keys();
  }

  openRunsOf(link: Link): number {
    return this.#desks.get(link)?.open ?? 0;
  }

  owingTo(link: Link): number {
    return this.#desks.get(link)?.owing ?? 0;
  }

  /** The run that an assignment on `link` names. */
  find(ids: RunIds, link: Link): Run | undefined {
    return this.#find(ids, link)?.run;
  }

  /** As {@link find}, where the run belongs to the node of `link`. */
  findOwn(ids: RunIds, link: Link): Run | undefined {
    const entry = this.#find(ids, link);
    return entry?.owner === ownerOf(link) ? entry.run : undefined;
  }

  /** The runs of an activity that an assignment on `link` would replace. */
  ofActivity(activityId: string, link: Link): Run[] {
    return (this.#spaces.get(link.nodeId)?.get(activityId) ?? []).map(({ run }) => run);
  }

  /** As {@link ofActivity}, those that belong to the node of `link`. */
  ownOfActivity(activityId: string, link: Link): Run[] {
    const owner = ownerOf(link);
    const entries = this.#spaces.get(link.nodeId)?.get(activityId) ?? [];
    return entries.filter((entry) => entry.owner === owner).map(({ run }) => run);
  }

  /** What the node of `link` has here. */
  inventoryOf(link: Link): Omit<RunStatus, "$typeName" | "$unknown">[] {
    const owner = ownerOf(link);
    const statuses = [];
    for (const entries of this.#spaces.get(link.nodeId)?.values() ?? []) {
      for (const entry of entries) if (entry.owner === owner) statuses.push(...statusOf(entry));
    }
    return statuses;
  }

  /** A run that was just made; call {@link update} after each change of its state. */
  add(run: Run, pool: SlotPool, link: Link): void {
    const { activityId } = run.assignment;
    const { nodeId } = link;
    const entry: Entry = {
      run,
      pool,
      nodeId,
      owner: ownerOf(link),
      link: undefined,
      isOpen: false,
      holdsSlot: false,
      owes: false,
      keptBytes: 0,
    };
    this.#entries.set(run, entry);
    const space = this.#spaceOf(nodeId);
    const siblings = space.get(activityId);
    if (siblings === undefined) space.set(activityId, [entry]);
    else siblings.push(entry);
    this.#move(entry, link);
    this.update(run);
  }

  /** A run talks to `link` from now on, and belongs to its node. */
  attach(run: Run, link: Link): void {
    const entry = this.#entries.get(run);
    if (entry === undefined) return;
    entry.owner = ownerOf(link);
    if (entry.link !== link) this.#move(entry, link);
  }

  isAttached(run: Run, link: Link): boolean {
    return this.#entries.get(run)?.link === link;
  }

  /** The stream is gone; returns the runs that talked to it. */
  detach(link: Link): Run[] {
    const entries = [...(this.#desks.get(link)?.entries ?? [])];
    for (const entry of entries) this.#move(entry, undefined);
    this.#desks.delete(link);
    return entries.map(({ run }) => run);
  }

  /** Counts a run as its state has it now; one that is forgotten is gone from here. */
  update(run: Run): void {
    const entry = this.#entries.get(run);
    if (entry === undefined) return;
    const { state } = run;
    const [open, holds, owes] = [isOpen(state), holdsSlot(state), owesOutcome(state)];
    if (holds !== entry.holdsSlot) {
      if (holds) entry.pool.take();
      else entry.pool.giveBack();
    }
    if (open !== entry.isOpen) this.#openRuns += open ? 1 : -1;
    if (owes !== entry.owes) this.#keep(entry, owes);
    this.#count(entry, -1);
    entry.isOpen = open;
    entry.holdsSlot = holds;
    entry.owes = owes;
    this.#count(entry, 1);
    if (state.kind === "forgotten") this.#remove(entry);
  }

  #keep(entry: Entry, owes: boolean): void {
    if (owes) this.#owing.add(entry);
    else this.#owing.delete(entry);
    const owed = (this.#owingByNode.get(entry.nodeId) ?? 0) + (owes ? 1 : -1);
    if (owed > 0) this.#owingByNode.set(entry.nodeId, owed);
    else this.#owingByNode.delete(entry.nodeId);
    const outcome = owes ? outcomeOf(entry.run.state) : undefined;
    const sizeBytes = outcome?.status === "SUCCESS" ? outcome.result.byteLength : 0;
    this.#keptBytes += sizeBytes - entry.keptBytes;
    entry.keptBytes = sizeBytes;
  }

  #find({ activityId, runId }: RunIds, link: Link): Entry | undefined {
    const siblings = this.#spaces.get(link.nodeId)?.get(activityId);
    return siblings?.find(({ run }) => run.assignment.runId === runId);
  }

  #spaceOf(nodeId: string): Space {
    const known = this.#spaces.get(nodeId);
    if (known !== undefined) return known;
    const space: Space = new Map();
    this.#spaces.set(nodeId, space);
    return space;
  }

  #move(entry: Entry, link: Link | undefined): void {
    this.#count(entry, -1);
    this.#deskOf(entry)?.entries.delete(entry);
    entry.link = link;
    if (link !== undefined && !this.#desks.has(link)) {
      this.#desks.set(link, { entries: new Set(), open: 0, owing: 0 });
    }
    this.#deskOf(entry)?.entries.add(entry);
    this.#count(entry, 1);
  }

  #deskOf({ link }: Entry): Desk | undefined {
    return link === undefined ? undefined : this.#desks.get(link);
  }

  #count(entry: Entry, by: 1 | -1): void {
    const desk = this.#deskOf(entry);
    if (desk === undefined) return;
    if (entry.isOpen) desk.open += by;
    if (entry.owes) desk.owing += by;
  }

  #remove(entry: Entry): void {
    const { run, nodeId } = entry;
    const { activityId } = run.assignment;
    this.#move(entry, undefined);
    this.#entries.delete(run);
    const space = this.#spaceOf(nodeId);
    const others = space.get(activityId)?.filter((other) => other !== entry) ?? [];
    if (others.length > 0) space.set(activityId, others);
    else space.delete(activityId);
    if (space.size === 0) this.#spaces.delete(nodeId);
  }
}

function ownerOf(link: Link): Owner {
  return link.nodeId === "" ? link : link.nodeId;
}

/** Nobody waits for the outcome of a superseded run, nor for one that was delivered. */
function statusOf({ run, isOpen: open, owes }: Entry): Omit<RunStatus, "$typeName" | "$unknown">[] {
  const { state, assignment, lastReport } = run;
  if (state.kind === "stopping" && state.reason === "superseded") return [];
  if (!open && !owes) return [];
  const { activityId, runId } = assignment;
  const { percent, checkpoint } = lastReport;
  return [{ activityId, runId, state: open ? "running" : "finished", percent, checkpointRef: checkpoint }];
}
