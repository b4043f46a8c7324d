import { systemClock } from "@subnet-worker/kit";
import { getAddress, type Interface, type LogDescription } from "ethers";
import { expect } from "vitest";
import { startAnvil } from "../src/anvil.ts";
import { deployContracts, type DeployedContracts, type DeployOptions } from "../src/deploy.ts";
import {
  type Activity,
  type ContractRead,
  type ContractRevert,
  decodeContractError,
  multicall3Interface,
  subnetControlPlaneInterface,
  taskQueueInterface,
  taskQueueReads,
  workflowEngineInterface,
} from "../src/index.ts";
import { createRpc, type Rpc, RpcError } from "./_rpc.ts";

const INTERFACES = {
  taskQueue: taskQueueInterface,
  workflowEngine: workflowEngineInterface,
  subnetControlPlane: subnetControlPlaneInterface,
  multicall3: multicall3Interface,
} as const;
export type ContractName = keyof typeof INTERFACES;

/** A function of a contract with its arguments. */
export type Call = readonly [contract: ContractName, name: string, ...args: unknown[]];

export interface Receipt {
  readonly gasUsed: number;
  readonly blockNumber: number;
  /** Those of our contracts. */
  events(): readonly LogDescription[];
}

/** A transaction or call that reverted with one of the contracts' errors. */
export class Reverted extends Error {
  override readonly name = "Reverted";
  readonly revert: ContractRevert;

  constructor(revert: ContractRevert) {
    super(`${revert.name}: ${revert.message}`);
    this.revert = revert;
  }
}

export const LEASE_S = 600;
// Not an estimate: that is made at the latest block's time, when a heartbeat may still change nothing and
// so cost less than it will.
const BLOCK_GAS = 30_000_000;
export const QUEUE = "audio/1.0.0/processing";
export const SOME_TYPE = `0x${"a7".repeat(20)}`;
export const NO_ID = `0x${"00".repeat(32)}`;
export const NOBODY = `0x${"00".repeat(20)}`;

/** anvil with the contracts on it, and what tests do with them. */
export class Chain {
  readonly rpc: Rpc;
  readonly contracts: DeployedContracts;
  readonly url: string;
  /** Unlocked and funded. The first one owns the contracts. */
  readonly accounts: readonly string[];
  readonly #stack: AsyncDisposableStack;
  #snapshot = "";

  private constructor(
    parts: Pick<Chain, "rpc" | "contracts" | "url" | "accounts">,
    stack: AsyncDisposableStack,
  ) {
    this.rpc = parts.rpc;
    this.contracts = parts.contracts;
    this.url = parts.url;
    this.accounts = parts.accounts;
    this.#stack = stack;
  }

  static async start(options: DeployOptions = {}): Promise<Chain> {
    await using stack = new AsyncDisposableStack();
    const anvil = stack.use(await startAnvil({ args: ["--accounts", "40", "--prune-history"] }));
    const rpc = createRpc(anvil.url);
    const contracts = await deployContracts({ leaseDurationS: LEASE_S, ...options }, { rpcUrl: anvil.url });
    const accounts = await rpc<string[]>("eth_accounts");
    const chain = new Chain(
      { rpc, contracts, url: anvil.url, accounts: accounts.map((account) => getAddress(account)) },
      stack.move(),
    );
    await chain.remember();
    return chain;
  }

  get owner(): string {
    return this.accounts[0]!;
  }

  /** Account `index`, registered as a worker. */
  async worker(index: number, capacity = 4): Promise<string> {
    const worker = this.accounts[index]!;
    await this.send(worker, ["subnetControlPlane", "registerWorker", capacity]);
    return worker;
  }

