import { randomInt } from "node:crypto";
import { taskQueueInterface, taskQueueReads, workflowEngineInterface } from "@subnet-worker/contracts";
import { type Clock, systemClock } from "@subnet-worker/kit";
import {
  JsonRpcProvider,
  type JsonRpcSigner,
  type Log,
  Network,
  type TransactionReceipt,
  type TransactionRequest,
  type TransactionResponse,
} from "ethers";

/** Where a chain and the contracts on it are. */
export interface ChainAddress {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly taskQueue: string;
  readonly workflowEngine: string;
}

export interface StartedWorkflow {
  readonly instance: string;
  readonly transactionHash: string;
  readonly block: number;
}

/** One mined transaction. */
export interface MinedTransaction {
  readonly hash: string;
  readonly block: number;
  readonly to: string;
  readonly from: string;
  readonly data: string;
  readonly receipt: TransactionReceipt;
}

/** A nonce of an account that no block up to one has used. */
interface NonceUse {
  readonly signer: JsonRpcSigner;
  readonly nonce: number;
  readonly afterBlock: number;
}

const RECEIPT_POLL_MS = 20;
/** What anvil says to a nonce that another transaction has meanwhile, in its words and in ethers'. */
const NONCE_TAKEN =
  /already imported|replacement transaction underpriced|nonce too low|nonce has already been used/i;

/** What a requester does on the chain, and what it sees there. */
export class ChainClient implements Disposable {
  readonly address: ChainAddress;
  readonly #provider: JsonRpcProvider;
  readonly #clock: Clock;

  constructor(address: ChainAddress, deps: { readonly clock?: Clock } = {}) {
    this.address = address;
    this.#clock = deps.clock ?? systemClock;
    this.#provider = openProvider(address.rpcUrl, address.chainId);
  }

  [Symbol.dispose](): void {
    this.#provider.destroy();
  }

  /**
   * Starts a workflow from an account that the node signs for.
   *
   * @param input ABI-encoded, 0x-hex
   * @throws when the contract refuses it
   */
  async startWorkflow(workflow: string, input: string, requester: string): Promise<StartedWorkflow> {
    const signer = await this.#provider.getSigner(requester);
    const call = {
      to: this.address.workflowEngine,
      data: workflowEngineInterface.encodeFunctionData("startWorkflow", [workflow, input]),
    };
    // What somebody else enqueues between the estimate and the block makes this one dearer. And no two have the
    // same: the same bytes from two who start the same at once would be one transaction.
    const gasLimit = 2n * (await signer.estimateGas(call)) + BigInt(randomInt(2 ** 16));
    const receipt = await this.#mine(signer, { ...call, gasLimit });
    const started = receipt.logs
      .map((log) => workflowEngineInterface.parseLog(log))
      .find((log) => log?.name === "WorkflowStarted");
    if (started === undefined || started === null)
      throw new Error(`transaction ${receipt.hash} reverted instead of starting ${workflow}`);
    return {
      instance: String(started.args["instance"]),
      transactionHash: receipt.hash,
      block: receipt.blockNumber,
    };
  }

  async blockNumber(): Promise<number> {
    return this.#provider.getBlockNumber();
  }

  /** The logs of both contracts in these blocks, in order. */
  async logs(fromBlock: number, toBlock: number): Promise<readonly Log[]> {
    const addresses = [this.address.workflowEngine, this.address.taskQueue];
    return this.#provider.getLogs({ address: addresses, fromBlock, toBlock });
  }

