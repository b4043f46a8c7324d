import {
  type Activity,
  type BatchAnswer,
  batchReads,
  type ContractRead,
  ContractsError,
  decodeContractError,
  multicall3Interface,
  taskQueueInterface,
  type TaskQueueReads,
  taskQueueReads,
} from "@subnet-worker/contracts";
import { type Clock, createBackoff, type Logger } from "@subnet-worker/kit";
import { CallReverted, type CallRequest, type Chain } from "../../chain-ports.ts";
import { StoppedError } from "../../ports.ts";

export interface ContractCallerDeps {
  readonly chain: Chain;
  readonly wallet: string;
  readonly taskQueue: string;
  readonly multicall3: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborts when the process stops. */
  readonly signal: AbortSignal;
}

/** An activity as of one block. */
export interface Reading {
  /** `undefined` when the contract has never heard of it. */
  readonly activity: Activity | undefined;
  /** The chain's time in that block, Unix seconds. */
  readonly chainNowS: number;
}

/**
 * Activities per eth_call. Each may bring payloads of some kilobytes, one storage slot per 32 bytes, and
 * nodes stop an eth_call at 50 million gas; a call that is stopped is made again in halves.
 */
const ACTIVITIES_PER_CALL = 40;
const UNREADABLE = "a contract could not be read; asking again (when it stays, check ethereum.rpc_url)";
/** Answers of four words each. */
const OUTCOMES_PER_CALL = 500;

/**
 * Reads of the TaskQueue in the worker's name: what it may claim depends on who asks. They are made again
 * until the contract has answered: what waits for one would lose its work to an endpoint's bad hour.
 */
export class ContractCaller {
  readonly #deps: ContractCallerDeps;
  readonly #taskQueue: TaskQueueReads;
  /** Asked for in this turn of the event loop, to be read in one call. */
  #asked = new Map<string, PromiseWithResolvers<Reading>>();

  constructor(deps: ContractCallerDeps) {
    this.#deps = deps;
    this.#taskQueue = taskQueueReads(deps.taskQueue);
  }

  poll(queue: string): Promise<Activity | undefined> {
    return this.#read(this.#taskQueue.pollActivity(queue, 0));
  }

  /** Ids of what the wallet claimed and did not settle, leases that ran out included. */
  held(): Promise<readonly string[]> {
    return this.#read(this.#taskQueue.getWorkerActivities(this.#deps.wallet));
  }

  /** One activity, read together with all others that are asked for in the same turn of the event loop. */
  activity(id: string): Promise<Reading> {
    const known = this.#asked.get(id);
    if (known !== undefined) return known.promise;
    if (this.#asked.size === 0) setImmediate(() => this.#flush());
    const asked = Promise.withResolvers<Reading>();
    this.#asked.set(id, asked);
    return asked.promise;
  }

  activities(ids: readonly string[]): Promise<readonly Reading[]> {
    return Promise.all(ids.map((id) => this.activity(id)));
  }

  /** Which of these are settled, many per call. What the contract does not know is not. */
  async settled(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const part of chunks(ids, OUTCOMES_PER_CALL)) {
      const answers = await this.#batch(part.map((id) => this.#isSettled(id)));
      for (const [index, answer] of answers.entries()) {
        if (answer.ok && answer.value) found.add(part[index] ?? "");
      }
    }
    return found;
  }

  #flush(): void {
    const asked = [...this.#asked];
    this.#asked = new Map();
    for (const part of chunks(asked, ACTIVITIES_PER_CALL)) {
      this.#readActivities(part.map(([id]) => id)).then(
        (readings) => part.forEach(([id, { resolve }]) => resolve(readings.get(id) as Reading)),
        (error: unknown) => part.forEach(([, { reject }]) => reject(error)),
      );
    }
  }

  async #readActivities(ids: readonly string[]): Promise<Map<string, Reading>> {
    const answers = await this.#batch<Activity | number>([
      this.#chainTime(),
      ...ids.map((id) => this.#taskQueue.getActivity(id)),
    ]);
    const [time, ...activities] = answers;
    const chainNowS = time?.ok === true ? Number(time.value) : 0;
    const readings = ids.map(async (id, index): Promise<readonly [string, Reading]> => {
      const answer = activities[index];
      const activity = answer?.ok === true ? (answer.value as Activity) : await this.#single(id, answer);
      return [id, { activity, chainNowS }];
    });
    return new Map(await Promise.all(readings));
  }

  /** One that failed among others: unknown to the contract, or too large to be read along with them. */
  async #single(id: string, answer: BatchAnswer<unknown> | undefined): Promise<Activity | undefined> {
    if (answer?.ok === false && isUnknown(decodeContractError(answer.revertData)?.name)) return undefined;
    try {
      return await this.#read(this.#taskQueue.getActivity(id));
    } catch (error) {
      if (error instanceof CallReverted && isUnknown(error.revert.name)) return undefined;
      throw error;
    }
  }

  /** All in one call; in halves when a node stops that, down to one by one. */
  async #batch<T>(reads: readonly ContractRead<T>[]): Promise<readonly BatchAnswer<T>[]> {
    try {
      return await this.#read(batchReads(reads, this.#deps.multicall3));
    } catch (error) {
      if (reads.length < 2 || !isTooMuch(error)) throw error;
      const middle = reads.length >> 1;
      const halves = [reads.slice(0, middle), reads.slice(middle)];
      return (await Promise.all(halves.map((half) => this.#batch(half)))).flat();
    }
  }

  #isSettled(id: string): ContractRead<boolean> {
    return {
      to: this.#deps.taskQueue,
      data: taskQueueInterface.encodeFunctionData("getOutcome", [id]),
      decode: (data) =>
        (taskQueueInterface.decodeFunctionResult("getOutcome", data)[0] as { isSettled: boolean }).isSettled,
    };
  }

  /** Of the very block that the rest of the batch is read from. */
  #chainTime(): ContractRead<number> {
    return {
      to: this.#deps.multicall3,
      data: multicall3Interface.encodeFunctionData("getCurrentBlockTimestamp"),
      decode: (data) => Number(multicall3Interface.decodeFunctionResult("getCurrentBlockTimestamp", data)[0]),
    };
  }

  async #read<T>(read: ContractRead<T>): Promise<T> {
    return read.decode(await this.#call({ from: this.#deps.wallet, to: read.to, data: read.data }));
  }

  /** @throws {CallReverted} @throws {StoppedError} */
  async #call(request: CallRequest): Promise<string> {
    const { chain, clock, logger, signal } = this.#deps;
    const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await chain.call(request);
      } catch (error) {
        if (isAnswer(error)) throw error;
        const level = attempt === 1 ? "warn" : "error";
        logger[level]({ err: error, contract: request.to, attempt }, UNREADABLE);
      }
      await clock.sleep(backoff.nextMs(), signal);
      if (signal.aborted) throw new StoppedError();
    }
  }
}

/** Asking again would bring the same. */
function isAnswer(error: unknown): boolean {
  return error instanceof CallReverted || error instanceof StoppedError || error instanceof ContractsError;
}

function isUnknown(revertName: string | undefined): boolean {
  return revertName === "UnknownActivity";
}

/** Multicall3 itself reverts only when it runs out of gas. */
function isTooMuch(error: unknown): boolean {
  return error instanceof CallReverted || (error instanceof ContractsError && error.code === "BAD_ANSWER");
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < all.length; start += size) parts.push(all.slice(start, start + size));
  return parts;
}
