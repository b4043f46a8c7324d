import { FakeClock, ScriptedSocket, type SocketPeer } from "@subnet-worker/testkit";
import { expect } from "vitest";
import { HeadWatcher, type HeadWatcherOptions } from "../src/adapters/rpc/heads.ts";
import type { RpcPool } from "../src/adapters/rpc/pool.ts";
import type { Head } from "../src/chain-ports.ts";
import type { Logs } from "./_logs.ts";
import { aBlock, CHAIN_ID, type PoolBench, type ScriptedNode, startPool } from "./_rpc-bench.ts";
import { settle, until } from "./_until.ts";

export const POLL_MS = 1_000;
export const STALE_MS = 15_000;
export const PING_MS = 10_000;

/** A head as a subscription pushes it. */
export function push(result: unknown): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    method: "eth_subscription",
    params: { subscription: "0x1", result },
  });
}

/** Answers what a client asks of a websocket endpoint when it opens one. */
export async function welcome(peer: SocketPeer, chainId = CHAIN_ID): Promise<void> {
  await until(() => peer.heard.length === 1);
  expect(JSON.parse(peer.heard[0] ?? "")).toMatchObject({ id: 1, method: "eth_chainId" });
  peer.send(JSON.stringify({ jsonrpc: "2.0", id: 1, result: `0x${chainId.toString(16)}` }));
  if (chainId !== CHAIN_ID) return;
  await until(() => peer.heard.length === 2);
  expect(JSON.parse(peer.heard[1] ?? "")).toMatchObject({ method: "eth_subscribe", params: ["newHeads"] });
  peer.send(JSON.stringify({ jsonrpc: "2.0", id: 2, result: "0xsub" }));
}

/** A head watcher on a fake clock, over scripted nodes. */
export class HeadsBench implements AsyncDisposable {
  readonly heads: HeadWatcher;
  readonly logs: Logs;
  /** Hashes of the heads announced, in order. */
  readonly announced: string[] = [];
  readonly clock: FakeClock;
  readonly #pool: PoolBench;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(pool: PoolBench, options: Partial<HeadWatcherOptions>, clock: FakeClock) {
    this.#pool = pool;
    this.logs = pool.logs;
    this.clock = clock;
    this.heads = new HeadWatcher(
      { wsUrls: [], chainId: CHAIN_ID, pollIntervalMs: POLL_MS, ...options },
      { rpc: pool.pool, clock, logger: pool.logs.logger },
    );
    this.heads.onHead(({ hash }: Head) => void this.announced.push(hash));
    this.#running = this.heads.run(this.#stop.signal);
  }

  /** With nodes at these blocks; the first is polled. */
  static async start(
    options: Partial<HeadWatcherOptions> = {},
    blocks: readonly number[] = [1],
    clock = new FakeClock(),
  ): Promise<HeadsBench> {
    return new HeadsBench(await startPool(blocks, { clock, batchSize: 1 }), options, clock);
  }

  get node(): ScriptedNode {
    return this.#pool.a;
  }

  get other(): ScriptedNode {
    return this.#pool.b;
  }

  get pool(): RpcPool {
    return this.#pool.pool;
  }

  get polls(): number {
    return this.node.count("eth_getBlockByNumber");
  }

  /** The node's newest block from now on. */
  polled(block: unknown): void {
    this.node.answers["eth_getBlockByNumber"] = () => block;
  }

  /** Lets the next poll happen, and what comes of it. */
  async poll(block?: unknown): Promise<void> {
    if (block !== undefined) this.polled(block);
    const { polls } = this;
    await settle(30);
    await this.clock.whenPending();
    await this.clock.advance(POLL_MS);
    await until(() => this.polls > polls);
    await settle(30);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** A watcher with a websocket that has pushed the block 2 after the poll found 1. */
export async function startPushed(options: Partial<HeadWatcherOptions> = {}): Promise<{
  readonly bench: HeadsBench;
  readonly clock: FakeClock;
  readonly socket: ScriptedSocket;
  readonly peer: SocketPeer;
}> {
  const socket = await ScriptedSocket.listen();
  const bench = await HeadsBench.start({ wsUrls: [socket.url], ...options });
  const peer = await socket.next();
  await until(() => bench.announced.length === 1);
  await welcome(peer);
  peer.send(push(aBlock(2)));
  await until(() => bench.announced.length === 2);
  return { bench, clock: bench.clock, socket, peer };
}