  /** The result of an activity, 0x-hex. */
  async resultData(activityId: string): Promise<string> {
    const read = taskQueueReads(this.address.taskQueue).getActivity(activityId);
    return read.decode(await this.#provider.call({ to: read.to, data: read.data })).resultData;
  }

  /** Every transaction to one of the contracts in these blocks, reverted ones too, in order. */
  async transactions(fromBlock: number, toBlock: number): Promise<readonly MinedTransaction[]> {
    const ours = new Set(
      [this.address.taskQueue, this.address.workflowEngine].map((address) => address.toLowerCase()),
    );
    const found: MinedTransaction[] = [];
    for (let number = fromBlock; number <= toBlock; number += 1) {
      const block = await this.#provider.getBlock(number, true);
      const relevant = (block?.prefetchedTransactions ?? []).filter(({ to }) =>
        ours.has(to?.toLowerCase() ?? ""),
      );
      found.push(...(await Promise.all(relevant.map((transaction) => this.#mined(transaction)))));
    }
    return found;
  }

  async #mined(transaction: TransactionResponse): Promise<MinedTransaction> {
    const receipt = await this.#receiptOf(transaction.hash);
    const { hash, from, data } = transaction;
    return { hash, from, data, to: transaction.to ?? "", block: receipt.blockNumber, receipt };
  }

  /**
   * Sends it under the account's next nonce, until it is the one that a block has under its nonce. Others send
   * from the account too; where anvil chose the nonces, two at the same moment would get the same one, and one
   * behind a transaction that is being mined just then could wait for ever.
   */
  async #mine(signer: JsonRpcSigner, transaction: TransactionRequest): Promise<TransactionReceipt> {
    for (;;) {
      const afterBlock = await this.blockNumber();
      const nonce = await signer.getNonce("latest");
      try {
        const hash = await signer.sendUncheckedTransaction({ ...transaction, nonce });
        const receipt = await this.#receiptUnder(hash, { signer, nonce, afterBlock });
        if (receipt !== null) return receipt;
      } catch (error) {
        if (!NONCE_TAKEN.test(String(error))) throw error;
      }
      await this.#clock.sleep(RECEIPT_POLL_MS);
    }
  }

  /** `null` when another transaction has its nonce. */
  async #receiptUnder(hash: string, under: NonceUse): Promise<TransactionReceipt | null> {
    for (;;) {
      const receipt = await this.#provider.getTransactionReceipt(hash);
      if (receipt !== null) return receipt;
      const taker = await this.#takerOf(under);
      if (taker !== undefined && taker !== hash) return null;
      await this.#clock.sleep(RECEIPT_POLL_MS);
    }
  }

  /**
   * What a block has under a nonce. Only that is a reason to send again: anvil may count the nonce a moment before
   * it has the receipt, and to take that for another's would start a workflow twice.
   */
  async #takerOf({ signer, nonce, afterBlock }: NonceUse): Promise<string | undefined> {
    if ((await signer.getNonce("latest")) <= nonce) return undefined;
    const head = await this.blockNumber();
    for (let number = afterBlock + 1; number <= head; number += 1) {
      const block = await this.#provider.getBlock(number, true);
      const taker = block?.prefetchedTransactions.find(
        (each) => each.from === signer.address && each.nonce === nonce,
      );
      if (taker !== undefined) return taker.hash;
    }
    return undefined;
  }

  async #receiptOf(hash: string): Promise<TransactionReceipt> {
    for (;;) {
      const receipt = await this.#provider.getTransactionReceipt(hash);
      if (receipt !== null) return receipt;
      await this.#clock.sleep(RECEIPT_POLL_MS);
    }
  }
}

/** What a call to one of the contracts asks for; `undefined` when it is none of theirs. */
export function callName(data: string): string | undefined {
  return (taskQueueInterface.parseTransaction({ data }) ?? workflowEngineInterface.parseTransaction({ data }))
    ?.name;
}

/** A provider that neither caches nor asks for the chain id again. Dispose of it with `destroy()`. */
export function openProvider(rpcUrl: string, chainId: number): JsonRpcProvider {
  return new JsonRpcProvider(rpcUrl, undefined, {
    cacheTimeout: -1,
    pollingInterval: RECEIPT_POLL_MS,
    staticNetwork: Network.from(chainId),
  });
}
