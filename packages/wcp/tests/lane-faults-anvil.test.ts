// The faults of the transaction lane that anvil can produce, each by its number.
import { join } from "node:path";
import { batchExecutorInterface, decodeContractError, taskQueueInterface } from "@subnet-worker/contracts";
import type { Clock } from "@subnet-worker/kit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { OrderDesk } from "../src/adapters/sqlite/inspect-orders.ts";
import { createBatchCodec } from "../src/adapters/evm/batch-codec.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import type { Attempt } from "../src/domain/transaction.ts";
import type { IntentOutcome, IntentRequest } from "../src/chain-ports.ts";
import type { LaneOptions } from "../src/services/lane/lane.ts";
import { AnvilLane, DevChain, WORKER_KEY } from "./_anvil-lane.ts";
import { idOf } from "./_builders.ts";
import { fastClock } from "./_fast-clock.ts";
import { until } from "./_until.ts";

const GWEI = 1_000_000_000n;
const HOUR_MS = 3_600_000;
/** It leaves alone what it has sent. */
const PATIENT: Partial<LaneOptions> = { resendAfterMs: HOUR_MS, bumpAfterMs: HOUR_MS };
const signer = createLocalSigner(WORKER_KEY, 31_337n);
const wallet = signer.address;
let dev: DevChain;
let fromBlock: number;
let test = 0;
let databases = 0;

beforeAll(async () => {
  dev = await DevChain.start();
});
afterAll(async () => {
  await dev[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await dev.rpc("anvil_dropAllTransactions");
  await dev.holdBlocks();
  await dev.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI));
  await dev.mine();
  fromBlock = (await dev.block()) + 1;
  test += 1;
});

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** A lane on a database of its own, unless one is named, twenty times as fast as it would be. */
function start(
  options: Partial<LaneOptions> & { readonly clock?: Clock } = {},
  database = `faults-${(databases += 1)}`,
): AnvilLane {
  return new AnvilLane(dev, database, { clock: fastClock(20), ...options });
}

function work(number: number): IntentRequest {
  return { ...dev.enqueue(test * 1_000 + number), kind: "complete" };
}

/** The outcome is looked at later, so a rejection meanwhile is not an unhandled one. */
function submit(on: AnvilLane, request: IntentRequest): Promise<IntentOutcome> {
  const outcome = on.lane.submit(request);
  outcome.catch(() => undefined);
  return outcome;
}

/** Looks as often as anvil answers: real time passes between two looks. */
function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  return until(async () => {
    await dev.block();
    return condition();
  });
}

async function happened(...wanted: readonly number[]): Promise<void> {
  const counts = new Map(wanted.map((number) => [test * 1_000 + number, 1]));
  expect(await dev.enqueued(fromBlock)).toEqual(counts);
}

/** Somebody else sends a transaction of the wallet. */
async function sendElsewhere(nonce: number, maxFeePerGasWei: bigint): Promise<string> {
  const fees = { maxFeePerGasWei, maxPriorityFeePerGasWei: maxFeePerGasWei };
  const { raw } = await signer.sign({ nonce, to: wallet, data: "0x", gasLimit: 60_000n, fees });
  return String(await dev.rpc("eth_sendRawTransaction", raw));
}

function attemptsOf(on: AnvilLane, nonce: number): readonly Attempt[] {
  return on.store.transactionAt(nonce)?.attempts ?? [];
}

function sends({ logs }: AnvilLane): number {
  return logs.at("debug").filter((line) => line === "transaction sent").length;
}

/** Hashes of what waits in anvil's pool, by nonce. */
async function pool(): Promise<Map<number, string>> {
  const content = (await dev.rpc("txpool_content")) as Record<
    "pending" | "queued",
    Record<string, Record<string, { readonly hash: string }>>
  >;
  const found = new Map<number, string>();
  for (const part of [content.pending, content.queued]) {
    const mine = Object.entries(part).find(([address]) => address.toLowerCase() === wallet.toLowerCase());
    for (const [nonce, { hash }] of Object.entries(mine?.[1] ?? {})) found.set(Number(nonce), hash);
  }
  return found;
}

