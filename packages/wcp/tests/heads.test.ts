import { systemClock } from "@subnet-worker/kit";
import { describe, expect, it } from "vitest";
import { HeadWatcher } from "../src/adapters/rpc/heads.ts";
import { RpcPool } from "../src/adapters/rpc/pool.ts";
import type { Head } from "../src/chain-ports.ts";
import { DevChain } from "./_anvil-lane.ts";
import { captureLogs } from "./_logs.ts";
import { aBlock } from "./_rpc-bench.ts";
import { HeadsBench, POLL_MS } from "./_rpc-heads-bench.ts";
import { until } from "./_until.ts";

describe("polled heads", () => {
  it("are announced when they change, and not when they do not", async () => {
    await using bench = await HeadsBench.start();
    await until(() => bench.announced.length === 1);
    await bench.poll();
    await bench.poll(aBlock(3));
    expect(bench.announced).toEqual(["0xh1", "0xh3"]);
    expect(bench.heads.latest()).toMatchObject({ number: 3, hash: "0xh3", baseFeePerGasWei: 7n });
    expect(bench.polls).toBe(3);
  });

  it("go on after an answer that is no block, with a word in the log", async () => {
    await using bench = await HeadsBench.start();
    await until(() => bench.announced.length === 1);
    await bench.poll(null);
    await bench.clock.advance(POLL_MS);
    await until(() => bench.logs.at("warn").length === 1);
    expect(bench.logs.text()).toContain("the endpoint gives no block but null");
    bench.polled(aBlock(2));
    await until(async () => {
      await bench.clock.advance(POLL_MS);
      return bench.announced.length === 2;
    });
  });

  it("go on after an error of the node's own, with a word in the log", async () => {
    await using bench = await HeadsBench.start();
    await until(() => bench.announced.length === 1);
    await bench.poll({ error: { code: -32000, message: "database closed" } });
    expect(bench.logs.at("warn")).toEqual(["the newest block could not be read; trying again"]);
    await bench.poll(aBlock(2));
    expect(bench.announced).toEqual(["0xh1", "0xh2"]);
  });

  it("reach a listener until it is taken away", async () => {
    await using bench = await HeadsBench.start();
    const heard: number[] = [];
    const listener = bench.heads.onHead(({ number }) => heard.push(number));
    await until(() => bench.announced.length === 1);
    listener[Symbol.dispose]();
    await bench.poll(aBlock(2));
    expect([heard, bench.announced.length]).toEqual([[1], 2]);
  });

  it("tell how long a block takes", async () => {
    await using bench = await HeadsBench.start();
    await until(() => bench.announced.length === 1);
    expect(bench.heads.blockTimeMs()).toBeUndefined();
    await bench.poll({ ...aBlock(5), timestamp: `0x${(1_001 + 48).toString(16)}` });
    expect(bench.heads.blockTimeMs()).toBe(12_000);
  });
});

