import {
  decodeContractError,
  subnetControlPlaneInterface,
  taskQueueInterface,
} from "@subnet-worker/contracts";
import { type Anvil, startAnvil } from "@subnet-worker/contracts/anvil";
import { deployContracts, type DeployedContracts } from "@subnet-worker/contracts/deploy";
import { createBatchCodec } from "../src/adapters/evm/batch-codec.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import type { Revert } from "../src/domain/intent.ts";
import type {
  Authorization,
  BatchCall,
  BatchCodec,
  BatchResult,
  EventLog,
  Signer,
} from "../src/chain-ports.ts";
import { minedBy, type RawReceipt, receiptOf } from "./_mined.ts";

/** The second account of anvil's well-known mnemonic; the first deploys. */
const WORKER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
export const FEES = { maxFeePerGasWei: 10n ** 11n, maxPriorityFeePerGasWei: 1n };
export const CHAIN_ID = 31_337n;

export interface BatchReceipt {
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly logs: readonly EventLog[];
}

export interface Sending {
  readonly to: string;
  readonly data: string;
  readonly gasLimit: bigint;
  readonly authorization?: Authorization;
}

/** anvil, and a wallet on it that signs for itself. */
export class WalletChain implements AsyncDisposable {
  readonly anvil: Anvil;
  readonly signer: Signer;

  constructor(anvil: Anvil) {
    this.anvil = anvil;
    this.signer = createLocalSigner(WORKER_KEY, CHAIN_ID);
  }

  static async start(args: readonly string[] = []): Promise<WalletChain> {
    return new WalletChain(await startAnvil({ args }));
  }

  get wallet(): string {
    return this.signer.address;
  }

