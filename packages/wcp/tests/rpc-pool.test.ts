import type { Clock } from "@subnet-worker/kit";
import { FakeClock, type HttpAnswer } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { NEWEST_BLOCK } from "../src/adapters/rpc/chain.ts";
import { BadAnswer, RpcError } from "../src/adapters/rpc/rpc-error.ts";
import { StoppedError } from "../src/ports.ts";
import { ask, CHAIN_ID, type PoolBench, refusal, startPool, UNUSABLE } from "./_rpc-bench.ts";
import { fastClock } from "./_fast-clock.ts";
import { settle, until } from "./_until.ts";

const TOO_MANY: HttpAnswer = {
  kind: "json",
  value: { jsonrpc: "2.0", id: 0, error: { code: 429, message: "rate limit exceeded" } },
};

/** Lets time pass until it has happened. */
async function pass(clock: FakeClock, condition: () => boolean, stepMs = 100): Promise<void> {
  await until(async () => {
    if (condition()) return true;
    await clock.advance(stepMs);
    await settle(5);
    return condition();
  });
}

/** Both endpoints are known to be of the right chain and have been heard of. */
async function acquainted(bench: PoolBench): Promise<void> {
  await bench.pool.examine();
  for (const node of bench.nodes) node.asked.length = 0;
}

