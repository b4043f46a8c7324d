import { FakeClock } from "@subnet-worker/testkit";
import { expect, it } from "vitest";
import { Housekeeper } from "../src/services/housekeeper.ts";
import { aTask, idOf } from "./_builders.ts";
import { FakeChain } from "./_fake-chain.ts";
import { FakeSigner } from "./_fake-signer.ts";
import { captureLogs } from "./_logs.ts";
import { MemoryDisk } from "./_memory-store.ts";

const DAY_MS = 86_400_000;

function keeper(lowBalanceWei: bigint) {
  const chain = new FakeChain();
  const logs = captureLogs();
  const clock = new FakeClock();
  const store = new MemoryDisk(clock).open();
  const housekeeper = new Housekeeper(
    { retentionMs: 7 * DAY_MS, lowBalanceWei },
    { chain, signer: new FakeSigner(), clock, store, logger: logs.logger },
  );
  return { chain, logs, clock, store, housekeeper };
}

it("a balance below the mark is told once, and again after it was topped up and fell", async () => {
  const { chain, logs, housekeeper } = keeper(10n ** 18n);
  const warnings = () => logs.lines.filter(({ msg }) => msg.includes("low_balance_gwei")).length;
  for (const [balanceWei, told] of [
    [2n * 10n ** 18n, 0],
    [10n ** 17n, 1],
    [10n ** 16n, 1],
    [2n * 10n ** 18n, 1],
    [10n ** 17n, 2],
  ] as const) {
    chain.balance = balanceWei;
    await housekeeper.tick();
    expect(housekeeper.balanceWei).toBe(balanceWei);
    expect(warnings()).toBe(told);
  }
});

it("a balance that cannot be read is no balance of zero", async () => {
  const { chain, logs, housekeeper } = keeper(1n);
  chain.balanceWei = () => Promise.reject(new Error("method not found"));
  await housekeeper.tick();
  expect(housekeeper.balanceWei).toBeUndefined();
  expect(logs.at("warn")).toEqual(["the wallet's balance could not be read; trying again later"]);
});

it("what ended longer ago than the retention is forgotten, hour by hour", async () => {
  const { clock, store, housekeeper } = keeper(0n);
  await store.saveTask(aTask({ id: idOf(1), state: { kind: "expired" } }), "new");
  await store.saveTask(aTask({ id: idOf(2), state: { kind: "offered" } }), "new");
  await housekeeper.tick();
  expect(store.task(idOf(1))).toBeDefined();
  await clock.advance(8 * DAY_MS);
  await housekeeper.tick();
  expect(store.task(idOf(1))).toBeUndefined();
  expect(store.task(idOf(2))).toBeDefined();
});
