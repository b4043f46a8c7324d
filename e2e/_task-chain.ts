import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeParams, encodeParams, parseSpec } from "@subnet-worker/activity-spec";
import {
  activityTypeAddress,
  subnetControlPlaneInterface,
  taskQueueInterface,
  taskQueueReads,
} from "@subnet-worker/contracts";
import { type AnvilOptions, startAnvil } from "@subnet-worker/contracts/anvil";
import { deployContracts } from "@subnet-worker/contracts/deploy";
import { Transaction, Wallet, ZeroHash } from "ethers";
import { AnvilRemote } from "./_anvil.ts";
import { until } from "./_until.ts";
import { type ChainFacts, fundedWallet, type TestWallet } from "./_wcp.ts";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

export const TALLY_HANDLERS: string = fixture("tally-handlers.ts");
export const TALLY_SPEC_PATH: string = fixture("tally.yaml");
export const TALLY_QUEUE = "tally/1.0.0/processing";
const [TALLY] = parseSpec(readFileSync(TALLY_SPEC_PATH, "utf8"), { fileName: TALLY_SPEC_PATH }).activities;
/** The most a worker can be registered for. */
const CAPACITY = 1_024;
const ENQUEUE_GAS = 500_000n;
const GWEI = 1_000_000_000n;

/** A chain with the contracts, where activities are enqueued without a workflow. */
export interface TaskChain extends AsyncDisposable {
  readonly facts: ChainFacts;
  readonly anvil: AnvilRemote;
  readonly pid: number;
  /** A wallet with funds that is registered for as many activities as the contract allows. */
  worker(): Promise<TestWallet>;
  requester(): Promise<Requester>;
  head(): Promise<number>;
}

export async function startTaskChain(
  options: AnvilOptions & { readonly leaseDurationS?: number } = {},
): Promise<TaskChain> {
  await using stack = new AsyncDisposableStack();
  const { leaseDurationS = 600, ...anvilOptions } = options;
  const process = stack.use(await startAnvil(anvilOptions));
  const contracts = await deployContracts({ leaseDurationS }, { rpcUrl: process.url });
  const { taskQueue, workflowEngine, subnetControlPlane, multicall3, batchExecutor } = contracts;
  const facts: ChainFacts = {
    rpcUrl: process.url,
    wsUrl: process.wsUrl,
    chainId: 31_337,
    taskQueue,
    workflowEngine,
    subnetControlPlane,
    multicall3,
    batchExecutor,
  };
  const anvil = new AnvilRemote(process.url);
  const owned = stack.move();
  return {
    facts,
    anvil,
    pid: process.pid,
    async worker() {
      const wallet = await fundedWallet(facts, { registered: false });
      const data = subnetControlPlaneInterface.encodeFunctionData("registerWorker", [CAPACITY]);
      await anvil.rpc("anvil_impersonateAccount", [wallet.address]);
      await anvil.send({ from: wallet.address, to: subnetControlPlane, data });
      await anvil.rpc("anvil_stopImpersonatingAccount", [wallet.address]);
      return wallet;
    },
    async requester() {
      const wallet = Wallet.createRandom();
      await anvil.rpc("anvil_setBalance", [wallet.address, "0x3635c9adc5dea00000"]);
      return new Requester(wallet, facts, anvil);
    },
    head: async () => Number(await anvil.rpc("eth_blockNumber")),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** One activity of {@link TALLY_SPEC_PATH}. */
export interface TallyWish {
  /** Tells it from all others. */
  readonly number: number;
  readonly durationMs: number;
}

/**
 * Enqueues activities with transactions that it signed itself and keeps, so that
 * what the chain lost can be sent again: the same bytes in the same order give
 * every activity the id it had before.
 */
export class Requester {
  readonly #wallet: { readonly address: string; readonly privateKey: string };
  readonly #signer: Wallet;
  readonly #facts: ChainFacts;
  readonly #anvil: AnvilRemote;
  readonly #sent: string[] = [];

  constructor(
    wallet: { readonly address: string; readonly privateKey: string },
    facts: ChainFacts,
    anvil: AnvilRemote,
  ) {
    this.#wallet = wallet;
    this.#signer = new Wallet(wallet.privateKey);
    this.#facts = facts;
    this.#anvil = anvil;
  }

  /** Sends without waiting for a block. */
  async enqueue(wishes: readonly TallyWish[]): Promise<void> {
    for (const wish of wishes) {
      const raw = this.#sign(wish);
      this.#sent.push(raw);
      await this.#anvil.rpc("eth_sendRawTransaction", [raw]);
    }
  }

  /** Sends again what no block has. */
  async repair(): Promise<void> {
    for (const raw of this.#sent.slice(await this.#mined())) {
      // It may be in the pool, or have been mined since it was looked for.
      await this.#anvil.rpc("eth_sendRawTransaction", [raw]).catch(ignoreKnown);
    }
  }

  async untilMined(): Promise<void> {
    await until("everything enqueued to be mined", async () => (await this.#mined()) === this.#sent.length);
  }

  async #mined(): Promise<number> {
    return Number(await this.#anvil.rpc("eth_getTransactionCount", [this.#wallet.address, "latest"]));
  }

  #sign({ number, durationMs }: TallyWish): string {
    const data = taskQueueInterface.encodeFunctionData("enqueueActivity", [
      {
        queueName: TALLY_QUEUE,
        partitionId: 0,
        workflowInstanceId: ZeroHash,
        activityType: activityTypeAddress("tally/1.0.0", "tally"),
        inputData: encodeParams(TALLY?.inputs ?? [], { number, duration_ms: durationMs }),
        initData: "0x",
        exclusiveGroup: ZeroHash,
      },
    ]);
    const transaction = Transaction.from({
      type: 2,
      chainId: this.#facts.chainId,
      nonce: this.#sent.length,
      to: this.#facts.taskQueue,
      data,
      gasLimit: ENQUEUE_GAS,
      maxFeePerGas: 100n * GWEI,
      maxPriorityFeePerGas: GWEI,
    });
    transaction.signature = this.#signer.signingKey.sign(transaction.unsignedHash);
    return transaction.serialized;
  }
}

function ignoreKnown(error: unknown): void {
  if (!/already (known|imported)|nonce too low/i.test(String(error))) throw error;
}

/** What the chain has of one activity. */
export interface TallyRecord {
  readonly activityId: string;
  /** The one it was enqueued with. */
  readonly number: number;
  /** The one its result has; `undefined` without a result. */
  readonly answered: number | undefined;
}

/** Reads an activity's input and result. */
export async function readTally(chain: TaskChain, activityId: string): Promise<TallyRecord> {
  const read = taskQueueReads(chain.facts.taskQueue).getActivity(activityId);
  const answer = await chain.anvil.rpc("eth_call", [{ to: read.to, data: read.data }, "latest"]);
  const { inputData, resultData, success } = read.decode(String(answer));
  const { number } = decodeParams(TALLY?.inputs ?? [], inputData);
  const result = success ? decodeParams(TALLY?.outputs ?? [], resultData) : {};
  return {
    activityId,
    number: Number(number),
    answered: "number" in result ? Number(result["number"]) : undefined,
  };
}
