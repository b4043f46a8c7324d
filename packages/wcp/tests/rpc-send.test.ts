import { FakeClock, type HttpAnswer } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { ask, type PoolBench, type PoolBenchOptions, refusal, startPool } from "./_rpc-bench.ts";
import { settle, until } from "./_until.ts";

const SEND = "eth_sendRawTransaction";

/** A pool of two endpoints that have told their chain. */
async function started(options: PoolBenchOptions = {}): Promise<PoolBench> {
  const bench = await startPool([100, 100], options);
  await bench.pool.examine();
  for (const node of bench.nodes) node.asked.length = 0;
  return bench;
}

describe("a transaction", () => {
  it("goes to every endpoint that is well", async () => {
    await using bench = await started();
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
    await until(() => bench.b.count(SEND) === 1);
    expect([bench.a.asked, bench.b.asked]).toEqual([[SEND], [SEND]]);
  });

  it("goes to every endpoint of the chain from the start", async () => {
    await using bench = await startPool([100, 100, 100]);
    const [, , third] = bench.nodes;
    bench.a.chainId = 8n;
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
    await until(() => bench.b.count(SEND) === 1 && third?.count(SEND) === 1);
    expect(bench.a.asked).toEqual(["eth_chainId"]);
  });

  it("is sent nowhere when every endpoint serves another chain", async () => {
    await using bench = await startPool([100]);
    bench.a.chainId = 8n;
    expect(await bench.pool.send("0x02")).toEqual({
      kind: "unknown",
      message: `not sent: ${bench.a.http.url} serves chain 8, not 7; correct ethereum.rpc_url or ethereum.chain_id`,
    });
    expect(bench.a.count(SEND)).toBe(0);
  });

  it("fault 1: is taken when an endpoint knows it already", async () => {
    await using bench = await started();
    bench.a.answers[SEND] = () => refusal(-32000, "already known");
    bench.b.answers[SEND] = () => refusal(-32000, "nonce too low: next nonce 8, tx nonce 7");
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
  });

  it("is taken when one takes it and another does not, whoever is first", async () => {
    await using bench = await started();
    bench.a.answers[SEND] = () => refusal(-32000, "transaction underpriced");
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
    bench.b.answers[SEND] = () => refusal(-32000, "insufficient funds for gas * price + value");
    expect(await bench.pool.send("0x02")).toMatchObject({ kind: "underpriced" });
  });

  it("fault 5: with a nonce that one endpoint finds too high is what the one that knows more says", async () => {
    await using bench = await started();
    bench.a.answers[SEND] = () => refusal(-32000, "nonce too high");
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
    bench.b.answers[SEND] = () => refusal(-32000, "nonce too high");
    expect(await bench.pool.send("0x02")).toEqual({ kind: "nonce_too_high", message: "nonce too high" });
  });

  it.each(["txpool is full", "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", "weird"])(
    "fault 6: that one endpoint turns down with '%s' may be taken by another, and its fate is open when none does",
    async (message) => {
      await using bench = await started();
      bench.a.answers[SEND] = () => refusal(-32000, message);
      expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
      bench.b.answers[SEND] = () => refusal(-32000, "exceeds block gas limit");
      expect(await bench.pool.send("0x02")).toEqual({ kind: "unknown", message });
    },
  );

  it.each<readonly [string, HttpAnswer]>([
    ["the connection is reset", { kind: "reset" }],
    ["the answer breaks off", { kind: "cut", text: '{"jsonrpc":"2.0","id":0,"result":"0x' }],
    ["a gateway answers in HTML", { kind: "text", text: "<html>", status: 502 }],
  ])("fault 9: is sent once to each, and its fate is open, when %s", async (_what, answer) => {
    await using bench = await started();
    bench.a.fault = answer;
    bench.b.fault = answer;
    expect(await bench.pool.send("0x02")).toMatchObject({ kind: "unknown" });
    await settle();
    expect([bench.a.asked, bench.b.asked]).toEqual([[SEND], [SEND]]);
  });

  it("is not held up by an endpoint that hangs once another has taken it", async () => {
    await using bench = await started({ clock: new FakeClock() });
    bench.a.fault = { kind: "silence" };
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
  });

  it("has a second for the second word when the first is a refusal", async () => {
    const clock = new FakeClock();
    await using bench = await started({ clock });
    bench.a.fault = { kind: "silence" };
    bench.b.answers[SEND] = () => refusal(-32000, "transaction underpriced");
    const outcome = bench.pool.send("0x02");
    await until(() => bench.b.count(SEND) === 1);
    // The timers of two requests, and the one for the second word.
    await clock.whenPending(2);
    await settle(50);
    await clock.advance(1_000);
    expect(await outcome).toMatchObject({ kind: "underpriced" });
  });

  it("is not given up as never valid while an endpoint is still to be heard", async () => {
    const clock = new FakeClock();
    await using bench = await started({ clock });
    bench.a.fault = { kind: "silence" };
    bench.b.answers[SEND] = () => refusal(-32000, "intrinsic gas too low");
    const outcome = bench.pool.send("0x02");
    await until(() => bench.b.count(SEND) === 1);
    await settle(50);
    await clock.advance(1_000);
    expect(await outcome).toEqual({ kind: "unknown", message: "an endpoint has not answered yet" });
  });

  it("is not pressed on an endpoint that has just failed while another is well", async () => {
    await using bench = await started({ clock: new FakeClock() });
    bench.a.faults.push({ kind: "reset" });
    await bench.pool.call(ask("eth_call"));
    bench.a.asked.length = 0;
    await bench.pool.send("0x02");
    expect(bench.a.asked).toEqual([]);
  });

  it("is sent to one that has just failed when there is no other", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock });
    await bench.pool.examine();
    bench.a.faults.push({ kind: "reset" });
    expect(await bench.pool.send("0x02")).toMatchObject({ kind: "unknown" });
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
  });

  it("is sent to one that is down when there is no other, as soon as it has shown its chain", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock });
    await bench.pool.examine();
    bench.a.faults.push({ kind: "reset" }, { kind: "reset" });
    for (let count = 0; count < 2; count += 1) {
      await clock.advance(10);
      expect(await bench.pool.send("0x02")).toMatchObject({ kind: "unknown" });
    }
    expect(bench.pool.failure).toBeDefined();
    bench.a.asked.length = 0;
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
    expect(bench.a.asked).toEqual(["eth_chainId", SEND]);
  });

  it("fault 35: is not sent to one that was down and now serves another chain", async () => {
    const clock = new FakeClock();
    await using bench = await startPool([100], { clock });
    await bench.pool.examine();
    bench.a.fault = { kind: "silence" };
    const first = bench.pool.send("0x02");
    await until(() => bench.a.count(SEND) === 1);
    await clock.advance(100_000);
    expect(await first).toMatchObject({ kind: "unknown" });
    bench.a.fault = undefined;
    bench.a.chainId = 8n;
    bench.a.asked.length = 0;
    expect(await bench.pool.send("0x02")).toMatchObject({ kind: "unknown" });
    expect(bench.a.asked).toEqual(["eth_chainId"]);
  });

  it("is sent again where the method was said not to be there, which may be a node that starts", async () => {
    await using bench = await startPool([100]);
    const answers: unknown[] = [
      refusal(-32601, "the method eth_sendRawTransaction does not exist"),
      "0xhash",
    ];
    bench.a.answers[SEND] = () => answers.shift();
    expect(await bench.pool.send("0x02")).toMatchObject({ kind: "unknown" });
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
  });

  it("slows the sending down where the rate is limited", async () => {
    await using bench = await started({ clock: new FakeClock() });
    bench.a.answers[SEND] = () => refusal(429, "rate limit exceeded");
    expect(await bench.pool.send("0x02")).toEqual({ kind: "accepted" });
    await until(() => bench.pool.status()[0]?.healthy === false);
    await bench.pool.send("0x02");
    await settle();
    expect([bench.a.count(SEND), bench.b.count(SEND)]).toEqual([1, 2]);
  });
});
