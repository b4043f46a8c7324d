import { taskQueueInterface, workflowEngineInterface } from "@subnet-worker/contracts";
import type { LogDescription } from "ethers";
import { until } from "./_until.ts";

/** A transaction that waits for a block. */
export interface PendingCall {
  /** The contract's function, such as `claimActivity`. */
  readonly name: string;
  readonly hash: string;
  readonly from: string;
}

interface RawTransaction {
  readonly hash: string;
  readonly from: string;
  readonly input: string;
}

/** A log as the node's JSON has it. */
export interface RawLog {
  readonly topics: string[];
  readonly data: string;
  readonly address: string;
}

/** One contract event. */
export interface ChainEvent {
  readonly name: string;
  readonly args: LogDescription["args"];
}

/** An anvil by its URL: what a test reads there, and when it mines. */
export class AnvilRemote {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async rpc(method: string, params: readonly unknown[] = []): Promise<unknown> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as { result?: unknown; error?: unknown };
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /** From now on a block is mined only by {@link mine}. */
  async holdBlocks(): Promise<void> {
    await this.rpc("evm_setAutomine", [false]);
  }

  /** Mines what waits, and every later transaction at once again. */
  async releaseBlocks(): Promise<void> {
    await this.rpc("evm_setAutomine", [true]);
    await this.mine();
  }

  /** One block with everything that waits. */
  async mine(): Promise<void> {
    await this.rpc("evm_mine");
  }

  async pending(): Promise<readonly PendingCall[]> {
    const content = (await this.rpc("txpool_content")) as Record<
      "pending" | "queued",
      Record<string, Record<string, RawTransaction>>
    >;
    return [content.pending, content.queued]
      .flatMap((senders) => Object.values(senders))
      .flatMap((byNonce) => Object.values(byNonce))
      .map(({ hash, from, input }) => ({ hash, from, name: callName(input) }));
  }

  /** Waits until a transaction that calls `name` waits for a block. */
  async untilPending(name: string): Promise<PendingCall> {
    return until(`a pending ${name}`, async () => (await this.pending()).find((call) => call.name === name));
  }

  /** The node forgets a transaction, as nodes do when they restart or run full. */
  async drop(hash: string): Promise<void> {
    await this.rpc("anvil_dropTransaction", [hash]);
  }

  /** Sends from an account that the node signs for; returns the events once it is mined. */
  async send(transaction: {
    readonly from: string;
    readonly to: string;
    readonly data: string;
  }): Promise<readonly ChainEvent[]> {
    return parseLogs(await this.mined(await this.rpc("eth_sendTransaction", [transaction])));
  }

  /** The logs of a transaction, once a block has it: anvil accepts one first and mines it in its own time. */
  async mined(hash: unknown): Promise<readonly RawLog[]> {
    const { status, logs } = await until("a receipt", async () => {
      const receipt = await this.rpc("eth_getTransactionReceipt", [hash]);
      return receipt === null
        ? undefined
        : (receipt as { readonly status: string; readonly logs: readonly RawLog[] });
    });
    if (status !== "0x1") throw new Error(`transaction ${String(hash)} reverted`);
    return logs;
  }

  /** Every event of the two contracts, oldest first. */
  async events(contracts: {
    readonly taskQueue: string;
    readonly workflowEngine: string;
  }): Promise<readonly ChainEvent[]> {
    const filter = {
      address: [contracts.taskQueue, contracts.workflowEngine],
      fromBlock: "0x0",
      toBlock: "latest",
    };
    return parseLogs((await this.rpc("eth_getLogs", [filter])) as readonly RawLog[]);
  }
}

function parseLogs(logs: readonly RawLog[]): readonly ChainEvent[] {
  return logs.flatMap((log) => {
    const parsed = taskQueueInterface.parseLog(log) ?? workflowEngineInterface.parseLog(log);
    return parsed === null ? [] : [{ name: parsed.name, args: parsed.args }];
  });
}

function callName(data: string): string {
  const call =
    taskQueueInterface.parseTransaction({ data }) ?? workflowEngineInterface.parseTransaction({ data });
  return call?.name ?? "other";
}
