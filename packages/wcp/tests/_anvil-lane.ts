import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeContractError, taskQueueInterface } from "@subnet-worker/contracts";
import { type Anvil, startAnvil } from "@subnet-worker/contracts/anvil";
import { deployContracts, type DeployedContracts } from "@subnet-worker/contracts/deploy";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { RpcChain } from "../src/adapters/rpc/chain.ts";
import { HeadWatcher } from "../src/adapters/rpc/heads.ts";
import { RpcPool } from "../src/adapters/rpc/pool.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import { openStore } from "../src/adapters/sqlite/store.ts";
import type { IntentRequest } from "../src/chain-ports.ts";
import type { Store } from "../src/ports.ts";
import { Lane, type LaneOptions } from "../src/services/lane/lane.ts";
import { idOf } from "./_builders.ts";
import { LANE_OPTIONS } from "./_lane-bench.ts";
import { captureLogs, type Logs } from "./_logs.ts";

/** The second account of anvil's well-known mnemonic; the first deploys. */
export const WORKER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
export const QUEUE = "audio/1.0.0/processing";

/** anvil with the contracts on it and a folder for databases. */
export class DevChain implements AsyncDisposable {
  readonly anvil: Anvil;
  readonly contracts: DeployedContracts;
  readonly folder: string;

  private constructor(anvil: Anvil, contracts: DeployedContracts) {
    this.anvil = anvil;
    this.contracts = contracts;
    this.folder = mkdtempSync(join(tmpdir(), "wcp-anvil-"));
  }

  static async start(): Promise<DevChain> {
    const anvil = await startAnvil();
    try {
      return new DevChain(anvil, await deployContracts({ leaseDurationS: 600 }, { rpcUrl: anvil.url }));
    } catch (error) {
      await anvil[Symbol.asyncDispose]();
      throw error;
    }
  }

  async rpc(method: string, ...params: unknown[]): Promise<unknown> {
    const response = await fetch(this.anvil.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as {
      readonly result?: unknown;
      readonly error?: unknown;
    };
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /** A request that enqueues an activity whose instance is `number`: an effect that can be counted. */
  enqueue(number: number, key = `enqueue-${number}`): IntentRequest {
    const params = {
      queueName: QUEUE,
      partitionId: 0,
      workflowInstanceId: idOf(number),
      activityType: `0x${"a7".repeat(20)}`,
      inputData: "0x",
      initData: "0x",
      exclusiveGroup: idOf(0),
    };
    const data = taskQueueInterface.encodeFunctionData("enqueueActivity", [params]);
    return { key, kind: "claim", taskId: idOf(number), to: this.contracts.taskQueue, data };
  }

  /** How often each number was enqueued since block `fromBlock`. */
  async enqueued(fromBlock: number): Promise<Map<number, number>> {
    const topic = taskQueueInterface.getEvent("ActivityEnqueued")?.topicHash;
    const filter = {
      fromBlock: `0x${fromBlock.toString(16)}`,
      address: this.contracts.taskQueue,
      topics: [topic],
    };
    const logs = (await this.rpc("eth_getLogs", filter)) as readonly { readonly topics: readonly string[] }[];
    const counts = new Map<number, number>();
    for (const { topics } of logs) {
      const number = Number(topics[3]);
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    return counts;
  }

  /** Mines only when told to, from now on. */
  async holdBlocks(): Promise<void> {
    await this.rpc("evm_setIntervalMining", 0);
    await this.rpc("evm_setAutomine", false);
  }

  async mine(blocks = 1): Promise<void> {
    for (let count = 0; count < blocks; count += 1) await this.rpc("evm_mine");
  }

  /** Transactions of `address` that are mined. */
  async minedCount(address: string): Promise<number> {
    return Number(await this.rpc("eth_getTransactionCount", address, "latest"));
  }

  async block(): Promise<number> {
    return Number(await this.rpc("eth_blockNumber"));
  }

  /** How many transactions the next block can have. */
  async waiting(): Promise<number> {
    const { pending } = (await this.rpc("txpool_status")) as { readonly pending: string };
    return Number(pending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.anvil[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }
}

/** The lane as the process composes it: real endpoint, real signer, real database. */
export class AnvilLane implements AsyncDisposable {
  readonly lane: Lane;
  readonly chain: RpcChain;
  readonly rpc: RpcPool;
  readonly heads: HeadWatcher;
  readonly logs: Logs = captureLogs();
  readonly #stop = new AbortController();
  readonly store: Store;
  readonly #runs: Promise<unknown>;

  constructor(
    dev: DevChain,
    database: string,
    options: Partial<LaneOptions> & { readonly clock?: Clock } = {},
  ) {
    const { clock = systemClock, ...laneOptions } = options;
    const { logger } = this.logs;
    const signer = createLocalSigner(WORKER_KEY, 31_337n);
    this.store = openStore(
      { path: join(dev.folder, `${database}.db`), chainId: 31_337n, wallet: signer.address },
      { clock },
    );
    this.rpc = new RpcPool(
      // By the lane's clock, which some tests have twenty times as fast: 10 s at the least.
      { urls: [dev.anvil.url], chainId: 31_337n, timeoutMs: 200_000, batchSize: 100 },
      { clock, logger, signal: this.#stop.signal },
    );
    this.chain = new RpcChain({
      rpc: this.rpc,
      decodeRevert: (data) => decodeContractError(data) ?? { name: "", message: data },
    });
    this.heads = new HeadWatcher(
      { wsUrls: [dev.anvil.wsUrl], chainId: 31_337n, pollIntervalMs: 1_000, staleAfterMs: 5_000 },
      { rpc: this.rpc, clock, logger },
    );
    this.lane = new Lane(
      { ...LANE_OPTIONS, ...laneOptions },
      { chain: this.chain, heads: this.heads, signer, store: this.store, clock, logger },
    );
    this.#runs = Promise.all([this.lane.run(this.#stop.signal), this.heads.run(this.#stop.signal)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#runs;
    this.store[Symbol.dispose]();
  }
}
