import { existsSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TransactionState } from "../src/domain/transaction.ts";
import { aLease, aTask } from "./_builders.ts";
import { ATTEMPT, CommandBench, ID, RECEIPT, saveClaim } from "./_command-bench.ts";
import { until } from "./_until.ts";

let bench: CommandBench;

beforeEach(() => {
  bench = new CommandBench();
});

afterEach(() => bench[Symbol.dispose]());

describe("wcp db, while the node has the database open", () => {
  it("lists and shows records under their names", async () => {
    using node = bench.store();
    await node.saveTask(aTask({ id: "0x01" }), "new");
    const claimed = { kind: "claimed", lease: aLease({ expiresAtMs: 5 }), attempts: 0 } as const;
    await node.saveTask(aTask({ id: "0x02", state: claimed }), "new");
    await node.saveTask(aTask({ id: "0x03", state: { kind: "lost", reason: "taken" } }), "new");
    await saveClaim(node, { kind: "signed" });
    const { out } = await bench.wcp(["db", "ls"]);
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => line.split("  ", 2)),
    ).toEqual([
      ["claim_job:0x01", "offered"],
      ["inflight:0x02", "claimed"],
      ["done:0x03", "lost"],
      [`tx:${ID}`, "claim signed"],
      ["nonce:last", "7"],
    ]);
    expect((await bench.wcp(["db", "ls", "done:"])).out).toMatch(/^done:0x03 {2}lost/);
    expect((await bench.wcp(["db", "ls", "inflight:0x9"])).err).toContain(
      'No record begins with "inflight:0x9"',
    );
    const lines = (await bench.wcp(["db", "ls", "--json"])).out.trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toHaveLength(5);
    const shown = await bench.wcp(["db", "show", "inflight:0x02"]);
    expect(JSON.parse(shown.out)).toMatchObject({
      activity_id: "0x02",
      state: "claimed",
      lease: { expiresAtMs: 5 },
    });
    const sent = JSON.parse((await bench.wcp(["db", "show", `tx:${ID}`])).out) as object;
    expect(sent).toMatchObject({
      intents: [{ kind: "claim", nonce: 7, attempts: [{ tx_hash: ATTEMPT.txHash }] }],
    });
    expect(JSON.parse((await bench.wcp(["db", "show", "nonce:last"])).out)).toMatchObject({ nonce: 7 });
    expect(await bench.wcp(["db", "show", "done:0x02"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("there is no record"),
    });
  });

  it("backs up what is committed, and overwrites nothing", async () => {
    using node = bench.store();
    await saveClaim(node, { kind: "signed" });
    const { code, out } = await bench.wcp(["db", "backup", "copy.db"]);
    expect([code, out]).toEqual([0, expect.stringContaining("complete and sound")]);
    await node.saveTask(aTask({ id: "0x05" }), "new"); // the node writes on
    expect((await bench.wcp(["db", "backup", "copy.db"])).err).toContain("is not overwritten");
    const restored = await bench.wcp(["tx", "ls"], { env: { WCP__DB__PATH: "copy.db" } });
    expect(restored.out).toContain(ATTEMPT.txHash);
    expect(existsSync(bench.path("copy.db.partial"))).toBe(false);
  });

  it.each([
    ["db", "ls"],
    ["tx", "ls"],
  ])("wcp %s %s says so when there is no database", async (...argv) => {
    const { code, err } = await bench.wcp(argv);
    expect(code).toBe(78);
    expect(err).toContain("is not there; the node makes it at its first start");
  });

  it("refuses a file that is no database of this program", async () => {
    writeFileSync(bench.path("wcp.db"), "x".repeat(5_000));
    expect((await bench.wcp(["db", "ls"])).err).toContain("check that db.path is this program's database");
  });
});

