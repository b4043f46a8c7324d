import { encodeParams } from "@subnet-worker/activity-spec";
import { activityTypeAddress, taskQueueInterface } from "@subnet-worker/contracts";
import {
  type Interface,
  JsonRpcProvider,
  parseEther,
  toQuantity,
  Transaction,
  Wallet,
  ZeroHash,
} from "ethers";

const TASK_QUEUE_EVENTS = [
  "ActivityEnqueued",
  "ActivityClaimed",
  "ActivityCompleted",
  "ActivityFailed",
] as const;
/** With 64 in flight a block of 30 million gas holds them all; what did not fit would stay in anvil's pool. */
const ENQUEUE_GAS = 400_000n;
const STALL_MS = 500;
type EventName = (typeof TASK_QUEUE_EVENTS)[number];

export interface SeenEvent {
  readonly name: EventName;
  readonly activityId: string;
  readonly blockNumber: number;
  /** When it was pushed to us. */
  readonly atMs: number;
}

/** A requester of activities who signs its own transactions and sends them without waiting. */
export class QueueClient implements Disposable {
  readonly provider: JsonRpcProvider;
  readonly #wallet: Wallet;
  readonly #taskQueue: string;
  readonly #chainId: number;
  #nonce = 0;

  constructor(chain: { readonly rpcUrl: string; readonly chainId: number; readonly taskQueue: string }) {
    this.provider = new JsonRpcProvider(chain.rpcUrl, chain.chainId, {
      cacheTimeout: -1,
      staticNetwork: true,
      batchStallTime: 0,
    });
    this.#wallet = new Wallet(Wallet.createRandom().privateKey);
    this.#taskQueue = chain.taskQueue;
    this.#chainId = chain.chainId;
  }

  async fund(): Promise<void> {
    await this.provider.send("anvil_setBalance", [this.#wallet.address, toQuantity(parseEther("1000"))]);
  }

  /** Signs an enqueue of one no-op activity. */
  signEnqueue(number: number): string {
    const data = taskQueueInterface.encodeFunctionData("enqueueActivity", [
      {
        queueName: "bench/1.0.0/noop",
        partitionId: 0,
        workflowInstanceId: ZeroHash,
        activityType: activityTypeAddress("bench/1.0.0", "noop"),
        inputData: encodeParams([{ name: "number", type: "uint32" }], { number }),
        initData: "0x",
        exclusiveGroup: ZeroHash,
      },
    ]);
    return this.#sign(this.#taskQueue, data, ENQUEUE_GAS);
  }

  /** Signs a transfer of nothing to ourselves: the cheapest transaction there is. */
  signTransfer(): string {
    return this.#sign(this.#wallet.address, "0x", 21_000n);
  }

  async send(raw: string): Promise<void> {
    await this.provider.send("eth_sendRawTransaction", [raw]);
  }

  /** Sends in order of nonce with `inFlight` requests at once; resolves when all are mined. */
  async sendAll(signed: readonly string[], inFlight: number): Promise<void> {
    const pending = signed.values();
    const send = async () => {
      for (const raw of pending) await this.send(raw);
    };
    await Promise.all(Array.from({ length: inFlight }, send));
    await this.#untilMined();
  }

  async #untilMined(): Promise<void> {
    let mined = -1;
    let changedMs = performance.now();
    while (mined < this.#nonce) {
      const now = await this.provider.getTransactionCount(this.#wallet.address);
      if (now !== mined) changedMs = performance.now();
      mined = now;
      if (performance.now() - changedMs < STALL_MS) continue;
      // Anvil mines when a transaction arrives, and at times leaves the last ones where they are.
      await this.provider.send("evm_mine", []);
      changedMs = performance.now();
    }
  }

  #sign(to: string, data: string, gasLimit: bigint): string {
    const tx = Transaction.from({
      type: 2,
      chainId: this.#chainId,
      nonce: this.#nonce,
      to,
      data,
      gasLimit,
      maxFeePerGas: 20_000_000_000n,
      maxPriorityFeePerGas: 1_000_000_000n,
    });
    this.#nonce += 1;
    tx.signature = this.#wallet.signingKey.sign(tx.unsignedHash);
    return tx.serialized;
  }

  [Symbol.dispose](): void {
    this.provider.destroy();
  }
}

/** Pushes the TaskQueue's events, in the order of the chain, as the node announces them. */
export async function watchEvents(
  chain: { readonly wsUrl: string; readonly taskQueue: string },
  onEvent: (event: SeenEvent) => void,
): Promise<Disposable> {
  const socket = new WebSocket(chain.wsUrl);
  const subscribed = Promise.withResolvers<void>();
  socket.addEventListener("error", () => subscribed.reject(new Error(`no websocket at ${chain.wsUrl}`)));
  socket.addEventListener("open", () => {
    const params = ["logs", { address: chain.taskQueue }];
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params }));
  });
  socket.addEventListener("message", (message) => {
    const atMs = performance.now();
    const { params } = JSON.parse(String(message.data)) as { readonly params?: { readonly result: RawLog } };
    if (params === undefined) {
      subscribed.resolve();
      return;
    }
    const event = toEvent(taskQueueInterface, params.result, atMs);
    if (event !== undefined) onEvent(event);
  });
  await subscribed.promise;
  return { [Symbol.dispose]: () => socket.close() };
}

interface RawLog {
  readonly topics: readonly string[];
  readonly blockNumber: string;
}

function toEvent(abi: Interface, log: RawLog, atMs: number): SeenEvent | undefined {
  const name = TASK_QUEUE_EVENTS.find((known) => abi.getEvent(known)?.topicHash === log.topics[0]);
  const activityId = log.topics[1];
  if (name === undefined || activityId === undefined) return undefined;
  return { name, activityId, blockNumber: Number(log.blockNumber), atMs };
}