describe("a pool of one endpoint", () => {
  it("asks for nothing besides the chain, and that once", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock });
    await bench.pool.call(NEWEST_BLOCK);
    await bench.pool.call(ask("eth_call"));
    bench.a.block = 99;
    await bench.pool.call(NEWEST_BLOCK);
    await clock.advance(60_000);
    await bench.pool.call({ ...ask("eth_getLogs"), need: 500 });
    await bench.pool.send("0x02");
    expect(bench.a.asked).toEqual([
      "eth_chainId",
      "eth_getBlockByNumber",
      "eth_call",
      "eth_getBlockByNumber",
      "eth_getLogs",
      "eth_sendRawTransaction",
    ]);
  });

  it.each(UNUSABLE)("asks again after %s", async (_what, answer) => {
    await using bench = await startPool([100]);
    await acquainted(bench);
    bench.a.faults.push(answer, answer);
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    // It was down after two failures, so it has to show its chain again.
    expect(bench.a.asked).toEqual(["eth_call", "eth_call", "eth_chainId", "eth_call"]);
    expect(bench.pool.failure).toBeUndefined();
  });

  it.each<readonly [string, number, string]>([
    ["a limit on the rate", 429, "Your app has exceeded its compute units per second capacity."],
    ["a block that it has not got yet", -32000, "header not found"],
    ["a moment of its own", -32603, "service temporarily unavailable"],
  ])("asks again after %s", async (_what, code, message) => {
    await using bench = await startPool([100]);
    await acquainted(bench);
    bench.a.answers["eth_call"] = () => {
      delete bench.a.answers["eth_call"];
      return refusal(code, message);
    };
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    expect(bench.a.asked).toEqual(["eth_call", "eth_call"]);
  });

  it("does not ask again when the node says no for good", async () => {
    await using bench = await startPool([100]);
    bench.a.answers["eth_call"] = () => refusal(-32602, "invalid argument 0");
    await expect(bench.pool.call(ask("eth_call"))).rejects.toThrow(RpcError);
    expect(bench.a.count("eth_call")).toBe(1);
  });

  it("does not ask again for a method that the node does not know", async () => {
    await using bench = await startPool([100]);
    bench.a.answers["eth_feeHistory"] = () => refusal(-32601, "Method not found");
    await expect(bench.pool.call(ask("eth_feeHistory"))).rejects.toThrow("Method not found");
    await expect(bench.pool.call(ask("eth_feeHistory"))).rejects.toThrow("Method not found");
    expect(bench.a.count("eth_feeHistory")).toBe(1);
  });

  it("gives up on a block that is not there, and may never be", async () => {
    await using bench = await startPool([100]);
    bench.a.answers["eth_call"] = () => refusal(-32602, "BlockOutOfRangeError: block height is 1");
    await expect(bench.pool.call(ask("eth_call"))).rejects.toThrow("BlockOutOfRangeError");
    expect(bench.a.count("eth_call")).toBeGreaterThan(3);
  });

  it("asks again for an answer that makes no sense", async () => {
    await using bench = await startPool([100]);
    await acquainted(bench);
    let answers = 0;
    bench.a.answers["eth_getBalance"] = () => (answers++ === 0 ? null : "0x7");
    const read = (raw: unknown) => {
      if (raw === null) throw new BadAnswer("balance", raw);
      return raw;
    };
    expect(await bench.pool.call({ ...ask("eth_getBalance"), read })).toBe("0x7");
    expect(answers).toBe(2);
  });

  it("is heard once when it goes, and once when it comes back", async () => {
    await using bench = await startPool([100]);
    await acquainted(bench);
    bench.a.faults.push(...Array.from({ length: 5 }, (): HttpAnswer => ({ kind: "reset" })));
    await bench.pool.call(ask("eth_call"));
    expect(bench.logs.at("warn")).toEqual([
      "the RPC endpoint does not answer; trying on (check ethereum.rpc_url)",
    ]);
    expect(bench.logs.at("info")).toEqual(["the RPC endpoint answers again"]);
  });

  it("counts requests that fail together as one failure", async () => {
    await using bench = await startPool([100], { batchSize: 1 });
    await acquainted(bench);
    bench.a.faults.push({ kind: "reset" }, { kind: "reset" }, { kind: "reset" });
    await Promise.all(["a", "b", "c"].map((method) => bench.pool.call(ask(method))));
    expect(bench.logs.at("warn")).toEqual([]);
    expect(bench.a.count("eth_chainId")).toBe(0);
  });

  it("fails when it is silent for as long as a request may take", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock, timeoutMs: 10_000 });
    await acquainted(bench);
    bench.a.fault = { kind: "silence" };
    const answer = bench.pool.call(ask("eth_call"));
    await until(() => bench.a.count("eth_call") === 1);
    await clock.advance(9_999);
    await settle();
    expect(bench.pool.failure).toBeUndefined();
    await clock.advance(1);
    await until(() => bench.pool.failure !== undefined);
    expect(bench.pool.failure).toBe(`[RPC_UNAVAILABLE] ${bench.a.http.url}: no answer within 10000 ms`);
    bench.a.fault = undefined;
    await pass(clock, () => bench.pool.failure === undefined);
    expect(await answer).toBe("eth_call");
  });

  it("waits as long as Retry-After says, in seconds", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock });
    await acquainted(bench);
    bench.a.faults.push({ kind: "text", text: "", status: 429, headers: { "retry-after": "30" } });
    const answer = bench.pool.call(ask("eth_call"));
    await clock.whenPending();
    await until(() => bench.a.asked.length === 1);
    await until(() => bench.pool.status()[0]?.healthy === false);
    await settle();
    await clock.advance(29_000);
    await settle();
    expect(bench.a.asked).toEqual(["eth_call"]);
    // Nor is a transaction pressed on it.
    expect(await bench.pool.send("0x02")).toMatchObject({
      kind: "unknown",
      message: expect.stringContaining("not sent") as string,
    });
    expect(bench.a.asked).toEqual(["eth_call"]);
    await clock.advance(1_000);
    expect(await answer).toBe("eth_call");
  });

  it("reports it as failing while it does nothing but limit the rate", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock });
    await acquainted(bench);
    bench.a.fault = TOO_MANY;
    const answer = bench.pool.call(ask("eth_call"));
    await pass(clock, () => bench.pool.failure !== undefined);
    expect(bench.pool.failure).toContain("rate limit exceeded");
    bench.a.fault = undefined;
    await pass(clock, () => bench.pool.failure === undefined);
    expect(await answer).toBe("eth_call");
  });

  it("lets nobody wait when the process stops", async () => {
    await using bench = await startPool([100], { clock: new FakeClock() });
    bench.a.fault = { kind: "silence" };
    const waiting = [bench.pool.call(ask("eth_call")), bench.pool.chainId(), bench.pool.send("0x02")];
    await until(() => bench.a.asked.length > 0);
    bench.stop();
    for (const each of waiting) await expect(each).rejects.toThrow(StoppedError);
    for (const late of [bench.pool.call(ask("x")), bench.pool.send("0x02"), bench.pool.probe()]) {
      await expect(late).rejects.toThrow(StoppedError);
    }
  });
});

