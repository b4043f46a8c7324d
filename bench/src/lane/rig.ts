import { encodeParams } from "@subnet-worker/activity-spec";
import { taskQueueInterface } from "@subnet-worker/contracts";
import { startTaskChain, type TaskChain } from "@subnet-worker/e2e/lab/task-chain";
import type { TestWallet } from "@subnet-worker/e2e/lab/wcp";

export interface RigOptions {
  /** Enqueued before anything is measured. */
  readonly activities: number;
  /** Seconds between blocks; `undefined` to mine each transaction at once. */
  readonly blockTimeS?: number;
  /** Default: anvil's, 30 million. */
  readonly blockGasLimit?: number;
}

/** A chain of its own with work on it, and a worker who has done none of it. */
export interface Rig extends AsyncDisposable {
  readonly chain: TaskChain;
  readonly worker: TestWallet;
  readonly activityIds: readonly string[];
}

const PORTION = 100;

export async function startRig({ activities, blockTimeS, blockGasLimit }: RigOptions): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const args = blockGasLimit === undefined ? [] : ["--gas-limit", String(blockGasLimit)];
  const chain = stack.use(await startTaskChain({ args }));
  const [worker, requester] = [await chain.worker(), await chain.requester()];
  await chain.anvil.holdBlocks();
  for (let from = 0; from < activities; from += PORTION) {
    const count = Math.min(PORTION, activities - from);
    await requester.enqueue(
      Array.from({ length: count }, (_, index) => ({ number: from + index, durationMs: 0 })),
    );
    await chain.anvil.mine();
    await chain.anvil.mine(); // what did not fit
    await chain.anvil.mine();
  }
  await requester.untilMined();
  if (blockTimeS === undefined) await chain.anvil.releaseBlocks();
  else await chain.anvil.rpc("evm_setIntervalMining", [blockTimeS]);
  const enqueued = (await chain.anvil.events(chain.facts)).filter(({ name }) => name === "ActivityEnqueued");
  const activityIds = enqueued.map(({ args }) => String(args["activityId"]));
  const owned = stack.move();
  return { chain, worker, activityIds, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Call data of the two transactions that an activity needs. */
export interface Calls {
  readonly claim: string;
  readonly complete: string;
}

const RESULT = [{ name: "number", type: "uint32" }] as const;

export function callsOf(activityId: string, number: number): Calls {
  const result = encodeParams(RESULT, { number });
  return {
    claim: taskQueueInterface.encodeFunctionData("claimActivity", [activityId]),
    complete: taskQueueInterface.encodeFunctionData("completeActivity", [activityId, result]),
  };
}

interface RawReceipt {
  readonly from: string;
  readonly gasUsed: string;
  readonly blockNumber: string;
}

/** A block that has transactions of a wallet. */
export interface OwnBlock {
  readonly number: number;
  readonly transactions: number;
  /** Of the wallet's transactions. */
  readonly gasUsed: number;
  /** Of the block. */
  readonly gasLimit: number;
}

/** The blocks from `from` on in which the wallet sent something, oldest first. */
export async function ownBlocks(
  chain: TaskChain,
  wallet: string,
  from: number,
): Promise<readonly OwnBlock[]> {
  const head = await chain.head();
  const blocks: OwnBlock[] = [];
  for (let number = from; number <= head; number += 1) {
    const hex = `0x${number.toString(16)}`;
    const receipts = (await chain.anvil.rpc("eth_getBlockReceipts", [hex])) as readonly RawReceipt[];
    const { gasLimit } = (await chain.anvil.rpc("eth_getBlockByNumber", [hex, false])) as {
      readonly gasLimit: string;
    };
    const ours = receipts.filter(({ from: sender }) => sender.toLowerCase() === wallet.toLowerCase());
    if (ours.length === 0) continue;
    const gasUsed = ours.reduce((sum, receipt) => sum + Number(receipt.gasUsed), 0);
    blocks.push({ number, transactions: ours.length, gasUsed, gasLimit: Number(gasLimit) });
  }
  return blocks;
}
