import { type Activity, queueTopic, taskQueueInterface } from "@subnet-worker/contracts";
import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import { type Chain, type EventLog, type Heads, LogRangeTooWide, type LogQuery } from "../../chain-ports.ts";
import { type Offer, type OfferSink, StoppedError, type Store } from "../../ports.ts";
import { Arrears } from "./arrears.ts";
import type { ContractCaller } from "./contract-caller.ts";
import { type EventBatch, EventFollower } from "./event-follower.ts";
import type { SpecIndex } from "./spec-index.ts";
import { specDeadlineMs } from "./task-inputs.ts";

export interface OfferWatcherOptions {
  readonly source: string;
  readonly taskQueue: string;
  readonly queues: readonly string[];
  /** Time between calls of `pollActivity` while events cannot be read; ten times that while they can. */
  readonly pollIntervalMs: number;
  /** Most blocks per `eth_getLogs`. */
  readonly logRangeBlocks: number;
  /** How far back the first start looks. */
  readonly lookbackBlocks: number;
}

export interface OfferWatcherDeps {
  readonly chain: Chain;
  readonly heads: Heads;
  readonly caller: ContractCaller;
  readonly specs: SpecIndex;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NO_INSTANCE = `0x${"0".repeat(64)}`;
/** Events tell all that becomes claimable, but for leases that run out silently: this often is enough for those. */
const QUIET_POLLS = 10;
const OVERLAP_BLOCKS = 6;
/** Of more offers than this from the past it is not asked whose they are: a claim's simulation tells as well. */
const MOST_INSPECTED = 400;
/** Activities of unknown queues that were looked for, so that none is looked for at every reconciliation. */
const MOST_UNIDENTIFIED = 1_000;

/** What is further behind than this is not waited for. */
const LIVE_BLOCKS = 64;
const LONGEST_READ_MS = 1_000;

const ENQUEUED = "ActivityEnqueued";
/** Events after which an activity is nobody's to claim. */
const TAKEN = ["ActivityClaimed", "ActivityCompleted", "ActivityFailed", "ActivityWithdrawn"] as const;
const EXPIRED = "ActivityExpired";
/** What makes an activity claimable. */
const OFFERING: LogQuery["topics"] = [[topicOf(ENQUEUED), topicOf(EXPIRED)]];

/**
 * Offers of the on-chain queues, from events, with `pollActivity` as the fallback that also sees leases
 * that ran out. Offers that the sink passes over for want of room are read again from their blocks when it
 * wants their queue again.
 */
export class OfferWatcher {
  readonly #options: OfferWatcherOptions;
  readonly #deps: OfferWatcherDeps;
  readonly #follower: EventFollower;
  readonly #queues: ReadonlySet<string>;
  readonly #arrears: Arrears;
  readonly #unknownTypes = new Set<string>();
  readonly #unidentified = new Set<string>();
  /** Whether events were read up to the head: then polling is only the fallback. */
  #isFollowing = false;
  readonly #readers = new Set<() => void>();
  #quietPolls = QUIET_POLLS;

  constructor(options: OfferWatcherOptions, deps: OfferWatcherDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#queues = new Set(options.queues);
    this.#arrears = new Arrears(options.queues, deps);
    this.#follower = new EventFollower(followerOptions(options), deps);
  }

  async watch(sink: OfferSink, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#followEvents(sink, signal), this.#pollQueues(sink, signal)]);
  }

  async #followEvents(sink: OfferSink, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ initialMs: 1_000, maxMs: 30_000 });
    let resume = () => {};
    using _head = this.#deps.heads.onHead(() => resume());
    signal.addEventListener("abort", () => resume(), { once: true });
    while (!signal.aborted) {
      const next = new Promise<void>((resolve) => {
        resume = resolve;
      });
      const more = await this.#attempt("events", () => this.syncEvents(sink, signal));
      this.#isFollowing = more !== undefined;
      for (const look of this.#readers) look();
      if (more === undefined) await this.#deps.clock.sleep(backoff.nextMs(), signal);
      else backoff.reset();
      if (more === false && !signal.aborted) await next;
    }
  }