describe("fault 35", () => {
  it("fault 35: an endpoint of another chain is never asked or sent to", async () => {
    await using bench = await startPool([100, 100]);
    bench.a.chainId = 8n;
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    await bench.pool.call(NEWEST_BLOCK);
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
    expect(bench.a.asked).toEqual(["eth_chainId"]);
    expect(bench.b.asked).toEqual([
      "eth_chainId",
      "eth_call",
      "eth_getBlockByNumber",
      "eth_sendRawTransaction",
    ]);
    expect(bench.logs.lines.filter(({ level }) => level === "error")).toMatchObject([
      {
        endpoint: bench.a.http.url,
        chain_id: "8",
        expected: "7",
        msg: "an RPC endpoint serves another chain; it is not used, and looked at again every minute",
      },
    ]);
    expect(bench.pool.status()).toMatchObject([
      {
        healthy: false,
        chainId: 8n,
        reason: `${bench.a.http.url} serves chain 8, not 7; correct ethereum.rpc_url or ethereum.chain_id`,
      },
      { healthy: true, chainId: CHAIN_ID },
    ]);
    // One that works is enough to be ready.
    expect(bench.pool.failure).toBeUndefined();
  });

  it("fault 35: an endpoint of another chain is used once it serves the right one", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100, 100], { clock });
    bench.a.chainId = 8n;
    await bench.pool.examine();
    bench.a.chainId = CHAIN_ID;
    await clock.advance(59_000);
    await bench.pool.call(ask("eth_call"));
    await settle();
    expect(bench.a.count("eth_chainId")).toBe(1);
    await clock.advance(1_000);
    await bench.pool.call(ask("eth_call"));
    await until(() => bench.pool.status().every(({ healthy }) => healthy));
    await bench.pool.call(ask("eth_call"));
    expect([bench.a.count("eth_call"), bench.b.count("eth_call")]).toEqual([1, 2]);
  });

  it("fault 35: an endpoint that was down shows its chain before it is used again", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock });
    await acquainted(bench);
    bench.a.fault = { kind: "reset" };
    const answer = bench.pool.call(ask("eth_call"));
    await pass(clock, () => bench.pool.failure !== undefined);
    bench.a.fault = undefined;
    bench.a.chainId = 8n;
    bench.a.asked.length = 0;
    await pass(clock, () => bench.a.asked.length > 0);
    await settle(50);
    expect(bench.a.asked).toEqual(["eth_chainId"]);
    expect(bench.pool.failure).toContain("serves chain 8, not 7");
    bench.a.chainId = CHAIN_ID;
    await clock.advance(60_000);
    expect(await answer).toBe("eth_call");
  });

  it("tells the chain of the endpoints: the right one as soon as one serves it", async () => {
    await using bench = await startPool([100, 100]);
    bench.a.chainId = 8n;
    expect(await bench.pool.chainId()).toBe(CHAIN_ID);
    expect(await bench.pool.probe()).toBe(CHAIN_ID);
  });

  it("tells another chain only when all endpoints serve another", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100, 100], { clock });
    bench.a.chainId = 8n;
    bench.b.fault = { kind: "reset" };
    await expect(bench.pool.probe()).rejects.toThrow(bench.b.http.url);
    const chainId = bench.pool.chainId();
    bench.b.fault = undefined;
    bench.b.chainId = 9n;
    await pass(clock, () => bench.b.count("eth_chainId") > 1 && bench.pool.failure !== undefined);
    await pass(clock, () => bench.logs.at("error").length === 2);
    await clock.advance(1_000);
    expect(await chainId).toBe(8n);
  });
});

