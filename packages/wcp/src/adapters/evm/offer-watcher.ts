import { queueTopic, taskQueueInterface } from "@subnet-worker/contracts";
import type { Clock, Logger } from "@subnet-worker/kit";
import {
  type Chain,
  type EventLog,
  type Heads,
  type Offer,
  type OfferSink,
  StoppedError,
  type Store,
} from "../../ports.ts";
import type { ContractCaller } from "./contract-caller.ts";
import type { SpecIndex } from "./spec-index.ts";

export interface OfferWatcherOptions {
  readonly source: string;
  readonly taskQueue: string;
  readonly queues: readonly string[];
  /** Time between calls of `pollActivity`, when there are new blocks. */
  readonly pollIntervalMs: number;
  /** Blocks per `eth_getLogs`. */
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

const CURSOR = "enqueued";
const NO_INSTANCE = `0x${"0".repeat(64)}`;
/** Without a new block nothing can become claimable but by a lease running out, which this often is enough for. */
const QUIET_POLLS = 10;

/**
 * Offers of the on-chain queues: `ActivityEnqueued` events as blocks arrive, and
 * `pollActivity` as the fallback that also sees leases that ran out.
 */
export class OfferWatcher {
  readonly #options: OfferWatcherOptions;
  readonly #deps: OfferWatcherDeps;
  readonly #unknownTypes = new Set<string>();
  #polledHead = "";
  #quietPolls = QUIET_POLLS;

  constructor(options: OfferWatcherOptions, deps: OfferWatcherDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async watch(sink: OfferSink, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#followEvents(sink, signal), this.#pollQueues(sink, signal)]);
  }

  async #followEvents(sink: OfferSink, signal: AbortSignal): Promise<void> {
    let resume = () => {};
    using _head = this.#deps.heads.onHead(() => resume());
    signal.addEventListener("abort", () => resume(), { once: true });
    while (!signal.aborted) {
      const next = new Promise<void>((resolve) => {
        resume = resolve;
      });
      const more = await this.#attempt("events", signal, () => this.syncEvents(sink));
      if (more === false && !signal.aborted) await next;
    }
  }

  async #pollQueues(sink: OfferSink, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt("poll", signal, () => this.poll(sink));
      await this.#deps.clock.sleep(this.#options.pollIntervalMs, signal);
    }
  }

  async #attempt<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoppedError) throw error;
      this.#deps.logger.warn(
        { err: error, what },
        "the chain could not be read for new activities; trying again",
      );
      await this.#deps.clock.sleep(1_000, signal);
      return undefined;
    }
  }

  /** Reads events up to the head, one range at a time; true when there is more to read. */
  async syncEvents(sink: OfferSink): Promise<boolean> {
    const { chain, heads, store } = this.#deps;
    const head = heads.latest();
    if (head === undefined || !sink.wanted()) return false;
    const readTo =
      store.cursor(CURSOR)?.blockNumber ?? Math.max(-1, head.number - this.#options.lookbackBlocks);
    const fromBlock = readTo + 1;
    if (fromBlock > head.number) return false;
    const toBlock = Math.min(head.number, fromBlock + this.#options.logRangeBlocks - 1);
    const topics = [
      taskQueueInterface.getEvent("ActivityEnqueued")?.topicHash ?? null,
      null,
      this.#options.queues.map(queueTopic),
    ];
    const logs = await chain.logs({ address: this.#options.taskQueue, topics, fromBlock, toBlock });
    // Every offer is on disk before the cursor passes it.
    await Promise.all(logs.map((log) => this.#offer(sink, parseEnqueued(log))));
    const block = toBlock === head.number ? head : await chain.block(toBlock);
    if (block === undefined) return false;
    await store.saveCursor(CURSOR, { blockNumber: toBlock, blockHash: block.hash });
    return toBlock < head.number;
  }

  /** Asks every queue for its oldest claimable activity, when a new block may have changed the answer. */
  async poll(sink: OfferSink): Promise<void> {
    const head = this.#deps.heads.latest()?.hash ?? "";
    this.#quietPolls += 1;
    if (!sink.wanted() || (head === this.#polledHead && this.#quietPolls < QUIET_POLLS)) return;
    this.#polledHead = head;
    this.#quietPolls = 0;
    await Promise.all(
      this.#options.queues.map(async (queue) => {
        const activity = await this.#deps.caller.poll(queue);
        if (activity !== undefined) await this.#offer(sink, { ...activity, queue });
      }),
    );
  }

  async #offer(sink: OfferSink, seen: Enqueued): Promise<void> {
    const offer = this.toOffer(seen);
    if (offer !== undefined) await sink.offer(offer);
  }

  /** What is known of an activity that was found without its event. */
  async identify(activity: Omit<Enqueued, "queue">): Promise<Offer | undefined> {
    return this.toOffer({ ...activity, queue: "" });
  }

  /** `undefined` when no spec says what the activity is: what cannot be run is not claimed. */
  toOffer({ activityId, workflowInstanceId, queue, activityType }: Enqueued): Offer | undefined {
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
    const instance = workflowInstanceId === NO_INSTANCE ? "" : workflowInstanceId;
    return {
      id: activityId,
      source: this.#options.source,
      queue: specQueue,
      kind,
      version,
      workflowInstanceId: instance,
    };
  }
}

export interface Enqueued {
  readonly activityId: string;
  readonly workflowInstanceId: string;
  readonly queue: string;
  readonly activityType: string;
}

function parseEnqueued(log: EventLog): Enqueued {
  const args = taskQueueInterface.decodeEventLog("ActivityEnqueued", log.data, log.topics);
  return {
    activityId: String(args["activityId"]),
    workflowInstanceId: String(args["workflowInstanceId"]),
    queue: String(args["queueName"]),
    activityType: String(args["activityType"]),
  };
}