  async #pollQueues(sink: OfferSink, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt("poll", () => this.poll(sink));
      await this.#deps.clock.sleep(this.#options.pollIntervalMs, signal);
    }
  }

  /** `undefined` when it failed. */
  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      const advice =
        error instanceof LogRangeTooWide
          ? "the endpoint refuses to tell the events of a single block, and none are skipped; use another endpoint in ethereum.rpc_url (activities are found by polling meanwhile)"
          : "the chain could not be read for new activities; trying again";
      this.#deps.logger.warn({ err: error, what }, advice);
      return undefined;
    }
  }

  /** Reads events on towards the head; true when there is more to read at once. */
  async syncEvents(sink: OfferSink, signal: AbortSignal = new AbortController().signal): Promise<boolean> {
    // What is older goes first; where it cannot be read any more, that holds back nothing newer.
    const hasArrears = (await this.#attempt("arrears", () => this.#makeUp(sink))) ?? false;
    if (!this.#options.queues.some((queue) => sink.wanted(queue))) return false;
    const take = async ({ logs, isPast }: EventBatch) => {
      for (const [queue, blockNumber] of await this.#take(logs, { sink, isPast }))
        await this.#arrears.note(queue, blockNumber);
    };
    return (await this.#follower.sync(take, signal)) || hasArrears;
  }

  /** Reads one range again of each queue that is wanted and has arrears; true when there is more to read at once. */
  async #makeUp(sink: OfferSink): Promise<boolean> {
    let hasMore = false;
    const { readTo } = this.#follower;
    for (const [queue, fromBlock] of this.#arrears.all()) {
      if (fromBlock > readTo || !sink.wanted(queue)) continue;
      const read = await this.#follower.readAgain(OFFERING, fromBlock);
      if (read === undefined) {
        hasMore = true;
        continue;
      }
      const passedOver = await this.#take(read.logs, { sink, isPast: true, only: queue });
      const next = passedOver.get(queue) ?? read.toBlock + 1;
      await this.#arrears.set(queue, next > readTo ? undefined : next);
      // A block that is not got past is tried again with the next head.
      hasMore ||= next > fromBlock && next <= readTo && sink.wanted(queue);
    }
    return hasMore;
  }

  /**
   * Resolves once the events of this block were read, and what they tell was passed on; at once where they
   * are not being read or are far behind, and after a second at the latest.
   */
  async whenRead(blockNumber: number): Promise<void> {
    const isRead = () => {
      const behindBlocks = blockNumber - this.#follower.readTo;
      return !this.#isFollowing || behindBlocks <= 0 || behindBlocks > LIVE_BLOCKS;
    };
    if (isRead()) return;
    const over = new AbortController();
    const look = () => {
      if (isRead()) over.abort();
    };
    this.#readers.add(look);
    await this.#deps.clock.sleep(LONGEST_READ_MS, over.signal);
    this.#readers.delete(look);
  }

  /** Asks every queue for its oldest claimable activity, less often while events are read. */
  async poll(sink: OfferSink): Promise<void> {
    this.#quietPolls += 1;
    const wanted = this.#options.queues.filter((queue) => sink.wanted(queue));
    if (wanted.length === 0 || (this.#isFollowing && this.#quietPolls < QUIET_POLLS)) return;
    this.#quietPolls = 0;
    await Promise.all(
      wanted.map(async (queue) => {
        const activity = await this.#deps.caller.poll(queue);
        if (activity === undefined) return;
        const offer = this.toOffer({ ...activity, queue, expiresAtMs: this.#expiryOf(activity) });
        if (offer !== undefined) await sink.offer(offer);
      }),
    );
  }

  /** What expires while nobody has it is of no use afterwards; with a worker, it is the lease that expires. */
  #expiryOf({ expiresAt, isAssigned }: Activity): number | undefined {
    const chainNowS = this.#deps.heads.latest()?.timestampS;
    if (isAssigned || expiresAt === 0n || chainNowS === undefined) return undefined;
    return this.#deps.clock.nowMs() + (Number(expiresAt) - chainNowS) * 1_000;
  }

  /**
   * The earlier of when it expires and when its spec says that nobody wants it any more. An event does not
   * tell its time: read late, it gives too long, and the claim, which reads the activity, puts that right.
   */
  #deadlineOf({ createdAt, expiresAtMs }: Enqueued, specMs: number | undefined): number | undefined {
    const chainNowS = this.#deps.heads.latest()?.timestampS;
    const createdAtS = createdAt === undefined ? (chainNowS ?? 0) : Number(createdAt);
    const bySpecMs = specDeadlineMs(specMs, { createdAtS, nowMs: this.#deps.clock.nowMs(), chainNowS });
    if (expiresAtMs === undefined || bySpecMs === undefined) return expiresAtMs ?? bySpecMs;
    return Math.min(expiresAtMs, bySpecMs);
  }

  /** Passes on what logs tell; which queues' offers were passed over, and the first block of each queue's. */
  async #take(
    logs: readonly EventLog[],
    { sink, isPast, only }: { readonly sink: OfferSink; readonly isPast: boolean; readonly only?: string },
  ): Promise<ReadonlyMap<string, number>> {
    const offers = new Map<string, FoundOffer>();
    const gone = new Map<string, string | undefined>();
    for (const log of logs) {
      const event = parse(log);
      if (event === undefined) continue;
      offers.delete(event.id);
      gone.delete(event.id);
      if (event.kind === "gone") gone.set(event.id, event.by);
      const offer = event.kind === "gone" ? undefined : this.#offerOf(event);
      if (offer === undefined || (only !== undefined && offer.queue !== only)) continue;
      offers.set(event.id, { offer, blockNumber: log.blockNumber });
    }
    for (const [id, by] of gone) sink.gone(id, by);
    const open = isPast ? await this.#stillOpen([...offers.values()]) : [...offers.values()];
    const taken = await Promise.all(open.map(({ offer }) => sink.offer(offer)));
    return firstBlocks(open.filter((_found, index) => taken[index] === false));
  }

  #offerOf(event: Exclude<QueueEvent, { kind: "gone" }>): Offer | undefined {
    if (event.kind === "expired") return this.#known(event.id);
    return this.#queues.has(event.enqueued.queue) ? this.toOffer(event.enqueued) : undefined;
  }

  /** What was offered before, whatever became of it. An activity that never was is found by polling. */
  #known(id: string): Offer | undefined {
    const task = this.#deps.store.task(id);
    if (task === undefined) return undefined;
    const { source, queue, kind, version, workflowInstanceId, traits = {} } = task;
    return { id, source, queue, kind, version, workflowInstanceId, traits };
  }

  /** Leaves out what is settled or taken: a long history costs some calls, and no claim that is refused. */
  async #stillOpen(found: readonly FoundOffer[]): Promise<readonly FoundOffer[]> {
    const { caller } = this.#deps;
    if (found.length === 0) return found;
    const settled = await caller.settled(found.map(({ offer }) => offer.id));
    const unsettled = found.filter(({ offer }) => !settled.has(offer.id));
    if (unsettled.length > MOST_INSPECTED) return unsettled;
    const readings = await caller.activities(unsettled.map(({ offer }) => offer.id));
    return unsettled.filter((_found, index) => {
      const { activity, chainNowS = 0 } = readings[index] ?? {};
      return activity === undefined || Number(activity.expiresAt) <= chainNowS;
    });
  }

  /** The offer that an activity once was, found without its event: the queue is in the event only. */
  async identify(activity: Activity): Promise<Offer | undefined> {
    const id = activity.activityId;
    const known = this.#known(id);
    if (known !== undefined) return known;
    const { specs } = this.#deps;
    if (specs.find("", activity.activityType) !== undefined) return this.toOffer({ ...activity, queue: "" });
    if (this.#unidentified.has(id)) return undefined;
    const queue = await this.#attempt("queue of an activity", () => this.#queueOf(id));
    if (queue === undefined) return undefined; // asked again at the next reconciliation
    const offer = queue === undefined ? undefined : this.toOffer({ ...activity, queue });
    if (offer !== undefined) return offer;
    if (this.#unidentified.size < MOST_UNIDENTIFIED) this.#unidentified.add(id);
    if (queue === "") {
      this.#deps.logger.warn(
        { activity_id: id },
        "the wallet holds an activity that no spec describes; its lease is left to run out (put the workflow's file back into specs.files, or raise ethereum.lookback_blocks)",
      );
    }
    return undefined;
  }

  /** Empty when its event is further back than anybody looks. */
  async #queueOf(id: string): Promise<string> {
    const log = await this.#follower.find([topicOf(ENQUEUED), id]);
    const event = log === undefined ? undefined : parse(log);
    return event?.kind === "enqueued" ? event.enqueued.queue : "";
  }

  /** `undefined` when no spec says what the activity is: what cannot be run is not claimed. */
  toOffer(enqueued: Enqueued): Offer | undefined {
    const { activityId, workflowInstanceId, queue, activityType, requester } = enqueued;
    const found = this.#deps.specs.find(queue, activityType);
    if (found === undefined) {
      if (!this.#unknownTypes.has(activityType)) {
        this.#unknownTypes.add(activityType);
        this.#deps.logger.warn(
          { activity_id: activityId, queue, activity_type: activityType },
          "activities of this type are left alone: no spec describes them; add the workflow's file to specs.files",
        );
      }
      return undefined;
    }
    const { kind, version, queue: specQueue } = found.spec;
    const deadlineMs = this.#deadlineOf(enqueued, found.spec.deadlineMs);
    const instance = workflowInstanceId === NO_INSTANCE ? "" : workflowInstanceId;
    return {
      id: activityId,
      source: this.#options.source,
      queue: specQueue,
      kind,
      version,
      workflowInstanceId: instance,
      traits: {
        tenant: requester.toLowerCase(),
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
        ...(found.needs.length === 0 ? {} : { needs: found.needs }),
      },
    };
  }
}

export interface Enqueued {
  readonly activityId: string;
  readonly workflowInstanceId: string;
  readonly queue: string;
  readonly activityType: string;
  readonly requester: string;
  /** In this machine's time; `undefined` when it never expires, or nothing says so. */
  readonly expiresAtMs?: number | undefined;
  /** By the chain's clock. `undefined`: just now, as an event tells that does not say. */
  readonly createdAt?: bigint;
}

interface FoundOffer {
  readonly offer: Offer;
  /** Of the event that tells of it. */
  readonly blockNumber: number;
}

/** The first block of each queue's. */
function firstBlocks(found: readonly FoundOffer[]): ReadonlyMap<string, number> {
  const blocks = new Map<string, number>();
  for (const { offer, blockNumber } of found) {
    blocks.set(offer.queue, Math.min(blockNumber, blocks.get(offer.queue) ?? blockNumber));
  }
  return blocks;
}

type QueueEvent =
  | { readonly kind: "enqueued"; readonly id: string; readonly enqueued: Enqueued }
  | { readonly kind: "expired"; readonly id: string }
  | { readonly kind: "gone"; readonly id: string; readonly by: string | undefined };

function followerOptions({ taskQueue, queues, logRangeBlocks, lookbackBlocks }: OfferWatcherOptions) {
  const enqueued = topicOf(ENQUEUED);
  const others = [...TAKEN, EXPIRED].map(topicOf);
  return {
    cursor: "enqueued",
    address: taskQueue,
    pastTopics: [enqueued, null, queues.map(queueTopic)],
    // One question for all: who claims what is not filtered by queue, which these events do not carry.
    liveTopics: [[enqueued, ...others]],
    vital: queues.map((queue) => [taskQueue, enqueued, queueTopic(queue)]),
    minor: others.map((topic) => [taskQueue, topic]),
    rangeBlocks: logRangeBlocks,
    lookbackBlocks,
    overlapBlocks: OVERLAP_BLOCKS,
  };
}

function topicOf(name: string): string {
  const topic = taskQueueInterface.getEvent(name)?.topicHash;
  if (topic === undefined) throw new Error(`the TaskQueue has no event ${name}`);
  return topic;
}

/** `undefined` for events of other kinds. */
function parse(log: EventLog): QueueEvent | undefined {
  const event = taskQueueInterface.parseLog(log);
  if (event === null) return undefined;
  const { name, args } = event;
  const id = String(args["activityId"]);
  if (name === EXPIRED) return { kind: "expired", id };
  if (name === ENQUEUED) {
    const enqueued = {
      activityId: id,
      workflowInstanceId: String(args["workflowInstanceId"]),
      queue: String(args["queueName"]),
      activityType: String(args["activityType"]),
      requester: String(args["requester"]),
    };
    return { kind: "enqueued", id, enqueued };
  }
  if (!TAKEN.some((taken) => taken === name)) return undefined;
  return { kind: "gone", id, by: name === "ActivityClaimed" ? String(args["worker"]) : undefined };
}