describe("a pool of several endpoints", () => {
  it("asks the first while it is well", async () => {
    await using bench = await startPool([100, 100]);
    await acquainted(bench);
    for (const method of ["a", "b", "c"]) await bench.pool.call(ask(method));
    expect([bench.a.asked, bench.b.asked]).toEqual([["a", "b", "c"], []]);
  });

  it.each(UNUSABLE)("turns to the next within the same call after %s", async (_what, answer) => {
    await using bench = await startPool([100, 100], { clock: new FakeClock() });
    await acquainted(bench);
    bench.a.faults.push(answer);
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    expect(bench.b.count("eth_call")).toBe(1);
  });

  it("leaves one that failed alone for a while, and comes back to it", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100, 100], { clock });
    await acquainted(bench);
    bench.a.faults.push({ kind: "reset" });
    await bench.pool.call(ask("eth_call"));
    await bench.pool.call(ask("eth_call"));
    expect(bench.a.count("eth_call")).toBe(1);
    await clock.advance(100);
    await bench.pool.call(ask("eth_call"));
    expect(bench.a.count("eth_call")).toBe(2);
  });

  it("lets no call wait for one that is down, not even to see whether it is back", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100, 100], { clock, timeoutMs: 10_000 });
    await acquainted(bench);
    bench.a.fault = { kind: "silence" };
    const first = bench.pool.call(ask("eth_call"));
    await until(() => bench.a.count("eth_call") === 1);
    await clock.advance(10_000);
    await first;
    await clock.advance(60_000);
    // In the background somebody looks after it; the answer comes without time passing.
    await bench.pool.call(ask("eth_call"));
    await until(() => bench.a.count("eth_chainId") === 1);
    await bench.pool.call(ask("eth_call"));
    expect([bench.a.count("eth_call"), bench.b.count("eth_call")]).toEqual([1, 3]);
  });

  it("asks the one that is much slower after the others", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100, 100], { clock });
    await acquainted(bench);
    bench.a.answers["slow"] = () => {
      void clock.advance(6_000);
      return "slow";
    };
    await bench.pool.call(ask("slow"));
    await bench.pool.call(ask("eth_call"));
    expect([bench.a.asked, bench.b.asked]).toEqual([["slow"], ["eth_call"]]);
    await clock.advance(60_000);
    await bench.pool.call(ask("eth_call"));
    expect(bench.a.asked).toEqual(["slow", "eth_call"]);
  });

  it("asks another where the first does not know the method, and remembers that", async () => {
    await using bench = await startPool([100, 100]);
    bench.a.answers["eth_feeHistory"] = () => refusal(-32601, "Method not found");
    expect(await bench.pool.call(ask("eth_feeHistory"))).toBe("eth_feeHistory");
    expect(await bench.pool.call(ask("eth_feeHistory"))).toBe("eth_feeHistory");
    expect([bench.a.count("eth_feeHistory"), bench.b.count("eth_feeHistory")]).toEqual([1, 2]);
  });

  it("asks one again, a minute after it did not know the method", async () => {
    let passedMs = 0;
    // Its time passes when the test says so, however long the calls take.
    const clock: Clock = { ...fastClock(20), monotonicMs: () => passedMs };
    await using bench = await startPool([100], { clock });
    bench.a.answers["eth_feeHistory"] = () => refusal(-32601, "Method not found");
    await expect(bench.pool.call(ask("eth_feeHistory"))).rejects.toThrow("Method not found");
    delete bench.a.answers["eth_feeHistory"];
    passedMs = 50_000;
    await expect(bench.pool.call(ask("eth_feeHistory"))).rejects.toThrow("Method not found");
    passedMs = 60_000;
    expect(await bench.pool.call(ask("eth_feeHistory"))).toBe("eth_feeHistory");
  });

  it.each(["eth_getTransactionCount", "eth_getTransactionReceipt", "eth_call"])(
    "asks again at once where the first says that it does not know %s, which no node lacks",
    async (method) => {
      await using bench = await startPool([100]);
      const answers: unknown[] = [refusal(-32601, "Method not found"), "0x1"];
      bench.a.answers[method] = () => answers.shift();
      expect(await bench.pool.call(ask(method))).toBe("0x1");
    },
  );

  it("asks another where the first has an error of its own, and gives the first's when all have one", async () => {
    await using bench = await startPool([100, 100]);
    bench.a.answers["eth_call"] = () => refusal(-32603, "leveldb closed");
    expect(await bench.pool.call(ask("eth_call"))).toBe("eth_call");
    bench.b.answers["eth_call"] = () => refusal(-32000, "database closed");
    await expect(bench.pool.call(ask("eth_call"))).rejects.toThrow("leveldb closed");
  });

  it("takes a refusal that is an answer from the first", async () => {
    await using bench = await startPool([100, 100]);
    bench.a.answers["eth_call"] = () => refusal(3, "execution reverted", "0x01");
    const refuse = (error: RpcError) => new Error(`refused with ${String(error.data)}`);
    await expect(bench.pool.call({ ...ask("eth_call"), refusal: refuse })).rejects.toThrow(
      "refused with 0x01",
    );
    expect(bench.b.count("eth_call")).toBe(0);
  });

  it("fault 34: says so when all are down, goes on trying, and is back with the first of them", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100, 100], { clock });
    await acquainted(bench);
    bench.a.fault = { kind: "reset" };
    bench.b.fault = { kind: "text", text: "bad gateway", status: 502 };
    const answer = bench.pool.call(ask("eth_call"));
    await pass(clock, () => bench.pool.failure !== undefined);
    expect(bench.pool.failure).toContain(bench.a.http.url);
    expect(bench.pool.failure).toContain(`${bench.b.http.url} answered HTTP 502`);
    expect(bench.pool.status().map(({ healthy }) => healthy)).toEqual([false, false]);
    await pass(clock, () => bench.b.asked.length > 10, 1_000);
    bench.b.fault = undefined;
    await pass(clock, () => bench.pool.failure === undefined, 1_000);
    expect(await answer).toBe("eth_call");
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
  });

  it("is examined as a whole, the one that is not used too", async () => {
    await using bench = await startPool([100, 103, 90]);
    const urls = bench.nodes.map(({ http: { url } }) => url);
    await bench.nodes[2]?.[Symbol.asyncDispose]();
    const status = await bench.pool.examine();
    expect(status).toMatchObject([
      { healthy: true, block: 100, chainId: CHAIN_ID, reason: undefined },
      { healthy: true, block: 103, chainId: CHAIN_ID, reason: undefined },
      { healthy: false, block: undefined, chainId: undefined },
    ]);
    expect(status[2]?.reason).toContain("[RPC_UNAVAILABLE]");
    expect(status[0]?.latencyMs).toBeGreaterThan(0);
    expect(status.map(({ host }) => host)).toEqual(urls);
  });
});