  async rpc<T>(method: string, ...params: unknown[]): Promise<T> {
    const response = await fetch(this.anvil.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as { result: T; error?: { message: string } };
    if (error !== undefined) throw new Error(error.message);
    return result;
  }

  readonly #ask = (method: string, params: readonly unknown[]) => this.rpc(method, ...params);

  /** A transaction's receipt, once a block has it. @throws when it reverted */
  mined(txHash: string): Promise<RawReceipt> {
    return minedBy(this.#ask, txHash);
  }

  async nonce(): Promise<number> {
    return Number(await this.rpc("eth_getTransactionCount", this.wallet, "latest"));
  }

  code(): Promise<string> {
    return this.rpc("eth_getCode", this.wallet, "latest");
  }

  async send(sending: Sending): Promise<BatchReceipt> {
    const { raw } = await this.signer.sign({ nonce: await this.nonce(), fees: FEES, ...sending });
    return this.sendRaw(raw);
  }

  async sendRaw(raw: string): Promise<BatchReceipt> {
    return this.receipt(await this.rpc<string>("eth_sendRawTransaction", raw));
  }

  async receipt(txHash: string): Promise<BatchReceipt> {
    return batchReceipt(await receiptOf(this.#ask, txHash));
  }

  /** Delegates the wallet; the zero address takes that back. */
  async delegate(contract: string): Promise<BatchReceipt> {
    const authorization = await this.signer.authorize({ contract, nonce: (await this.nonce()) + 1 });
    return this.send({ to: this.wallet, data: "0x", gasLimit: 100_000n, authorization });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.anvil[Symbol.asyncDispose]();
  }
}

function batchReceipt({ status, gasUsed, logs }: RawReceipt): BatchReceipt {
  const place = { blockNumber: 0, blockHash: "0x" };
  return {
    succeeded: status === "0x1",
    gasUsed: BigInt(gasUsed),
    logs: logs.map((log, logIndex) => ({ ...log, ...place, logIndex })),
  };
}

/** The same with the contracts on it; the wallet is a worker and delegates to the batch executor. */
export class BatchChain extends WalletChain {
  readonly contracts: DeployedContracts;
  readonly codec: BatchCodec;

  private constructor(anvil: Anvil, contracts: DeployedContracts) {
    super(anvil);
    this.contracts = contracts;
    this.codec = createBatchCodec({ executor: contracts.batchExecutor, decodeRevert });
  }

  static override async start(args: readonly string[] = []): Promise<BatchChain> {
    const anvil = await startAnvil({ args });
    try {
      const contracts = await deployContracts({ leaseDurationS: 600 }, { rpcUrl: anvil.url });
      const chain = new BatchChain(anvil, contracts);
      const data = subnetControlPlaneInterface.encodeFunctionData("registerWorker", [1_024]);
      const { succeeded } = await chain.send({
        to: contracts.subnetControlPlane,
        data,
        gasLimit: 200_000n,
      });
      if (!succeeded) throw new Error("the wallet could not be registered as a worker");
      return chain;
    } catch (error) {
      await anvil[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ids of new activities, in the order of their queue. */
  async enqueue(count: number): Promise<string[]> {
    const from = this.contracts.owner;
    const params = {
      queueName: "audio/1.0.0/processing",
      partitionId: 0,
      workflowInstanceId: `0x${"01".repeat(32)}`,
      activityType: `0x${"a7".repeat(20)}`,
      inputData: "0x",
      initData: "0x",
      exclusiveGroup: `0x${"00".repeat(32)}`,
    };
    const data = taskQueueInterface.encodeFunctionData("enqueueActivity", [params]);
    const request = { from, to: this.contracts.taskQueue, data, gas: "0x100000" };
    const ids: string[] = [];
    // Each in a block before the next is sent: anvil picks the nonce, and where the one below it is being
    // mined just then, it can keep the transaction queued for ever.
    while (ids.length < count) {
      const { logs } = await this.mined(await this.rpc<string>("eth_sendTransaction", request));
      ids.push(logs[0]?.topics[1] ?? "");
    }
    return ids;
  }

  claim(activityId: string, gas: bigint = 400_000n): BatchCall {
    return this.#call("claimActivity", [activityId], gas);
  }

  complete(activityId: string, resultHex: string): BatchCall {
    return this.#call("completeActivity", [activityId, resultHex], 400_000n);
  }

  async simulate(calls: readonly BatchCall[]): Promise<readonly BatchResult[]> {
    const { wallet } = this;
    const request = { from: wallet, to: wallet, data: this.codec.encodeSimulation(calls), gas: "0x1c9c380" };
    return this.codec.decodeSimulation(await this.rpc("eth_call", request, "latest"));
  }

  /** Each call with exactly the gas that it burns now. */
  async measured(calls: readonly BatchCall[]): Promise<BatchCall[]> {
    const results = await this.simulate(calls);
    return calls.map((call, index) => {
      const result = results[index];
      if (result?.ok !== true) throw new Error(`call ${index} would fail: ${JSON.stringify(result)}`);
      return { ...call, gas: result.gasUsed };
    });
  }

  /** Makes the calls in one transaction, with the gas limit that the codec says is enough. */
  async execute(
    calls: readonly BatchCall[],
    authorization?: Authorization,
  ): Promise<BatchReceipt & { readonly gasLimit: bigint }> {
    const gasLimit = sumOf(calls) + this.codec.overheadGas(calls, authorization !== undefined);
    const sending = { to: this.wallet, data: this.codec.encode(calls), gasLimit };
    const receipt = await this.send(authorization === undefined ? sending : { ...sending, authorization });
    return { ...receipt, gasLimit };
  }

  /** Puts code at an address. */
  async place(address: string, code: string): Promise<string> {
    await this.rpc("anvil_setCode", address, code);
    return address;
  }

  #call(name: string, args: readonly unknown[], gas: bigint): BatchCall {
    return { to: this.contracts.taskQueue, data: taskQueueInterface.encodeFunctionData(name, args), gas };
  }
}

export function sumOf(calls: readonly BatchCall[]): bigint {
  return calls.reduce((sum, { gas }) => sum + gas, 0n);
}

export function decodeRevert(data: string): Revert {
  return decodeContractError(data) ?? { name: "", message: data };
}