describe("on anvil", () => {
  it("fault 1: bytes that the node knows already count as sent", async () => {
    await using on = start({ bumpAfterMs: HOUR_MS });
    const outcome = submit(on, work(1));
    await eventually(() => sends(on) >= 3);
    expect(on.logs.at("warn")).toEqual([]);
    expect((await pool()).size).toBe(1);
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined" });
    await happened(1);
  });

  it("fault 2: a nonce that somebody else used is reported, and the intent gets another", async () => {
    // Or it would outbid the other, given the time.
    await using on = start(PATIENT);
    const outcome = submit(on, work(1));
    await eventually(() => sends(on) > 0);
    const nonce = await dev.minedCount(wallet);
    await sendElsewhere(nonce, 50n * GWEI);
    await dev.mine();
    await eventually(() => on.logs.at("error").some((line) => line.includes("in use elsewhere")));
    await eventually(async () => (await pool()).has(nonce + 1));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: nonce + 1 });
    await happened(1);
  });

  it("fault 3: a nonce that another transaction in the pool holds is outbid, not skipped", async () => {
    await using on = start();
    const nonce = await dev.minedCount(wallet);
    await eventually(async () => (await dev.block()) > 0 && on.heads.latest() !== undefined);
    const rival = await sendElsewhere(nonce, 4n * GWEI);
    const outcome = submit(on, work(1));
    await eventually(async () => {
      const hash = (await pool()).get(nonce);
      return hash !== undefined && hash !== rival;
    });
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce });
    expect(attemptsOf(on, nonce).length).toBeGreaterThan(1);
    await happened(1);
  });

  it("fault 4: fees below the base fee are raised at once, as far as the ceiling allows", async () => {
    await using on = start({ maxFeePerGasWei: 60n * GWEI });
    on.chain.feeMarket = async () => ({ kind: "dynamic", baseFeePerGasWei: GWEI, tipWei: GWEI });
    await dev.rpc("anvil_setNextBlockBaseFeePerGas", hex(4n * GWEI));
    await dev.mine();
    const outcome = submit(on, work(1));
    const nonce = await dev.minedCount(wallet);
    await eventually(() => attemptsOf(on, nonce).length > 1);
    await eventually(async () => (await pool()).has(nonce));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce });
    await happened(1);
  });

  it("fault 19: a base fee above the ceiling holds what is sent, says so, and passes", async () => {
    await using on = start({ maxFeePerGasWei: 30n * GWEI });
    await dev.rpc("anvil_setNextBlockBaseFeePerGas", hex(80n * GWEI));
    await dev.mine();
    const result = submit(on, work(1));
    const claim = submit(on, { ...work(2), kind: "claim" });
    await eventually(() => {
      const { outstanding, queued } = on.lane.depth();
      return on.lane.notReady().length > 0 && outstanding === 1 && queued === 1;
    });
    const nonce = await dev.minedCount(wallet);
    for (const { maxFeePerGasWei } of attemptsOf(on, nonce)) {
      expect(maxFeePerGasWei).toBeLessThanOrEqual(30n * GWEI);
    }
    await dev.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI));
    await dev.mine();
    await mineUntilSettled(Promise.all([result, claim]));
    expect(await Promise.all([result, claim])).toMatchObject([{ kind: "mined" }, { kind: "mined" }]);
    await happened(1, 2);
  });

  it("fault 5: a nonce behind a gap is kept, and the gap is filled", async () => {
    const nonce = await dev.minedCount(wallet);
    const hash = await sendElsewhere(nonce, 2n * GWEI);
    await using on = start();
    await eventually(() => on.heads.latest() !== undefined);
    const outcome = submit(on, work(1));
    await eventually(() => attemptsOf(on, nonce + 1).length > 0);
    await dev.rpc("anvil_dropTransaction", hash);
    await eventually(async () => (await pool()).has(nonce) && (await pool()).has(nonce + 1));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: nonce + 1 });
    expect(on.store.transactionAt(nonce)?.kind).toBe("noop");
    await happened(1);
  });

  it("fault 7: a wallet without funds keeps nonce and bytes, says so, and goes on when it has some", async () => {
    await using on = start({ bumpAfterMs: HOUR_MS });
    const balance = await dev.rpc("eth_getBalance", wallet, "latest");
    const nonce = await dev.minedCount(wallet);
    await dev.rpc("anvil_setBalance", wallet, "0x0");
    const outcome = submit(on, work(1));
    await eventually(() => on.lane.notReady().length > 0);
    expect(on.lane.notReady()[0]).toContain("cannot pay for gas");
    await dev.rpc("anvil_setBalance", wallet, balance);
    await eventually(async () => (await pool()).has(nonce));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce });
    expect(attemptsOf(on, nonce)).toHaveLength(1);
    await happened(1);
  });

  it("fault 8: too little intrinsic gas gives the nonce to a no-op, and what is behind goes on", async () => {
    await using on = start();
    const estimate = on.chain.estimateGas.bind(on.chain);
    const poison = work(1);
    // An estimate that is wrong by far: with its margin it comes to less than a transfer takes.
    on.chain.estimateGas = (call) => (call.data === poison.data ? Promise.resolve(-8_000n) : estimate(call));
    const nonce = await dev.minedCount(wallet);
    const outcomes = [submit(on, poison), submit(on, work(2))];
    await eventually(async () => (await pool()).size === 2);
    await dev.mine();
    expect(await Promise.all(outcomes)).toMatchObject([
      { kind: "dropped", reason: "purged" },
      { kind: "mined", nonce: nonce + 1 },
    ]);
    await happened(2);
  });

  it("fault 10: a transaction that the pool dropped is sent again", async () => {
    await using on = start();
    const outcome = submit(on, work(1));
    const nonce = await dev.minedCount(wallet);
    await eventually(async () => (await pool()).has(nonce));
    await dev.rpc("anvil_dropTransaction", (await pool()).get(nonce));
    await eventually(async () => (await pool()).has(nonce));
    await dev.rpc("anvil_dropAllTransactions");
    await eventually(async () => (await pool()).has(nonce));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce });
    await happened(1);
  });

  it("fault 12: an older attempt that is mined after its replacement is a success", async () => {
    const database = `faults-${(databases += 1)}`;
    await using on = start({ resendAfterMs: 600_000 }, database);
    const outcome = submit(on, work(1));
    const nonce = await dev.minedCount(wallet);
    await eventually(async () => (await pool()).has(nonce));
    {
      using desk = new OrderDesk(join(dev.folder, `${database}.db`));
      desk.place({ action: "bump", nonce }, 0);
    }
    await eventually(() => attemptsOf(on, nonce).length === 2);
    const [first, second] = attemptsOf(on, nonce);
    await eventually(async () => (await pool()).get(nonce) === second?.txHash);
    await dev.rpc("anvil_dropTransaction", second?.txHash);
    await dev.rpc("eth_sendRawTransaction", first?.raw);
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", receipt: { txHash: first?.txHash } });
    await happened(1);
  });

  it("fault 13: what was mined and threw is told with its reason, and not tried again", async () => {
    await using on = start();
    on.chain.estimateGas = async () => 200_000n;
    const data = taskQueueInterface.encodeFunctionData("claimActivity", [idOf(999_999)]);
    const outcome = submit(on, { ...work(1), data });
    const nonce = await dev.minedCount(wallet);
    await eventually(async () => (await pool()).has(nonce));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "reverted", revert: { name: "UnknownActivity" } });
    await dev.mine(2);
    expect((await pool()).size).toBe(0);
    expect(await dev.minedCount(wallet)).toBe(nonce + 1);
  });

  it("fault 14: a reorg puts a transaction back under its nonce, with the same bytes", async () => {
    await using on = start({ confirmationsBlocks: 3, bumpAfterMs: HOUR_MS });
    const outcome = submit(on, work(1));
    const nonce = await dev.minedCount(wallet);
    await eventually(async () => (await pool()).has(nonce));
    await dev.mine(2);
    expect(await outcome).toMatchObject({ kind: "mined", nonce, isConfirmed: false });
    const confirmed = on.lane.confirmed(work(1).key);
    await dev.rpc("anvil_reorg", 2, []);
    await happened();
    await dev.mine();
    await eventually(async () => (await pool()).has(nonce));
    expect(attemptsOf(on, nonce)).toHaveLength(1);
    await dev.mine(4);
    expect(await confirmed).toMatchObject({ kind: "mined", nonce, isConfirmed: true });
    expect(on.logs.at("warn").join("\n")).toContain("a reorg took this transaction out of its block");
    await happened(1);
  });

  it("fault 15: an intent whose deadline passes gives its nonce to a no-op", async () => {
    const fast = fastClock(20);
    let aheadMs = 0;
    await using on = start({ clock: { ...fast, nowMs: () => fast.nowMs() + aheadMs } });
    const deadlineMs = fast.nowMs() + HOUR_MS;
    const late = submit(on, { ...work(1), kind: "heartbeat", deadlineMs });
    const nonce = await dev.minedCount(wallet);
    await eventually(async () => (await pool()).has(nonce));
    aheadMs = HOUR_MS;
    await eventually(() => attemptsOf(on, nonce).at(-1)?.isNoop === true);
    await eventually(async () => (await pool()).get(nonce) === attemptsOf(on, nonce).at(-1)?.txHash);
    await dev.mine();
    expect(await late).toMatchObject({ kind: "dropped", reason: "expired" });
    await happened();
  });

  it("fault 20: a restart with an open transaction sends the stored bytes", async () => {
    const nonce = await dev.minedCount(wallet);
    const database = `faults-${(databases += 1)}`;
    let first: readonly Attempt[];
    {
      await using before = start(PATIENT, database);
      void submit(before, work(1));
      await eventually(async () => (await pool()).has(nonce));
      first = attemptsOf(before, nonce);
    }
    await dev.rpc("anvil_dropAllTransactions");
    await using on = start(PATIENT, database);
    await eventually(async () => (await pool()).has(nonce));
    expect((await pool()).get(nonce)).toBe(first[0]?.txHash);
    const outcome = submit(on, work(1));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce });
    await happened(1);
  });

  it("fault 24: a deleted database leaves pending transactions, which are waited for", async () => {
    const nonce = await dev.minedCount(wallet);
    {
      await using before = start();
      for (const number of [1, 2]) void submit(before, work(number));
      await eventually(async () => (await pool()).size === 2);
    }
    await using on = start({ ...PATIENT, repairAfterMs: HOUR_MS });
    const outcome = submit(on, work(3));
    await eventually(async () => (await pool()).has(nonce + 2));
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: nonce + 2 });
    await happened(1, 2, 3);
    expect(on.logs.at("error")).toEqual([]);
  });

  it("fault 24: a deleted database leaves nonces which no-ops fill when what was pending is gone", async () => {
    const nonce = await dev.minedCount(wallet);
    const hashes = [await sendElsewhere(nonce, 2n * GWEI), await sendElsewhere(nonce + 1, 2n * GWEI)];
    await using on = start();
    const outcome = submit(on, work(1));
    await eventually(() => attemptsOf(on, nonce + 2).length > 0);
    for (const hash of hashes) await dev.rpc("anvil_dropTransaction", hash);
    await eventually(async () => (await pool()).size === 3);
    await dev.mine();
    expect(await outcome).toMatchObject({ kind: "mined", nonce: nonce + 2 });
    expect([nonce, nonce + 1].map((each) => on.store.transactionAt(each)?.kind)).toEqual(["noop", "noop"]);
    await happened(1);
  });
});

