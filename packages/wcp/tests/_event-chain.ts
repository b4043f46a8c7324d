import { createHash } from "node:crypto";
import { getBytes, hexlify, keccak256 } from "ethers";
import type { FeeMarket } from "../src/domain/fees.ts";
import {
  type Block,
  type CallRequest,
  type Chain,
  type EventLog,
  type Head,
  type Heads,
  LogRangeTooWide,
  type LogQuery,
  type MinedReceipt,
  type SendOutcome,
} from "../src/chain-ports.ts";

export const CONTRACT = `0x${"c0".repeat(20)}`;

/** 32 bytes that stand for a word. */
export function topic(word: string): string {
  return keccak256(new TextEncoder().encode(word));
}

/** A log in the making: its topics; the rest follows from where it is mined. */
export type LogSpec = readonly string[];

interface FakeBlock {
  readonly block: Block;
  readonly logs: readonly EventLog[];
}

/** A chain of blocks that carry logs, forked and told wrongly as the test says. */
export class EventChain implements Chain, Heads {
  /** `logs 3-7`, `block 4`: what was asked, in order. */
  readonly calls: string[] = [];
  /** Widest range that is answered. */
  maxBlocks: number = Number.POSITIVE_INFINITY;
  /** Whether a refusal names `maxBlocks`. */
  isHinting = true;
  /** Heads carry their blooms, as pushed ones do. */
  hasBloomInHead = true;
  /** What a block's bloom is, in place of the right one. */
  bloomOf: (logs: readonly EventLog[]) => string | undefined = bloomOf;
  /** Logs that the next answers leave out. */
  hides: (log: EventLog, asked: number) => boolean = () => false;
  onCall: (request: CallRequest) => string = () => "0x";
  readonly #listeners = new Set<(head: Head) => void>();
  #blocks: FakeBlock[] = [];
  #head: Head | undefined;
  #forks = 0;

  constructor(length = 1) {
    for (let number = 0; number < length; number += 1) this.#append([]);
    this.announce();
  }

  get height(): number {
    return this.#blocks.length - 1;
  }

  /** One block with these logs, announced. */
  mine(...logs: readonly LogSpec[]): Block {
    const block = this.#append(logs);
    this.announce();
    return block;
  }

  /** Adds blocks that nobody is told of before the next one is. */
  mineSilently(...blocks: readonly (readonly LogSpec[])[]): void {
    for (const logs of blocks) this.#append(logs);
  }

  /** Replaces the newest `depth` blocks. */
  reorg(depth: number, blocks: readonly (readonly LogSpec[])[]): void {
    this.#blocks = this.#blocks.slice(0, -depth);
    this.#forks += 1;
    this.mineSilently(...blocks);
    this.announce();
  }

  /** Tells listeners of the newest block, or of another. */
  announce(number: number = this.height): void {
    const block = this.#blocks[number]?.block;
    if (block === undefined) throw new Error(`there is no block ${number}`);
    this.#head = this.hasBloomInHead ? block : { ...block, logsBloom: undefined };
    for (const listener of this.#listeners) listener(this.#head);
  }

  #append(specs: readonly LogSpec[]): Block {
    const number = this.#blocks.length;
    const parentHash = this.#blocks.at(-1)?.block.hash ?? `0x${"00".repeat(32)}`;
    const seed = JSON.stringify([parentHash, number, this.#forks, specs]);
    const hash = `0x${createHash("sha256").update(seed).digest("hex")}`;
    const logs = specs.map((topics, logIndex) => ({
      address: CONTRACT,
      topics,
      data: "0x",
      blockNumber: number,
      blockHash: hash,
      logIndex,
    }));
    const block: Block = {
      number,
      hash,
      parentHash,
      timestampS: 1_700_000_000 + number,
      baseFeePerGasWei: 1n,
      gasLimit: 30_000_000n,
      logsBloom: this.bloomOf(logs),
    };
    this.#blocks.push({ block, logs });
    return block;
  }

  latest(): Head | undefined {
    return this.#head;
  }

  onHead(listener: (head: Head) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  async block(which: number | "latest"): Promise<Block | undefined> {
    this.calls.push(`block ${which}`);
    return this.#blocks[which === "latest" ? this.height : which]?.block;
  }

  async logs({ address, topics, fromBlock, toBlock }: LogQuery): Promise<readonly EventLog[]> {
    this.calls.push(`logs ${fromBlock}-${toBlock}`);
    const asked = this.calls.filter((call) => call.startsWith("logs")).length;
    if (toBlock - fromBlock + 1 > this.maxBlocks) {
      throw new LogRangeTooWide("too many blocks", this.isHinting ? this.maxBlocks : undefined);
    }
    return this.#blocks
      .slice(fromBlock, toBlock + 1)
      .flatMap(({ logs }) => logs)
      .filter((log) => log.address === address && matches(log, topics) && !this.hides(log, asked));
  }

  async call(request: CallRequest): Promise<string> {
    this.calls.push("call");
    return this.onCall(request);
  }

  chainId(): Promise<bigint> {
    return unused();
  }
  feeMarket(): Promise<FeeMarket> {
    return unused();
  }
  code(): Promise<string> {
    return unused();
  }
  estimateGas(): Promise<bigint> {
    return unused();
  }
  minedCount(): Promise<number> {
    return unused();
  }
  pendingCount(): Promise<number> {
    return unused();
  }
  send(): Promise<SendOutcome> {
    return unused();
  }
  receipt(): Promise<MinedReceipt | undefined> {
    return unused();
  }
  balanceWei(): Promise<bigint> {
    return unused();
  }
}

function unused(): never {
  throw new Error("nothing that reads events asks for this");
}

function matches({ topics }: EventLog, wanted: LogQuery["topics"]): boolean {
  return wanted.every((choice, index) => {
    const [has] = [topics[index]];
    if (choice === null) return has !== undefined;
    return has !== undefined && (Array.isArray(choice) ? choice.includes(has) : choice === has);
  });
}

/** As the yellow paper has it: three bits per address and topic. */
export function bloomOf(logs: readonly EventLog[]): string {
  const bytes = new Uint8Array(256);
  for (const trait of logs.flatMap(({ address, topics }) => [address, ...topics])) {
    const view = new DataView(getBytes(keccak256(trait)).buffer);
    for (const at of [0, 2, 4]) {
      const bit = view.getUint16(at) % 2_048;
      const index = 255 - Math.floor(bit / 8);
      bytes[index] = (bytes[index] ?? 0) | (1 << (bit % 8));
    }
  }
  return hexlify(bytes);
}