  /** Mines one transaction. @throws Reverted */
  async send(from: string, call: Call, gas: number = BLOCK_GAS): Promise<Receipt> {
    const request = { ...this.#request(from, call), gas: hex(gas) };
    const receipt = await this.receipt(await this.rpc<string>("eth_sendTransaction", request));
    if (receipt.status !== "0x1") {
      // What reverted changed nothing, so it reverts again, and a call says why.
      await this.#reverting(() => this.rpc("eth_call", request, receipt.blockNumber));
      throw new Error(`${call[1]} reverted when mined, with ${receipt.gasUsed} gas, and not when called`);
    }
    return {
      gasUsed: Number(receipt.gasUsed),
      blockNumber: Number(receipt.blockNumber),
      // Decoded only when asked for: it takes longer than the transaction did.
      events: () => receipt.logs.flatMap((log) => this.#event(log)),
    };
  }

  async receipt(hash: string): Promise<RawReceipt> {
    for (;;) {
      const receipt = await this.rpc<RawReceipt | null>("eth_getTransactionReceipt", hash);
      if (receipt !== null) return receipt;
      await systemClock.sleep(1);
    }
  }

  /** The decoded answer of a view. @throws Reverted */
  async call(call: Call, options: { readonly from?: string; readonly gas?: number } = {}): Promise<unknown> {
    const { from = NOBODY, gas } = options;
    const data = await this.#reverting(() =>
      this.rpc<string>("eth_call", { ...this.#request(from, call), gas: hex(gas) }, "latest"),
    );
    return INTERFACES[call[0]].decodeFunctionResult(call[1], data)[0];
  }

  async read<T>(
    read: ContractRead<T>,
    options: { readonly from?: string; readonly gas?: number } = {},
  ): Promise<T> {
    const { from = NOBODY, gas } = options;
    const request = { from, to: read.to, data: read.data, gas: hex(gas) };
    return read.decode(await this.#reverting(() => this.rpc<string>("eth_call", request, "latest")));
  }

  /** Enqueues an activity and returns its id. */
  async enqueue(params: Partial<EnqueueParams> = {}, from: string = this.accounts[9]!): Promise<string> {
    const receipt = await this.send(from, ["taskQueue", "enqueueActivity", enqueueParams(params)]);
    return String(receipt.events()[0]!.args["activityId"]);
  }

  activity(activityId: string): Promise<Activity> {
    return this.read(taskQueueReads(this.contracts.taskQueue).getActivity(activityId));
  }

  /** The id that polling answers. */
  async poll(queueName = QUEUE, from: string = NOBODY): Promise<string | undefined> {
    const read = taskQueueReads(this.contracts.taskQueue).pollActivity(queueName, 0);
    return (await this.read(read, { from }))?.activityId;
  }

  /** Lets the chain's time pass. */
  async advance(seconds: number): Promise<void> {
    await this.rpc("evm_increaseTime", seconds);
    await this.rpc("evm_mine");
  }

  async nowS(): Promise<bigint> {
    return BigInt((await this.rpc<{ timestamp: string }>("eth_getBlockByNumber", "latest", false)).timestamp);
  }

  /** Back to the state of the last `remember`, so that tests do not see each other. */
  async rewind(): Promise<void> {
    await this.rpc("evm_revert", this.#snapshot);
    await this.remember();
  }

  async remember(): Promise<void> {
    this.#snapshot = await this.rpc<string>("evm_snapshot");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #request(from: string, [contract, name, ...args]: Call) {
    return { from, to: this.contracts[contract], data: INTERFACES[contract].encodeFunctionData(name, args) };
  }

  async #reverting<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      const revert = error instanceof RpcError && error.data !== undefined && decodeContractError(error.data);
      throw revert === false || revert === undefined ? error : new Reverted(revert);
    }
  }

  #event(log: RawLog): readonly LogDescription[] {
    const [, contract] = Object.entries(INTERFACES).find(
      ([name]) => this.contracts[name as ContractName].toLowerCase() === log.address.toLowerCase(),
    ) as [string, Interface];
    const event = contract.parseLog(log);
    return event === null ? [] : [event];
  }
}

interface RawLog {
  readonly address: string;
  readonly topics: string[];
  readonly data: string;
}

export interface RawReceipt {
  readonly status: string;
  readonly gasUsed: string;
  readonly blockNumber: string;
  readonly logs: readonly RawLog[];
}

export interface EnqueueParams {
  readonly queueName: string;
  readonly partitionId: number;
  readonly workflowInstanceId: string;
  readonly activityType: string;
  readonly inputData: string;
  readonly initData: string;
  readonly exclusiveGroup: string;
}

export function enqueueParams(params: Partial<EnqueueParams> = {}): EnqueueParams {
  return {
    queueName: QUEUE,
    partitionId: 0,
    workflowInstanceId: NO_ID,
    activityType: SOME_TYPE,
    inputData: "0x",
    initData: "0x",
    exclusiveGroup: NO_ID,
    ...params,
  };
}

/** Expects a revert by this custom error, with at least these arguments. */
export async function expectRevert(
  attempt: Promise<unknown>,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const outcome = await attempt.then(
    () => "it succeeded",
    (error: unknown) => (error instanceof Reverted ? error.revert : error),
  );
  expect(outcome).toMatchObject({ name, args });
}

/** Name and arguments of each event, for comparing. */
export function eventsOf(receipt: Receipt): readonly unknown[] {
  return receipt.events().map((event) => {
    const args = Object.entries(event.args.toObject() as Record<string, unknown>);
    return [
      event.name,
      Object.fromEntries(args.map(([key, arg]) => [key, Array.isArray(arg) ? [...arg] : arg])),
    ];
  });
}

export function bytes(text: string): string {
  return `0x${Buffer.from(text).toString("hex")}`;
}

function hex(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `0x${value.toString(16)}`;
}