/** Block after block, until `all` has settled; resolves with the most there was in the pool at once. */
async function mineUntilSettled(all: Promise<unknown>): Promise<number> {
  const progress = { isDone: false };
  const done = all.finally(() => {
    progress.isDone = true;
  });
  let most = 0;
  while (!progress.isDone) {
    most = Math.max(most, (await pool()).size);
    await dev.mine();
  }
  await done;
  return most;
}

// Last, for the wallet stays delegated.
describe("on anvil, in batches", () => {
  const batching = (): LaneOptions["batching"] => ({
    codec: createBatchCodec({
      executor: dev.contracts.batchExecutor,
      decodeRevert: (data) => decodeContractError(data) ?? { name: "", message: data },
    }),
    gasPercent: 80,
  });

  it("fault 16: delegates first, then gets many intents into few transactions, one in flight", async () => {
    await using on = start({ batching: batching() });
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    const before = await dev.minedCount(wallet);
    const all = Promise.all(numbers.map((number) => submit(on, work(number))));
    const most = await mineUntilSettled(all);
    expect((await all).map(({ kind }) => kind)).toEqual(numbers.map(() => "mined"));
    await happened(...numbers);
    expect(most).toBeLessThanOrEqual(1);
    expect((await dev.minedCount(wallet)) - before).toBeLessThan(10);
    expect(on.logs.at("error")).toEqual([]);
  });

  it("fault 16: a delegated wallet that does not batch has one transaction in flight", async () => {
    await using on = start();
    const numbers = [1, 2, 3, 4];
    const all = Promise.all(numbers.map((number) => submit(on, work(number))));
    const most = await mineUntilSettled(all);
    expect((await all).map(({ kind }) => kind)).toEqual(numbers.map(() => "mined"));
    expect(most).toBeLessThanOrEqual(1);
    await happened(...numbers);
  });

  it("fault 13: a call that throws in a batch is told alone", async () => {
    await using on = start({ batching: batching() });
    await dev.rpc("evm_setAutomine", true);
    await submit(on, work(9));
    await dev.holdBlocks();
    const call = on.chain.call.bind(on.chain);
    // The simulation finds nothing wrong: somebody is faster between it and the block.
    on.chain.call = async (request, block) => {
      const answer = await call(request, block);
      if (request.to !== wallet) return answer;
      const results = batchExecutorInterface.decodeFunctionResult("simulate", answer)[0] as unknown[];
      const fine = results.map(() => ({ success: true, gasUsed: 400_000n, reason: "0x" }));
      return batchExecutorInterface.encodeFunctionResult("simulate", [fine]);
    };
    const data = taskQueueInterface.encodeFunctionData("claimActivity", [idOf(999_998)]);
    const good = work(1);
    const bad = { ...work(2), data };
    const outcomes = [submit(on, good), submit(on, bad), submit(on, work(3))];
    const all = Promise.all(outcomes);
    await mineUntilSettled(all);
    expect(await all).toMatchObject([
      { kind: "mined" },
      { kind: "reverted", revert: { name: "UnknownActivity" } },
      { kind: "mined" },
    ]);
    await happened(9, 1, 3);
  });
});