describe("wcp tx", () => {
  it("lists what is under way, and with --all everything", async () => {
    using node = bench.store();
    await saveClaim(node, { kind: "signed" });
    const { out } = await bench.wcp(["tx", "ls"]);
    const [head, row, summary] = out.trim().split("\n");
    expect(head).toMatch(/^NONCE +KIND +STATE +AGE +TRIES +FEE GWEI +TIP GWEI +HASH$/);
    expect(row).toMatch(new RegExp(`^7 +claim +signed +90s +1 +2\\.5 +1 +${ATTEMPT.txHash}$`));
    expect(summary).toBe("1 under way, 0 waiting for a nonce, last nonce 7");
    await node.saveTransaction({
      transaction: { ...node.transactionAt(7)!, state: { kind: "confirmed", receipt: RECEIPT } },
    });
    expect((await bench.wcp(["tx", "ls"])).out).toBe("0 under way, 0 waiting for a nonce, last nonce 7\n");
    const all = JSON.parse((await bench.wcp(["tx", "ls", "--all", "--json"])).out) as object;
    expect(all).toMatchObject([
      { nonce: 7, state: "confirmed", block_number: 12, attempts: [{ number: 1 }] },
    ]);
  });

  it.each([
    ["its nonce", "7"],
    ["its hash", ATTEMPT.txHash],
    ["an intent's key", `${ID}:1:claim`],
  ])("shows one by %s", async (_, what) => {
    using node = bench.store();
    await saveClaim(node, { kind: "signed" });
    const { out } = await bench.wcp(["tx", "show", what]);
    for (const part of ["nonce  7", ATTEMPT.txHash, `${ID}:1:claim`, "2.5"]) expect(out).toContain(part);
  });

  it("says so when there is none", async () => {
    using _node = bench.store();
    expect(await bench.wcp(["tx", "show", "99"])).toMatchObject({
      code: 1,
      err: expect.stringContaining('key "99"'),
    });
  });

  it.each(["bump", "cancel", "rebroadcast"] as const)(
    "%s reaches the running node, and its answer comes back",
    async (action) => {
      using node = bench.store();
      await saveClaim(node, { kind: "signed" });
      using _running = bench.lock();
      const command = bench.wcp(["tx", action, "7"]);
      await until(() => node.openOrders().length > 0);
      const order = node.openOrders()[0]!;
      expect(order).toMatchObject({ action, nonce: 7 });
      await node.answerOrder(order.id, { isDone: true, text: "replaced by 0xa2" });
      expect(await command).toMatchObject({ code: 0, out: "replaced by 0xa2\n" });
    },
  );

  it.each(["bump", "cancel", "rebroadcast"] as const)(
    "%s that the node could not carry out ends with code 1, and says why",
    async (action) => {
      using node = bench.store();
      await saveClaim(node, { kind: "signed" });
      using _running = bench.lock();
      const command = bench.wcp(["tx", action, "7"]);
      await until(() => node.openOrders().length > 0);
      const text = "not replaced: it is in a block by now";
      await node.answerOrder(node.openOrders()[0]!.id, { isDone: false, text });
      const { code, out, err } = await command;
      expect([code, out]).toEqual([1, ""]);
      expect(err).toContain(`${action} of nonce 7: ${text}`);
    },
  );

  it("leaves its order when the node is not running", async () => {
    {
      using node = bench.store();
      await saveClaim(node, { kind: "signed" });
    }
    const { code, out } = await bench.wcp(["tx", "cancel", "7"]);
    expect([code, out]).toEqual([0, "The node is not running. It will cancel nonce 7 when it is: wcp run\n"]);
    using again = bench.store();
    expect(again.openOrders()).toMatchObject([{ action: "cancel", nonce: 7 }]);
  });

  it("says so when the node does not answer in time", async () => {
    using node = bench.store();
    await saveClaim(node, { kind: "signed" });
    using _running = bench.lock();
    const { code, out } = await bench.wcp(["tx", "bump", "7", "--wait", "10ms"]);
    expect(code).toBe(75);
    expect(out).toContain("The order stands; wcp tx show 7 tells what became of it");
  });

  it.each<[string, TransactionState | undefined, string]>([
    ["a nonce that was never used", undefined, "has signed nothing with nonce 7"],
    ["one that is mined", { kind: "included", receipt: RECEIPT }, "is mined already, in block 12"],
    [
      "one that somebody else used",
      { kind: "displaced" },
      "was used by a transaction that is not this node's",
    ],
  ])("orders nothing for %s", async (_, state, message) => {
    using node = bench.store();
    if (state !== undefined) await saveClaim(node, state);
    const { code, err } = await bench.wcp(["tx", "bump", "7"]);
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(node.openOrders()).toEqual([]);
  });

  it.each([["seven"], ["-1"], ["1.5"]])("takes %s for no nonce", async (text) => {
    const { code, err } = await bench.wcp(["tx", "bump", "--", text]);
    expect([code, err]).toEqual([78, expect.stringContaining("is not a nonce")]);
  });
});