describe("fault 30", () => {
  it("fault 30: a lower block of the same chain is somebody who lags, and is ignored", async () => {
    await using bench = await HeadsBench.start();
    await until(() => bench.announced.length === 1);
    await bench.poll(aBlock(2));
    await bench.poll(aBlock(3));
    await bench.poll(aBlock(2));
    await bench.poll(aBlock(1));
    expect(bench.announced).toEqual(["0xh1", "0xh2", "0xh3"]);
    expect(bench.heads.latest()?.number).toBe(3);
    expect(bench.heads.hashAt(2)).toBe("0xh2");
  });

  it("fault 30: another block of the same height proves a reorg", async () => {
    await using bench = await HeadsBench.start();
    await until(() => bench.announced.length === 1);
    await bench.poll(aBlock(2));
    await bench.poll(aBlock(2, "0xother", "0xh1"));
    expect(bench.announced).toEqual(["0xh1", "0xh2", "0xother"]);
    expect(bench.heads.hashAt(1)).toBe("0xh1");
    expect(bench.logs.at("info")).toEqual(["the chain was rewritten"]);
  });

  it("fault 30: a lower block with another hash than was there proves a reorg", async () => {
    await using bench = await HeadsBench.start({}, [7]);
    await until(() => bench.announced.length === 1);
    for (const number of [8, 9]) await bench.poll(aBlock(number));
    await bench.poll(aBlock(8, "0xother8", "0xh7"));
    expect(bench.announced).toEqual(["0xh7", "0xh8", "0xh9", "0xother8"]);
    expect(bench.heads.hashAt(9)).toBeUndefined();
    // Deeper than the parent that is contradicted nothing is known any more.
    await bench.poll(aBlock(9, "0xthird9", "0xthird8"));
    expect([bench.heads.hashAt(9), bench.heads.hashAt(8), bench.heads.hashAt(7)]).toEqual([
      "0xthird9",
      "0xthird8",
      undefined,
    ]);
  });

  it("fault 30: a lower block whose parent is another than was there proves a reorg", async () => {
    await using bench = await HeadsBench.start({}, [7]);
    await until(() => bench.announced.length === 1);
    await bench.poll(aBlock(12));
    await bench.poll(aBlock(8, "0xother8", "0xother7"));
    expect(bench.announced).toEqual(["0xh7", "0xh12", "0xother8"]);
  });

  it("fault 30: a lower block that proves nothing is compared below, and ignored when that is the same", async () => {
    await using bench = await HeadsBench.start({}, [7]);
    await until(() => bench.announced.length === 1);
    await bench.poll(aBlock(12));
    bench.node.answers["eth_getBlockByNumber"] = ([which]) =>
      which === "latest" ? aBlock(10) : aBlock(Number(which));
    await bench.poll();
    expect(bench.announced).toEqual(["0xh7", "0xh12"]);
    bench.node.answers["eth_getBlockByNumber"] = ([which]) =>
      which === "latest" ? aBlock(10) : aBlock(Number(which), "0xother7");
    await bench.poll();
    expect(bench.announced).toEqual(["0xh7", "0xh12", "0xh10"]);
  });

  it("fault 30: the head does not go back to an endpoint that is behind another", async () => {
    await using bench = await HeadsBench.start({}, [7, 9]);
    await until(() => bench.announced.length === 1);
    await bench.pool.examine();
    // The first says a block of another fork, lower than what the second holds on to.
    bench.other.answers["eth_getBlockByNumber"] = () => aBlock(9);
    await bench.poll(aBlock(7, "0xother7", "0xh6"));
    expect(bench.announced).toEqual(["0xh7", "0xh9"]);
  });

  it("fault 30: the last 256 hashes are kept, and no more", async () => {
    await using bench = await HeadsBench.start({}, [1]);
    await until(() => bench.announced.length === 1);
    await bench.poll(aBlock(200));
    await bench.poll(aBlock(300));
    expect([bench.heads.hashAt(1), bench.heads.hashAt(200), bench.heads.hashAt(299)]).toEqual([
      undefined,
      "0xh200",
      "0xh299",
    ]);
  });
});

describe("heads on anvil", () => {
  it("are pushed", async () => {
    await using dev = await DevChain.start();
    const stop = new AbortController();
    const { logger } = captureLogs();
    const rpc = new RpcPool(
      { urls: [dev.anvil.url], chainId: 31_337n, timeoutMs: 5_000, batchSize: 1 },
      { clock: systemClock, logger, signal: stop.signal },
    );
    const heads = new HeadWatcher(
      { wsUrls: [dev.anvil.wsUrl], chainId: 31_337n, pollIntervalMs: 600_000, staleAfterMs: 600_000 },
      { rpc, clock: systemClock, logger },
    );
    const heard: Head[] = [];
    using _listener = heads.onHead((head) => heard.push(head));
    const running = heads.run(stop.signal);
    await until(() => heard.length === 1);
    // Mined until one arrives by push: the subscription takes its time to stand.
    while (heard.length < 3) await dev.rpc("evm_mine");
    expect(heard[2]?.number).toBeGreaterThan(heard[1]?.number ?? 0);
    expect(heard[2]?.parentHash).toBe(heads.hashAt((heard[2]?.number ?? 0) - 1));
    expect(heard[2]?.baseFeePerGasWei).toBeGreaterThan(0n);
    stop.abort();
    await running;
  });

  it("fault 30: a reorg of anvil's is announced, also one that leaves the chain shorter", async () => {
    await using dev = await DevChain.start();
    const stop = new AbortController();
    const logs = captureLogs();
    const rpc = new RpcPool(
      { urls: [dev.anvil.url], chainId: 31_337n, timeoutMs: 5_000, batchSize: 1 },
      { clock: systemClock, logger: logs.logger, signal: stop.signal },
    );
    const heads = new HeadWatcher(
      { wsUrls: [], chainId: 31_337n, pollIntervalMs: 5 },
      { rpc, clock: systemClock, logger: logs.logger },
    );
    const running = heads.run(stop.signal);
    const snapshot = await dev.rpc("evm_snapshot");
    const at = await dev.block();
    for (let count = 0; count < 3; count += 1) {
      await dev.rpc("evm_mine");
      await until(() => heads.latest()?.number === at + count + 1);
    }
    const before = heads.latest()?.hash;
    await dev.rpc("evm_revert", snapshot);
    // Another time makes another block.
    await dev.rpc("evm_increaseTime", 100);
    await dev.rpc("evm_mine");
    await until(() => heads.latest()?.number === at + 1);
    expect(heads.latest()?.hash).not.toBe(before);
    expect(logs.at("info")).toContain("the chain was rewritten");
    stop.abort();
    await running;
  });
});
