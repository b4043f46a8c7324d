import { startAnvil } from "@subnet-worker/contracts/anvil";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AnvilRemote } from "./_anvil.ts";
import { planChaos } from "./_chaos-plan.ts";
import { createRandom } from "./_random.ts";
import { FAIR, type FaultyRpc, startFaultyRpc } from "./_rpc-faults.ts";
import { until } from "./_until.ts";

const SIZE = { activities: 500, kills: 100, dbDeletions: 2, reorgs: 2, confirmations: 3 };

describe("a plan of chaos", () => {
  test("is the same for the same seed, and another for another", () => {
    const plan = (seed: number) => planChaos(SIZE, createRandom(seed));
    expect(plan(7)).toEqual(plan(7));
    expect(plan(8)).not.toEqual(plan(7));
  });

  test("enqueues each activity once and has as many of everything as was asked for", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { rounds, durationsMs } = planChaos(SIZE, createRandom(seed));
      expect(rounds).toHaveLength(SIZE.kills);
      expect(durationsMs).toHaveLength(SIZE.activities);
      expect(rounds.flatMap(({ enqueue }) => enqueue)).toEqual(durationsMs.map((_ms, number) => number));
      expect(rounds.filter(({ deletesDb }) => deletesDb)).toHaveLength(SIZE.dbDeletions);
      const depths = rounds.flatMap(({ reorg }) => (reorg === undefined ? [] : [reorg.depth]));
      expect(depths).toHaveLength(SIZE.reorgs);
      expect(Math.max(...depths)).toBeLessThanOrEqual(SIZE.confirmations);
    }
  });
});

describe("an endpoint that fails", () => {
  const stack = new AsyncDisposableStack();
  let anvil: AnvilRemote;
  let sender: string;
  let endpoint: FaultyRpc;
  let proxy: AnvilRemote;

  beforeAll(async () => {
    const process = stack.use(await startAnvil());
    anvil = new AnvilRemote(process.url);
    sender = ((await anvil.rpc("eth_accounts")) as readonly string[])[0] ?? "";
    endpoint = stack.use(await startFaultyRpc(process.url, createRandom(1)));
    proxy = new AnvilRemote(endpoint.url);
    await anvil.rpc("anvil_mine", ["0xa"]);
  });
  beforeEach(() => {
    endpoint.weather = FAIR;
  });
  afterAll(() => stack.disposeAsync());

  /** A transaction that leaves a log, in a block of its own; its hash. */
  async function sendLog(): Promise<string> {
    // LOG0 of nothing, in the constructor.
    const transaction = { from: sender, data: "0x60006000a000", gas: "0x186a0" };
    const hash = await anvil.rpc("eth_sendTransaction", [transaction]);
    await anvil.mined(hash);
    return String(hash);
  }
  const logs = async (via: AnvilRemote) =>
    (await via.rpc("eth_getLogs", [{ fromBlock: "0x0", toBlock: "latest" }])) as readonly unknown[];

  test("says what the chain says in fair weather, one call or several at once", async () => {
    expect(await proxy.rpc("eth_blockNumber")).toBe(await anvil.rpc("eth_blockNumber"));
    const response = await fetch(endpoint.url, {
      method: "POST",
      body: JSON.stringify([
        { jsonrpc: "2.0", id: "b", method: "eth_chainId", params: [] },
        { jsonrpc: "2.0", id: "a", method: "eth_getBalance", params: [sender, "latest"] },
      ]),
    });
    expect(await response.json()).toMatchObject([
      { id: "b", result: "0x7a69" },
      { id: "a", result: expect.stringMatching(/^0x/) },
    ]);
  });

  test("knows nothing of the newest blocks when it lags", async () => {
    const [before, seen] = [Number(await anvil.rpc("eth_blockNumber")), (await logs(anvil)).length];
    const hash = await sendLog();
    endpoint.weather = { ...FAIR, lagBlocks: 1 };
    expect(Number(await proxy.rpc("eth_blockNumber"))).toBe(before);
    expect(await proxy.rpc("eth_getTransactionReceipt", [hash])).toBeNull();
    expect(await proxy.rpc("eth_getBlockByNumber", [`0x${(before + 1).toString(16)}`, false])).toBeNull();
    expect(await proxy.rpc("eth_getBlockByNumber", ["latest", false])).toMatchObject({
      number: `0x${before.toString(16)}`,
    });
    expect(await logs(proxy)).toHaveLength(seen);
    endpoint.weather = FAIR;
    expect(await proxy.rpc("eth_getTransactionReceipt", [hash])).toMatchObject({ status: "0x1" });
    expect(await logs(proxy)).toHaveLength(seen + 1);
  });

  test("counts transactions as they were, and only them, when its nonces are stale", async () => {
    const count = async (via: AnvilRemote) =>
      Number(await via.rpc("eth_getTransactionCount", [sender, "pending"]));
    await anvil.rpc("anvil_mine", ["0x8"]); // so that nothing of the tests before is that recent
    const before = await count(anvil);
    await sendLog();
    endpoint.weather = { ...FAIR, staleNonceBlocks: 4 };
    expect(await count(proxy)).toBe(before);
    expect(await proxy.rpc("eth_blockNumber")).toBe(await anvil.rpc("eth_blockNumber"));
    endpoint.weather = FAIR;
    expect(await count(proxy)).toBe(before + 1);
  });

  test("has no logs when it says so", async () => {
    await sendLog();
    endpoint.weather = { ...FAIR, emptyLogs: true };
    expect(await logs(proxy)).toEqual([]);
  });

  test("resets every connection when it is down", async () => {
    endpoint.weather = { ...FAIR, isDown: true };
    await expect(proxy.rpc("eth_chainId")).rejects.toThrow(/fetch failed/);
  });

  test("hits every request in a storm, in each of its ways, and some of them after the chain has done what they asked", async () => {
    endpoint.weather = { ...FAIR, faultShare: 1 };
    const head = Number(await anvil.rpc("eth_blockNumber"));
    const mine = { jsonrpc: "2.0", id: 1, method: "evm_mine", params: [] };
    const over = new AbortController();
    let ended = 0;
    const tries = Array.from({ length: 60 }, async () => {
      const request = { method: "POST", body: JSON.stringify(mine), signal: over.signal };
      return fetch(endpoint.url, request)
        .then(({ status }) => status)
        .finally(() => (ended += 1));
    });
    const settled = Promise.allSettled(tries);
    await until("all but those that hang to end", () => {
      return ended + (endpoint.faults.get("hang_after") ?? 0) === tries.length;
    });
    over.abort();
    const results = await settled;
    const statuses = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(new Set(statuses)).toEqual(new Set([429, 502, 503]));
    const after = ["status_502_after", "reset_after", "hang_after"].map(
      (name) => endpoint.faults.get(name) ?? 0,
    );
    expect(Math.min(...after)).toBeGreaterThan(0);
    const mined = after.reduce((sum, count) => sum + count, 0);
    await until("what was asked for to be done", async () => {
      return Number(await anvil.rpc("eth_blockNumber")) === head + mined;
    });
  });
});
