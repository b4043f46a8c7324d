import { type Clock, systemClock } from "@subnet-worker/kit";
import { FakeClock, ScriptedHttp, ScriptedSocket, type SocketPeer } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { HeadWatcher, type HeadWatcherOptions } from "../src/adapters/rpc/heads.ts";
import { JsonRpc } from "../src/adapters/rpc/json-rpc.ts";
import type { Head } from "../src/ports.ts";
import { DevChain } from "./_anvil-lane.ts";
import { captureLogs, type Logs } from "./_logs.ts";
import { settle, until } from "./_until.ts";

function block(number: number, hash = `0xh${number}`) {
  return { number: `0x${number.toString(16)}`, hash, timestamp: "0x1", baseFeePerGas: "0x7" };
}

function push(result: unknown): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    method: "eth_subscription",
    params: { subscription: "0x1", result },
  });
}

class Bench implements AsyncDisposable {
  readonly http: ScriptedHttp;
  readonly heads: HeadWatcher;
  readonly logs: Logs;
  /** Numbers of the heads announced, in order. */
  readonly announced: number[] = [];
  /** The block that a poll finds. */
  polled: unknown = block(1);
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(http: ScriptedHttp, options: Partial<HeadWatcherOptions>, clock: Clock) {
    this.http = http;
    this.logs = captureLogs();
    const { logger } = this.logs;
    const rpc = new JsonRpc(
      { url: http.url, timeoutMs: 5_000, batchSize: 1 },
      { clock, logger, signal: this.#stop.signal },
    );
    this.heads = new HeadWatcher(
      { wsUrl: "", pollIntervalMs: 1_000, staleAfterMs: 5_000, ...options },
      { rpc, clock, logger },
    );
    http.answer = ({ body }) => ({
      kind: "json",
      value: { jsonrpc: "2.0", id: (body as { readonly id: number }).id, result: this.polled },
    });
    this.heads.onHead(({ number }: Head) => this.announced.push(number));
    this.#running = this.heads.run(this.#stop.signal);
  }

  static async start(options: Partial<HeadWatcherOptions>, clock: Clock): Promise<Bench> {
    return new Bench(await ScriptedHttp.listen(() => ({ kind: "silence" })), options, clock);
  }

  get polls(): number {
    return this.http.requests.length;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.http[Symbol.asyncDispose]();
  }
}

/** A watcher on a fake clock with a websocket that has sent the head 1. */
async function startPushed(): Promise<{
  readonly bench: Bench;
  readonly clock: FakeClock;
  readonly socket: ScriptedSocket;
  readonly peer: SocketPeer;
}> {
  const clock = new FakeClock();
  const socket = await ScriptedSocket.listen();
  const bench = await Bench.start({ wsUrl: socket.url }, clock);
  const peer = await socket.next();
  await until(() => bench.announced.length === 1);
  await until(() => peer.heard.length === 1);
  peer.send(push(block(2)));
  await until(() => bench.announced.length === 2);
  return { bench, clock, socket, peer };
}

describe("polled heads", () => {
  it("are announced when they change, and not when they do not", async () => {
    const clock = new FakeClock();
    await using bench = await Bench.start({}, clock);
    await until(() => bench.announced.length === 1);
    await clock.whenPending();
    await clock.advance(1_000);
    await until(() => bench.polls === 2);
    bench.polled = block(3);
    await clock.whenPending();
    await clock.advance(1_000);
    await until(() => bench.announced.length === 2);
    expect(bench.announced).toEqual([1, 3]);
    expect(bench.heads.latest()).toMatchObject({ number: 3, hash: "0xh3", baseFeePerGasWei: 7n });
  });

  it("that are older are no news, and another block of the same number is", async () => {
    const clock = new FakeClock();
    await using bench = await Bench.start({}, clock);
    await until(() => bench.announced.length === 1);
    for (const [polls, found] of [block(5), block(4), block(5, "0xother"), block(2)].entries()) {
      bench.polled = found;
      await clock.whenPending();
      await clock.advance(1_000);
      await until(() => bench.polls === polls + 2);
      await settle();
    }
    await until(() => bench.announced.length === 3);
    expect(bench.announced).toEqual([1, 5, 5]);
    expect(bench.heads.latest()?.hash).toBe("0xother");
  });

  it("go on after an answer that is no block, with a word in the log", async () => {
    const clock = new FakeClock();
    await using bench = await Bench.start({}, clock);
    await until(() => bench.announced.length === 1);
    bench.polled = null;
    await clock.whenPending();
    await clock.advance(1_000);
    await until(() => bench.logs.at("warn").length === 1);
    expect(bench.logs.at("warn")).toEqual(["the newest block could not be read; trying again"]);
    bench.polled = block(2);
    await clock.whenPending();
    await clock.advance(1_000);
    await until(() => bench.announced.length === 2);
  });

  it("reach a listener until it is taken away", async () => {
    const clock = new FakeClock();
    await using bench = await Bench.start({}, clock);
    const heard: number[] = [];
    const listener = bench.heads.onHead(({ number }) => heard.push(number));
    await until(() => bench.announced.length === 1);
    listener[Symbol.dispose]();
    bench.polled = block(2);
    await clock.whenPending();
    await clock.advance(1_000);
    await until(() => bench.announced.length === 2);
    expect(heard).toEqual([1]);
  });
});

describe("pushed heads", () => {
  it("are asked for, and spare the polls while they come", async () => {
    const { bench, clock, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    expect(JSON.parse(peer.heard[0] ?? "")).toMatchObject({ method: "eth_subscribe", params: ["newHeads"] });
    const { polls } = bench;
    for (let number = 3; number < 12; number += 1) {
      await clock.whenPending();
      await clock.advance(1_000);
      peer.send(push(block(number)));
      await until(() => bench.announced.includes(number));
    }
    expect(bench.polls).toBe(polls);
    expect(bench.announced).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it("that stay away are polled for, though the socket is open", async () => {
    const { bench, clock, socket } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    const { polls } = bench;
    await clock.advance(4_999);
    expect(bench.polls).toBe(polls);
    bench.polled = block(9);
    await clock.advance(1_001);
    await until(() => bench.announced.at(-1) === 9);
  });

  it("come again over a new socket after the old one was cut, and polls fill in meanwhile", async () => {
    const { bench, clock, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    peer.cut();
    await until(() => bench.logs.at("debug").includes("head subscription lost; polling meanwhile"));
    bench.polled = block(6);
    await clock.advance(1_000);
    await until(() => bench.announced.at(-1) === 6);
    const again = await socket.next();
    await until(() => again.heard.length === 1);
    again.send(push(block(7)));
    await until(() => bench.announced.at(-1) === 7);
  });

  it("are tried for again and again while nothing listens there", async () => {
    const clock = new FakeClock();
    const socket = await ScriptedSocket.listen();
    const { url } = socket;
    await socket[Symbol.asyncDispose]();
    await using bench = await Bench.start({ wsUrl: `${url}/SECRETKEY` }, clock);
    const lost = () => bench.logs.at("debug").length;
    while (lost() < 4) {
      await clock.advance(1_000);
      await settle(5);
    }
    expect(bench.heads.latest()?.number).toBe(1);
    expect(bench.logs.text()).not.toContain("SECRETKEY");
  });

  it("among garbage are found, and the garbage does no harm", async () => {
    const { bench, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    const garbage = [
      "not json",
      "",
      "null",
      "[]",
      "7",
      '"text"',
      "{}",
      '{"method":"eth_subscription"}',
      '{"method":"eth_subscription","params":null}',
      '{"method":"eth_subscription","params":[]}',
      push(undefined),
      push(null),
      push({}),
      push({ ...block(50), hash: null }),
      push({ ...block(51), number: "fifty" }),
      push({ ...block(52), timestamp: [] }),
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"newHeads is not supported"}}',
    ];
    for (const text of garbage) peer.send(text);
    peer.send(push(block(1)));
    peer.send(push(block(3)));
    await until(() => bench.announced.at(-1) === 3);
    expect(bench.announced).toEqual([1, 2, 3]);
  });

  it("survive a frame that is none", async () => {
    const { bench, clock, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    peer.sendRaw(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await until(() => bench.logs.at("debug").length > 0);
    await clock.advance(1_000);
    const again = await socket.next();
    await until(() => again.heard.length === 1);
  });

  it("end at once with the process, also on a socket that never answers a close", async () => {
    const { bench, socket, peer } = await startPushed();
    await using _socket = socket;
    peer.answersClose = false;
    await bench.stop();
    await bench.http[Symbol.asyncDispose]();
  });

  it("come from anvil", async () => {
    await using dev = await DevChain.start();
    const stop = new AbortController();
    const { logger } = captureLogs();
    const rpc = new JsonRpc(
      { url: dev.anvil.url, timeoutMs: 5_000, batchSize: 1 },
      { clock: systemClock, logger, signal: stop.signal },
    );
    const heads = new HeadWatcher(
      { wsUrl: dev.anvil.wsUrl, pollIntervalMs: 600_000, staleAfterMs: 600_000 },
      { rpc, clock: systemClock, logger },
    );
    const heard: Head[] = [];
    using _listener = heads.onHead((head) => heard.push(head));
    const running = heads.run(stop.signal);
    await until(() => heard.length === 1, Number.POSITIVE_INFINITY);
    // Mined until one arrives by push: the subscription takes its time to stand.
    while (heard.length < 3) await dev.rpc("evm_mine");
    expect(heard[2]?.number).toBeGreaterThan(heard[1]?.number ?? 0);
    expect(heard[2]?.baseFeePerGasWei).toBeGreaterThan(0n);
    stop.abort();
    await running;
  });
});
