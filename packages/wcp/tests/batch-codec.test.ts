import { taskQueueInterface } from "@subnet-worker/contracts";
import { toQuantity, Transaction, ZeroAddress } from "ethers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BatchChain, CHAIN_ID, FEES, sumOf, WalletChain } from "./_batch-chain.ts";
import type { BatchCall, EventLog } from "../src/chain-ports.ts";
import { idOf } from "./_builders.ts";

/** Burns all its gas and gives no reason. */
const BURNER = { at: `0x${"b1".repeat(20)}`, code: "0xfe" };
/** Burns all but some 500 gas and then reverts with 256 bytes. */
const LATE_REVERTER = { at: `0x${"b2".repeat(20)}`, code: "0x5b5a610200105f576101005ffd" };
/** Burns all but some 500 gas and succeeds. */
const GLUTTON = { at: `0x${"b3".repeat(20)}`, code: "0x5b5a610200105f575f5ff3" };
/** Does nothing. */
const IDLER = { at: `0x${"b4".repeat(20)}`, code: "0x00" };

/** More than a call burns must be there while it runs: SSTORE wants 2,300 left, calls keep a 64th back. */
const HEADROOM_GAS = 3_000n;

let chain: BatchChain;
let snapshot: string;
beforeAll(async () => {
  chain = await BatchChain.start();
  for (const { at, code } of [BURNER, LATE_REVERTER, GLUTTON, IDLER]) await chain.place(at, code);
  await chain.delegate(chain.contracts.batchExecutor);
  // What a node that has worked for a while has behind it.
  const before = await chain.enqueue(20);
  await chain.execute(before.map((id) => chain.claim(id)));
  await chain.execute(before.slice(1).map((id) => chain.complete(id, "0x")));
  snapshot = await chain.rpc("evm_snapshot");
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(async () => {
  await chain.rpc("evm_revert", snapshot);
  snapshot = await chain.rpc("evm_snapshot");
});

const repeated = (count: number, call: BatchCall) => Array.from({ length: count }, () => call);

describe("delegating", () => {
  it("uses up two nonces, and puts the executor's address at the wallet's", async () => {
    await chain.delegate(ZeroAddress);
    const before = await chain.nonce();
    const { succeeded } = await chain.delegate(chain.contracts.batchExecutor);
    expect(succeeded).toBe(true);
    expect(await chain.nonce()).toBe(before + 2);
    expect(chain.codec.delegateOf(await chain.code())).toBe(chain.codec.executor);
  });

  it("to the zero address takes it back: a batch then does nothing and succeeds, which `ran` tells", async () => {
    const [id = ""] = await chain.enqueue(1);
    await chain.delegate(ZeroAddress);
    expect(await chain.code()).toBe("0x");
    const receipt = await chain.execute([chain.claim(id)]);
    expect(receipt.succeeded).toBe(true);
    expect(chain.codec.ran(receipt.logs, chain.wallet)).toBe(false);
    expect(chain.codec.failures(receipt.logs, chain.wallet).size).toBe(0);
  });

  it("with a nonce that is not one more than the transaction's changes nothing, which `ran` tells", async () => {
    await chain.delegate(ZeroAddress);
    const [id = ""] = await chain.enqueue(1);
    const contract = chain.contracts.batchExecutor;
    const stale = await chain.signer.authorize({ contract, nonce: await chain.nonce() });
    const receipt = await chain.execute([chain.claim(id)], stale);
    expect(receipt.succeeded).toBe(true);
    expect(chain.codec.ran(receipt.logs, chain.wallet)).toBe(false);
    expect(await chain.code()).toBe("0x");
  });

  it("and the first batch fit into one transaction", async () => {
    await chain.delegate(ZeroAddress);
    const ids = await chain.enqueue(3);
    const contract = chain.contracts.batchExecutor;
    const authorization = await chain.signer.authorize({ contract, nonce: (await chain.nonce()) + 1 });
    const receipt = await chain.execute(
      ids.map((id) => chain.claim(id)),
      authorization,
    );
    expect(chain.codec.ran(receipt.logs, chain.wallet)).toBe(true);
    expect(claimedBy(receipt.logs)).toEqual(ids.map((id) => [id, chain.wallet]));
  });
});

describe("a batch", () => {
  it("makes every call as the wallet, and names those that threw by their index", async () => {
    const [first = "", second = ""] = await chain.enqueue(2);
    const calls = [chain.claim(first), chain.claim(idOf(77)), chain.claim(first), chain.claim(second)];
    const { logs } = await chain.execute(calls);
    expect(chain.codec.ran(logs, chain.wallet)).toBe(true);
    expect(claimedBy(logs)).toEqual([
      [first, chain.wallet],
      [second, chain.wallet],
    ]);
    const failures = [...chain.codec.failures(logs, chain.wallet)];
    expect(failures.map(([index, { name }]) => [index, name])).toEqual([
      [1, "UnknownActivity"],
      [2, "ActivityAlreadyClaimed"],
    ]);
    expect(failures[0]?.[1].message).toContain(idOf(77));
  });

  it("is told of beforehand by its simulation, which changes nothing", async () => {
    const [id = ""] = await chain.enqueue(1);
    const calls = [chain.claim(id), chain.claim(id), { to: BURNER.at, data: "0x", gas: 9_000n }];
    for (const _ of [1, 2]) {
      const results = await chain.simulate(calls);
      expect(results).toMatchObject([
        { ok: true },
        { ok: false, revert: { name: "ActivityAlreadyClaimed" } },
        { ok: false, revert: { name: "", message: "0x" } },
      ]);
    }
    expect(chain.codec.failures((await chain.execute(calls)).logs, chain.wallet).size).toBe(2);
  });

  it("of nothing runs too", async () => {
    const { logs, succeeded } = await chain.execute([]);
    expect(succeeded).toBe(true);
    expect(chain.codec.ran(logs, chain.wallet)).toBe(true);
  });

  it("whose bytes are sent again is refused for its nonce", async () => {
    const request = {
      nonce: await chain.nonce(),
      to: chain.wallet,
      data: chain.codec.encode([]),
      fees: FEES,
    };
    const { raw } = await chain.signer.sign({ ...request, gasLimit: 60_000n });
    await chain.sendRaw(raw);
    await expect(chain.sendRaw(raw)).rejects.toThrow(/nonce too low/);
  });
});

describe("reading a receipt", () => {
  it("passes over logs of others, also over those that call themselves failures of a batch", async () => {
    const { logs } = await chain.execute([chain.claim(idOf(5))]);
    const forged = logs.map((log) => ({ ...log, address: BURNER.at }));
    expect(chain.codec.failures(logs, chain.wallet.toLowerCase()).size).toBe(1);
    expect(chain.codec.failures(forged, chain.wallet).size).toBe(0);
    expect(chain.codec.ran(forged, chain.wallet)).toBe(false);
  });
});

describe("the gas limit of a batch", () => {
  it.each([1, 10, 200])("is enough for %i claims and hardly more", async (count) => {
    const claims = (await chain.enqueue(count)).map((id) => chain.claim(id));
    const burned = await chain.measured(claims);
    const calls = burned.map((call) => ({ ...call, gas: call.gas + HEADROOM_GAS }));
    const { succeeded, gasUsed, logs } = await chain.execute(calls);
    expect(succeeded).toBe(true);
    expect(claimedBy(logs)).toHaveLength(count);
    const overhead = gasUsed - sumOf(burned);
    const bound = chain.codec.overheadGas(calls, false);
    expect(overhead).toBeLessThanOrEqual(bound);
    // What is above the need of claims that succeed is set aside for those that fail, and for the last one.
    expect(Number(bound - overhead)).toBeLessThan(8_000 + 2_500 * count);
  });

  it.each([
    ["1 call", 1, 30_000n],
    ["1 call of much gas, of which CALL keeps a 64th back", 1, 20_000_000n],
    ["2 calls", 2, 1_000_000n],
    ["200 calls", 200, 30_000n],
    ["200 calls of hardly any gas", 200, 600n],
  ])("is enough for %s burning all of it", async (_, count, gas) => {
    const data = taskQueueInterface.encodeFunctionData("claimActivity", [idOf(3)]);
    for (const { at: to } of [BURNER, LATE_REVERTER]) {
      const { succeeded, logs } = await chain.execute(repeated(count, { to, data, gas }));
      expect(succeeded).toBe(true);
      expect(chain.codec.failures(logs, chain.wallet).size).toBe(count);
    }
    const fed = await chain.execute(repeated(count, { to: GLUTTON.at, data, gas }));
    expect(chain.codec.failures(fed.logs, chain.wallet).size).toBe(gas > 512n ? 0 : count);
  });

  it("is enough with an authorization for the delegation on top", async () => {
    await chain.delegate(ZeroAddress);
    const contract = chain.contracts.batchExecutor;
    const authorization = await chain.signer.authorize({ contract, nonce: (await chain.nonce()) + 1 });
    const calls = repeated(40, { to: BURNER.at, data: "0x", gas: 1_000n });
    const { succeeded, logs } = await chain.execute(calls, authorization);
    expect(succeeded).toBe(true);
    expect(chain.codec.failures(logs, chain.wallet).size).toBe(40);
  });

  it("is enough for a call of much data, for which memory grows", async () => {
    const call = { to: BURNER.at, data: `0x${"ab".repeat(65_536)}`, gas: 2_600_000n };
    const { succeeded, logs } = await chain.execute([call]);
    expect(succeeded).toBe(true);
    expect(chain.codec.failures(logs, chain.wallet).size).toBe(1);
  });

  it("is enough for calls of every size, to many contracts", async () => {
    const calls = [0, 1, 31, 32, 33, 1_000, 16_384].map((size, index) => ({
      to: `0x${(0xc0 + index).toString(16).repeat(20)}`,
      data: `0x${"ab".repeat(size)}`,
      gas: 5_000n,
    }));
    for (const { to } of calls) await chain.place(to, BURNER.code);
    const { succeeded, logs } = await chain.execute(calls);
    expect(succeeded).toBe(true);
    expect(chain.codec.failures(logs, chain.wallet).size).toBe(calls.length);
  });

  it("is at least the floor that call data has since Prague, whatever the calls burn", async () => {
    const gas = 100n;
    const calls = [{ to: IDLER.at, data: `0x${"ab".repeat(20_000)}`, gas }];
    const { succeeded, gasLimit, gasUsed } = await chain.execute(calls);
    expect({ succeeded, gasUsed }).toEqual({ succeeded: true, gasUsed: gasLimit - gas });
    const request = { from: chain.wallet, to: chain.wallet, data: chain.codec.encode(calls) };
    const called = (limit: bigint) => chain.rpc("eth_call", { ...request, gas: toQuantity(limit) }, "latest");
    await called(gasUsed);
    await expect(called(gasUsed - 1n)).rejects.toThrow(/gas/);
  });

  it("below what is needed undoes the whole batch instead of starving a call", async () => {
    const ids = await chain.enqueue(5);
    const burned = await chain.measured(ids.map((id) => chain.claim(id)));
    const calls = burned.map((call) => ({ ...call, gas: call.gas + HEADROOM_GAS }));
    const data = chain.codec.encode(calls);
    const { gasUsed } = await dryRun(() => chain.execute(calls));
    let [refused, done] = [0, 0];
    for (let gasLimit = 50_000n; gasLimit < gasUsed + 40_000n; gasLimit += 5_003n) {
      const { succeeded, logs } = await dryRun(() => chain.send({ to: chain.wallet, data, gasLimit }));
      expect(claimedBy(logs)).toHaveLength(succeeded ? 5 : 0);
      if (succeeded) done += 1;
      else refused += 1;
    }
    expect(Math.min(refused, done)).toBeGreaterThan(5);
  });
});

describe("older chains", () => {
  it("before Prague refuse type 4 by its type", async () => {
    await using old = await WalletChain.start(["--hardfork", "cancun"]);
    await expect(old.delegate(`0x${"e1".repeat(20)}`)).rejects.toThrow(
      "EIP-7702 fields received but is not supported by the current hardfork",
    );
    expect(await old.nonce()).toBe(0);
  });

  it("before London take type 0", async () => {
    await using old = await WalletChain.start(["--hardfork", "berlin", "--gas-price", "1000000000"]);
    const gasPriceWei = 2n * 10n ** 9n;
    const fees = { maxFeePerGasWei: gasPriceWei, maxPriorityFeePerGasWei: gasPriceWei, isLegacy: true };
    const request = { nonce: 0, to: IDLER.at, data: "0x", gasLimit: 21_000n, fees };
    const { raw, txHash } = await old.signer.sign(request);
    expect((await old.sendRaw(raw)).succeeded).toBe(true);
    expect(Transaction.from(raw)).toMatchObject({ type: 0, chainId: CHAIN_ID, hash: txHash });
    const { raw: modern } = await old.signer.sign({ ...request, nonce: 1, fees: FEES });
    await expect(old.sendRaw(modern)).rejects.toThrow(/1559|not supported|London/i);
  });
});

/** Runs it and takes it back. */
async function dryRun<T>(run: () => Promise<T>): Promise<T> {
  const before = await chain.rpc<string>("evm_snapshot");
  const result = await run();
  await chain.rpc("evm_revert", before);
  return result;
}

function claimedBy(logs: readonly EventLog[]): unknown[] {
  return logs.flatMap((log) => {
    const event = taskQueueInterface.parseLog({ topics: [...log.topics], data: log.data });
    return event?.name === "ActivityClaimed" ? [[event.args["activityId"], event.args["worker"]]] : [];
  });
}
